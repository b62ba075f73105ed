"""Operators that pick, place, sort and mark elements by index."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    Output,
    Rule,
    Types,
    UndecidedError,
    UnknownRankError,
    check,
    constant,
    family,
    integers,
    known_shape,
    like_first,
    needed_shape,
    normal_axis,
    size,
    unify,
)
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Dim


def _gather(node: Node, types: Types) -> Sequence[Output]:
    data, indices = needed_shape(types, 0), needed_shape(types, 1)
    axis = normal_axis(node.attr("axis", 0), len(data))
    return ((*data[:axis], *indices, *data[axis + 1 :]),)


def _gather_elements(node: Node, types: Types) -> Sequence[Output]:
    return (known_shape(types, 1),)


def _gather_nd(node: Node, types: Types) -> Sequence[Output]:
    data, indices = needed_shape(types, 0), needed_shape(types, 1)
    check(bool(data) and bool(indices))
    last = indices[-1]
    if not isinstance(last, int):
        raise UnknownRankError
    first = last + node.attr("batch_dims", 0)
    check(first <= len(data))
    out = (*indices[:-1], *data[first:])
    if not out:
        raise UnknownRankError
    return (out,)


def _tensor_scatter(node: Node, types: Types) -> Sequence[Output]:
    cache, update, indices = (known_shape(types, index) for index in range(3))
    if cache is not None and update is not None:
        check(len(cache) == len(update))
        axis = node.attr("axis", -2)
        axis = axis + len(cache) if axis < 0 else axis
        check(0 < axis < len(cache))
        for i, (a, b) in enumerate(zip(cache, update, strict=True)):
            if i != axis:
                unify(a, b)
    if indices is not None:
        check(len(indices) == 1)
        if cache is not None:
            check(bool(cache))
            unify(cache[0], indices[0])
    return (cache,)


def _top_k(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    axis = normal_axis(node.attr("axis", -1), len(shape))
    count, dim = integers(node, 1), shape[axis]
    if count is None or not isinstance(dim, int):
        return ((None,) * len(shape),) * 2
    check(known_shape(types, 1) == (1,) and 0 <= count[0] <= dim)
    return ((*shape[:axis], count[0], *shape[axis + 1 :]),) * 2


def _one_hot(node: Node, types: Types) -> Sequence[Output]:
    depth, values = known_shape(types, 1), known_shape(types, 2)
    check(depth is None or len(depth) == 0 or (len(depth) == 1 and (not isinstance(depth[0], int) or depth[0] < 2)))
    check(values is None or (len(values) == 1 and unify(2, values[0]) == 2))
    count = None if depth is None else _depth(node)
    shape = needed_shape(types, 0)
    check(bool(shape))
    axis = normal_axis(node.attr("axis", -1), len(shape) + 1)
    return ((*shape[:axis], count, *shape[axis:]),)


def _depth(node: Node) -> Dim:
    array = constant(node, 1)
    if array is None or not array.size or array.dtype.name not in ("int64", "int32", "float32"):
        return None
    depth = array.reshape(-1)[0].item()
    if not math.isfinite(depth):
        raise UndecidedError
    return size(int(depth))


def _compress(node: Node, types: Types) -> Sequence[Output]:
    shape, axis = known_shape(types, 0), node.attr("axis")
    check(shape is None or bool(shape))
    if axis is None:
        return ((None,),)
    shape = needed_shape(types, 0)
    axis = normal_axis(axis, len(shape))
    return ((*shape[:axis], None, *shape[axis + 1 :]),)


def _unique(node: Node, types: Types) -> Sequence[Output]:
    shape, axis = known_shape(types, 0), node.attr("axis")
    found: Output = (None,)
    if axis is not None:
        found = shape
        if shape is not None:
            axis = normal_axis(axis, len(shape))
            found = (*shape[:axis], None, *shape[axis + 1 :])
    return (found, (None,), (None,), (None,))


def _non_zero(node: Node, types: Types) -> Sequence[Output]:
    shape = known_shape(types, 0)
    return ((None if shape is None else len(shape), None),)


def _reverse_sequence(node: Node, types: Types) -> Sequence[Output]:
    shape, lengths = needed_shape(types, 0), needed_shape(types, 1)
    check(len(shape) >= 2 and len(lengths) == 1)
    return (shape,)


def _trilu(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    check(len(shape) >= 2)
    return (shape,)


RULES: Mapping[str, Rule] = {
    **family("ScatterElements ScatterND", like_first),
    "Compress": _compress,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "NonZero": _non_zero,
    "OneHot": _one_hot,
    "ReverseSequence": _reverse_sequence,
    "TensorScatter": _tensor_scatter,
    "TopK": _top_k,
    "Trilu": _trilu,
    "Unique": _unique,
}
