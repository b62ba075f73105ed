"""What fusion passes ask of a graph before they rewrite it: producers, constants, shapes, and who else uses a value."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.rewrite import constant_array
from ort_core.ir.types import ElementType

HALVES = frozenset({ElementType.FLOAT16, ElementType.BFLOAT16})
SINGLE = frozenset({ElementType.FLOAT}) | HALVES
"""The element types that kernels compute in float32."""

_SMALL_BYTES = 1 << 16


def made_by(value: Value | None, *op_types: str, domain: str = "") -> Node | None:
    """The node of one of these operators that computes `value` as its first output, or None."""
    node = None if value is None else value.producer
    if node is None or node.op_type not in op_types or node.domain != domain or node.outputs[0] is not value:
        return None
    return node


def rank_of(value: Value | None) -> int | None:
    """The number of dimensions, or None while it is unknown."""
    return None if value is None or value.shape is None else len(value.shape)


def last_size(value: Value | None) -> int | None:
    """The size of the last dimension if it is known."""
    size = value.shape[-1] if value is not None and value.shape else None
    return size if isinstance(size, int) else None


def is_closed(nodes: Iterable[Node], root: Node) -> bool:
    """Whether all nodes are in one graph and nothing but them uses what those other than `root` compute."""
    members = {root, *nodes}
    return all(node.graph is root.graph for node in members) and all(
        use.user in members
        for node in members
        if node is not root
        for v in node.outputs
        if v is not None
        for use in v.uses
    )


def small_constant(value: Value | None) -> np.ndarray | None:
    """The array of a constant of at most 64 KiB."""
    return constant_array(value, _SMALL_BYTES)


def scalar(value: Value | None, rank: int | None = None) -> float | None:
    """The number that a constant of one element holds.

    Args:
        rank: of the tensor that it is combined with; a constant of more dimensions would add dimensions to the result.
    """
    if value is None or value.const is None or value.shape is None or len(value.shape) > (rank or 0):
        return None
    array = small_constant(value)
    if array is None or array.size != 1 or array.dtype.kind in "OcU":
        return None
    return float(array.reshape(-1)[0])


def integers(value: Value | None) -> tuple[int, ...] | None:
    """The integers of a constant vector or scalar."""
    array = small_constant(value)
    if array is None or array.dtype.kind not in "iu":
        return None
    return tuple(int(i) for i in array.reshape(-1))


def near(number: float | None, expected: float, element: ElementType | None = ElementType.FLOAT, ulps: int = 4) -> bool:
    """Whether a constant is `expected` but for rounding in the arithmetic of `element`."""
    if number is None or element is None:
        return False
    eps = {ElementType.FLOAT16: 2**-10, ElementType.BFLOAT16: 2**-7, ElementType.DOUBLE: 2**-52}.get(element, 2**-23)
    return abs(number - expected) <= ulps * eps * abs(expected)


def scaled(node: Node | None) -> tuple[Value, float] | None:
    """(x, c) if the node computes `x * c` with a constant number c, finite and not 0; division counts as multiplication."""
    found = _scaled(node)
    return found if found is not None and found[1] != 0 and math.isfinite(found[1]) else None


def _scaled(node: Node | None) -> tuple[Value, float] | None:
    if node is None or node.domain or node.op_type not in {"Mul", "Div"}:
        return None
    left, right = node.inputs
    if left is None or right is None:
        return None
    if (number := scalar(right, rank_of(left))) is not None:
        if node.op_type == "Mul":
            return left, number
        return (left, 1.0 / number) if number else None
    if node.op_type == "Mul" and (number := scalar(left, rank_of(right))) is not None:
        return right, number
    return None


def operands(node: Node, value: Value) -> Value | None:
    """The other operand of a node of two inputs, one of which is `value`."""
    left, right = node.inputs
    return right if left is value else left if right is value else None


def sizes_equal(a: Any, b: Any) -> bool:
    """Whether two dimensions are known to be the same: equal numbers or the same symbol."""
    return a is not None and a == b


def reduces_last_axis(node: Node) -> bool:
    """Whether a reduction is over the last axis alone and keeps it as a dimension of 1."""
    if node.attr("keepdims", 1) != 1:
        return False
    axes = integers(node.inputs[1]) if len(node.inputs) > 1 else None
    rank = rank_of(node.inputs[0])
    return axes is not None and (axes == (-1,) or (rank is not None and axes == (rank - 1,)))


def as_row(value: Value | None, size: int, rank: int | None) -> bool:
    """Whether `value` has shape [1, ..., 1, size] with at most `rank` dimensions: adding it changes no shape."""
    if value is None or not value.shape or rank is None or len(value.shape) > rank:
        return False
    return value.shape[-1] == size and all(d == 1 for d in value.shape[:-1])


def nodes_of(graph: Graph, op_types: Collection[str], domain: str = "") -> Iterable[Node]:
    """The nodes of these operators, in a snapshot; those that a rewrite has removed meanwhile are left out."""
    for node in graph.nodes:
        if node.op_type in op_types and node.domain == domain and node.graph is not None:
            yield node


def same_shape(a: Value, b: Value) -> bool:
    """Whether the two are known to have the same shape."""
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape):
        return False
    return all(sizes_equal(x, y) for x, y in zip(a.shape, b.shape, strict=True))


def likely_same_shape(a: Value, b: Value) -> bool:
    """Whether the two are of one rank and last size, and nothing says that their sizes differ: symbols may be equal."""
    if a.shape is None or b.shape is None or len(a.shape) != len(b.shape) or last_size(a) is None:
        return False
    pairs = list(zip(a.shape, b.shape, strict=True))
    return a.shape[-1] == b.shape[-1] and all(sizes_equal(x, y) or {type(x), type(y)} == {str} for x, y in pairs)
