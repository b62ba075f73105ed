"""What the rules share: access to shapes and constants as ONNX's inference sees them, and its arithmetic of dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ort_core.infer.constants import constant_weight
from ort_core.ir.attributes import SparseWeight
from ort_core.ir.graph import Node, Value
from ort_core.ir.proto_tensors import STRIP_BYTES
from ort_core.ir.shapes import Dim, Shape
from ort_core.ir.tensors import WeightRef
from ort_core.ir.types import ElementType, TensorType, ValueType

Types: TypeAlias = "Sequence[TensorType | None]"
"""The types of a node's inputs; None for those that are left out."""

Output: TypeAlias = "Shape | ValueType | None"
"""The type of an output, or only its shape (None for an unknown rank) where the schema tells the element type."""

Rule: TypeAlias = Callable[[Node, Types], Sequence[Output]]
"""From a node and its input types to its outputs, of which there may be more than the node has."""

UNKNOWN_RANKS: tuple[None, ...] = (None,) * 8
MAX_RANK = 64
_INT64_MAX = (1 << 63) - 1


class UndecidedError(Exception):
    """The rules do not tell, or the node might be wrong."""


class UnknownRankError(Exception):
    """ONNX infers no shape of any output, since something it needs is unknown."""


def known_shape(types: Types, index: int) -> Shape | None:
    """The shape of an input, None if it is left out or its rank is unknown."""
    type_ = types[index] if index < len(types) else None
    return None if type_ is None else type_.shape


def needed_shape(types: Types, index: int) -> Shape:
    """The shape of an input without which no output has one."""
    shape = known_shape(types, index)
    if shape is None:
        raise UnknownRankError
    return shape


def has_input(node: Node, index: int) -> bool:
    """Whether the node has the optional input."""
    return index < len(node.inputs) and node.inputs[index] is not None


def check(condition: bool) -> None:
    """Leaves the node to ONNX unless the condition holds."""
    if not condition:
        raise UndecidedError


def constant(node: Node, index: int) -> np.ndarray | None:
    """The contents of an input that inference knows: those of a small constant."""
    value = node.inputs[index] if index < len(node.inputs) else None
    weight = None if value is None else _weight(value)
    if not isinstance(weight, WeightRef) or weight.nbytes > STRIP_BYTES or weight.element is ElementType.STRING:
        return None
    return weight.array()


def _weight(value: Value) -> WeightRef | SparseWeight | None:
    producer = value.producer
    if producer is not None and producer.op_type == "Constant" and not producer.domain:
        return constant_weight(producer)
    return value.const if value.is_constant else None


def integers(node: Node, index: int, dtypes: Sequence[str] = ("int64",)) -> list[int] | None:
    """The elements of a constant input in order, or None if they are unknown."""
    array = constant(node, index)
    if array is None:
        return None
    check(array.dtype.name in dtypes)
    items: list[int] = array.reshape(-1).tolist()
    return items


def elements(node: Node, index: int, name: str, dtypes: Sequence[str] = ("int64",)) -> list[int] | None:
    """The elements of a constant input, or of the attribute that older versions have for it; None if they are unknown."""
    given = node.attr(name)
    return integers(node, index, dtypes) if given is None else list(given)


def has_elements(node: Node, index: int, name: str) -> bool:
    """Whether the node has the input, or the attribute that older versions have for it."""
    return has_input(node, index) or name in node.attributes


def normal_axis(axis: int, rank: int) -> int:
    """The axis counted from the front."""
    check(-rank <= axis < rank)
    return axis % rank


def distinct_axes(axes: Sequence[int], rank: int) -> list[int]:
    """The axes counted from the front, in their order, none of them twice."""
    normal = [normal_axis(axis, rank) for axis in axes]
    check(len(set(normal)) == len(normal))
    return normal


def size(value: int) -> int:
    """A size that is computed, which must be possible."""
    check(0 <= value <= _INT64_MAX)
    return value


def unify(known: Dim, other: Dim) -> Dim:
    """Of two dimensions that must be equal, the one that says more; `known` if both are names."""
    if isinstance(known, int):
        check(not isinstance(other, int) or other == known)
        return known
    return other if isinstance(other, int) or known is None else known


def product(dims: Sequence[Dim]) -> Dim:
    """The product of dimensions, None if it has no name."""
    rest = [d for d in dims if d != 1]
    if len(rest) == 1:
        return rest[0]
    sizes = [d for d in rest if isinstance(d, int)]
    return size(math.prod(sizes)) if len(sizes) == len(rest) else None


def times(dim: Dim, factor: int) -> Dim:
    """The dimension `factor` times."""
    return size(dim * factor) if isinstance(dim, int) else dim if factor == 1 else None


def over(dim: Dim, divisor: int) -> Dim:
    """The dimension divided and rounded down."""
    return dim // divisor if isinstance(dim, int) else dim if divisor == 1 else None


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape of several broadcast together; None for a dimension that may be one of several."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    return tuple(_broadcast_dims(column) for column in zip(*padded, strict=True))


def _broadcast_dims(dims: Sequence[Dim]) -> Dim:
    sizes = {d for d in dims if isinstance(d, int) and d != 1}
    check(len(sizes) < 2)
    if sizes:
        return sizes.pop()
    names = {d for d in dims if not isinstance(d, int)}
    return 1 if not names else names.pop() if len(names) == 1 else None


def like_first(node: Node, types: Types) -> Sequence[Output]:
    """The shape of the first input."""
    return (known_shape(types, 0),)


def without_shape(node: Node, types: Types) -> Sequence[Output]:
    """No shape: ONNX tells no more than the element type."""
    return UNKNOWN_RANKS


def element_of(code: Any) -> ElementType:
    """The element type of that number."""
    try:
        return ElementType(code)
    except ValueError as error:
        raise UndecidedError from error


def family(operators: str, rule: Rule) -> dict[str, Rule]:
    """The same rule for each of the operators."""
    return dict.fromkeys(operators.split(), rule)
