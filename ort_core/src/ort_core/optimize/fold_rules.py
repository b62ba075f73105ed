"""Data movement and exact arithmetic on constants with numpy, so that folding them need not load any provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from ort_core.ir.graph import Node
from ort_core.ir.types import ElementType

Inputs: TypeAlias = Sequence["np.ndarray | None"]
FoldRule: TypeAlias = "Callable[[Node, Inputs], np.ndarray | None]"

_INTEGER_KINDS = "biu"
_FLOAT_KINDS = "f"


def fold_quickly(node: Node, inputs: Inputs) -> Sequence[np.ndarray] | None:
    """The output of `node`, or None if there is no rule for it here.

    The caller knows that the output is small.
    """
    rule = None if node.domain else _RULES.get(node.op_type)
    result = None if rule is None or len(node.outputs) != 1 else rule(node, inputs)
    return None if result is None else (np.asarray(result),)


def _present(inputs: Inputs) -> list[np.ndarray]:
    return [array for array in inputs if array is not None]


def _cast(node: Node, inputs: Inputs) -> np.ndarray | None:
    (array,) = _present(inputs)
    dtype = ElementType(node.attr("to")).dtype
    known = _INTEGER_KINDS + _FLOAT_KINDS
    if array.dtype.kind not in known or dtype.kind not in known:
        return None
    if array.dtype.kind in _FLOAT_KINDS and dtype.kind in "iu":
        return None
    return array.astype(dtype)


def _concat(node: Node, inputs: Inputs) -> np.ndarray:
    return np.concatenate(_present(inputs), axis=node.attr("axis"))


def _constant_of_shape(node: Node, inputs: Inputs) -> np.ndarray:
    (shape,) = _present(inputs)
    value = node.attr("value")
    fill = np.zeros((), np.float32) if value is None else value.array().reshape(-1)[0]
    return np.full(tuple(shape.tolist()), fill)


def _expand(node: Node, inputs: Inputs) -> np.ndarray:
    array, shape = _present(inputs)
    return np.broadcast_to(array, np.broadcast_shapes(array.shape, tuple(shape.tolist())))


def _gather(node: Node, inputs: Inputs) -> np.ndarray:
    array, indices = _present(inputs)
    return np.take(array, indices, axis=node.attr("axis", 0))


def _range(node: Node, inputs: Inputs) -> np.ndarray | None:
    start, limit, delta = (array.reshape(()) for array in _present(inputs))
    if start.dtype.kind not in _INTEGER_KINDS:
        return None
    return np.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


def _slice(node: Node, inputs: Inputs) -> np.ndarray:
    array, starts, ends = _present(inputs[:3])
    given = [*inputs[3:], None, None][:2]
    axes = range(len(starts)) if given[0] is None else given[0].tolist()
    steps = [1] * len(starts) if given[1] is None else given[1].tolist()
    index = [slice(None)] * array.ndim
    for axis, start, end, step in zip(axes, starts.tolist(), ends.tolist(), steps, strict=True):
        size = array.shape[axis]
        stop = None if step < 0 and end < -size else end
        index[axis] = slice(start, stop, step)
    return array[tuple(index)]


def _transpose(node: Node, inputs: Inputs) -> np.ndarray:
    (array,) = _present(inputs)
    return array.transpose(node.attr("perm"))


def _where(node: Node, inputs: Inputs) -> np.ndarray:
    condition, a, b = _present(inputs)
    return np.where(condition, a, b)


def _arithmetic(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> FoldRule:
    def rule(node: Node, inputs: Inputs) -> np.ndarray | None:
        a, b = _present(inputs)
        return function(a, b) if a.dtype.kind in _INTEGER_KINDS + _FLOAT_KINDS else None

    return rule


_RULES: Mapping[str, FoldRule] = {
    "Add": _arithmetic(np.add),
    "And": _arithmetic(np.logical_and),
    "Cast": _cast,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Equal": _arithmetic(np.equal),
    "Expand": _expand,
    "Gather": _gather,
    "Greater": _arithmetic(np.greater),
    "Less": _arithmetic(np.less),
    "Mul": _arithmetic(np.multiply),
    "Or": _arithmetic(np.logical_or),
    "Range": _range,
    "Slice": _slice,
    "Sub": _arithmetic(np.subtract),
    "Transpose": _transpose,
    "Where": _where,
}
