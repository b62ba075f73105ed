"""Sizes of dimensions as products of a number and symbols, and what shapes that a graph computes are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ort_core.ir.graph import Node, Value
from ort_provider_cpu.passes._match import integers, made_by, small_constant

_MAX_DEPTH = 16


class Size(NamedTuple):
    """`number` times the symbols, which are sorted."""

    number: int
    symbols: tuple[str, ...] = ()


def size_of_dim(dim: Any) -> Size | None:
    """A dimension of a type."""
    if isinstance(dim, int):
        return Size(dim)
    return Size(1, (dim,)) if isinstance(dim, str) else None


def times(*sizes: Size | None) -> Size | None:
    """The product, None if a factor is unknown."""
    number = 1
    symbols: list[str] = []
    for size in sizes:
        if size is None:
            return None
        number *= size.number
        symbols += size.symbols
    return Size(number, tuple(sorted(symbols)))


def reshapes_to(node: Node, wanted: Sequence[Size | None]) -> bool:
    """Whether a Reshape of a tensor of as many elements gives the shape `wanted`.

    All but one dimension must be known to agree: the last one follows from the number of elements.
    """
    source, result = node.inputs[0], node.outputs[0]
    if source is None or result is None or result.shape is None or len(result.shape) != len(wanted):
        return False
    targets = _elements(node.inputs[1], _MAX_DEPTH) or [None] * len(wanted)
    if len(targets) != len(wanted):
        return False
    open_ones = 0
    for axis, (dim, target, size) in enumerate(zip(result.shape, targets, wanted, strict=True)):
        known = size_of_dim(dim)
        copies = target == Size(0) and node.attr("allowzero", 0) == 0
        asked = _dim(source, axis) if copies else target
        if size is None or size not in {known, asked}:
            open_ones += 1
            if size is not None and known is not None and not (known.symbols or size.symbols):
                return False
    return open_ones <= 1


def _dim(value: Value, axis: int) -> Size | None:
    return size_of_dim(value.shape[axis]) if value.shape is not None and axis < len(value.shape) else None


def _elements(value: Value | None, depth: int) -> list[Size | None] | None:
    """The elements of a vector of sizes; None for those that are unknown."""
    if (numbers := integers(value)) is not None:
        return [Size(i) if i >= 0 else None for i in numbers]
    if (shape := made_by(value, "Shape")) is not None:
        return _dims(shape)
    joined = made_by(value, "Concat")
    if joined is None:
        return None
    found: list[Size | None] = []
    for part in joined.inputs:
        if part is None or part.shape is None or len(part.shape) != 1 or not isinstance(part.shape[0], int):
            return None
        if (numbers := integers(part)) is not None:
            found += [Size(i) if i >= 0 else None for i in numbers]
        elif part.shape[0] == 1:
            found.append(_number(part, depth))
        else:
            found += [None] * part.shape[0]
    return found


def _dims(shape: Node) -> list[Size | None] | None:
    source = shape.inputs[0]
    if source is None or source.shape is None or shape.attr("start", 0) != 0 or shape.attr("end") is not None:
        return None
    return [size_of_dim(d) for d in source.shape]


def _number(value: Value | None, depth: int) -> Size | None:
    """The size that a tensor of one element holds."""
    array = small_constant(value)
    if array is not None:
        return Size(int(array.reshape(-1)[0])) if array.size == 1 and array.dtype.kind in "iu" else None
    node = None if value is None else value.producer
    if node is None or node.domain or node.outputs[0] is not value or depth == 0:
        return None
    if node.op_type in {"Unsqueeze", "Squeeze", "Identity"}:
        return _number(node.inputs[0], depth - 1)
    if node.op_type == "Mul":
        return times(_number(node.inputs[0], depth - 1), _number(node.inputs[1], depth - 1))
    shape, index = (
        (made_by(node.inputs[0], "Shape"), integers(node.inputs[1])) if node.op_type == "Gather" else (None,) * 2
    )
    dims = None if shape is None else _dims(shape)
    if dims is None or index is None or len(index) != 1 or not -len(dims) <= index[0] < len(dims):
        return None
    return dims[index[0]]
