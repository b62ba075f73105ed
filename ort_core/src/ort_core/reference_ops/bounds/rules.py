"""How rules for the sizes of outputs are declared, and what they share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, TypeVar

import numpy as np

from ort_core.ir.graph import Node
from ort_core.ir.types import ElementType
from ort_core.values import RuntimeValue, SparseValue

Rule: TypeAlias = Callable[..., int]
"""From the node and its inputs to the bytes of its outputs."""
Counts: TypeAlias = "int | tuple[int, ...]"
"""The elements of each output; of the only one, as a plain number."""

F = TypeVar("F", bound=Callable[..., Any])

RULES: dict[tuple[str, str], Rule] = {}
"""The rules by (domain, op_type)."""

_MAP_ENTRY_BYTES = 16
_LEAST_UNKNOWN_ITEMSIZE = 8


def total_bytes(*op_types: str, domain: str = "") -> Callable[[F], F]:
    """Declares a function from a node and its inputs to the bytes of all its outputs as the rule of some operators."""

    def declare(rule: F) -> F:
        RULES.update({(domain, op_type): rule for op_type in op_types})
        return rule

    return declare


def counts(*op_types: str, domain: str = "") -> Callable[[F], F]:
    """Declares a function from a node and its inputs to the elements of each output as the rule of some operators."""

    def declare(count: F) -> F:
        def rule(node: Node, *inputs: RuntimeValue) -> int:
            return _bytes_of(node, inputs, count(node, *inputs))

        RULES.update({(domain, op_type): rule for op_type in op_types})
        return count

    return declare


def _bytes_of(node: Node, inputs: Iterable[RuntimeValue], elements: Counts) -> int:
    outputs = node.outputs
    if isinstance(elements, int):
        value = outputs[0]
        return 0 if value is None else elements * (_itemsize(value.element) or _widest(inputs))
    return sum(
        count * (_itemsize(value.element) or _widest(inputs))
        for value, count in zip(outputs, elements, strict=False)
        if value is not None
    )


def _itemsize(element: ElementType | None) -> int:
    return 0 if element is None else element.dtype.itemsize


def _widest(inputs: Iterable[RuntimeValue]) -> int:
    """The bytes of an element of an output whose type is not known."""
    sizes: Iterator[int] = (v.dtype.itemsize for v in inputs if isinstance(v, np.ndarray))
    return max((_LEAST_UNKNOWN_ITEMSIZE, *sizes))


def nbytes(value: RuntimeValue) -> int:
    """The bytes of a run-time value."""
    if value is None:
        return 0
    if isinstance(value, list):
        return sum(map(nbytes, value))
    if isinstance(value, dict):
        return _MAP_ENTRY_BYTES * len(value)
    if isinstance(value, SparseValue):
        return int(value.values.nbytes + sum(i.nbytes for i in value.indices))
    return int(value.nbytes)


def map_bytes(entries: int) -> int:
    """The bytes of maps with that many entries together."""
    return _MAP_ENTRY_BYTES * entries


def elements(dims: Iterable[Any]) -> int:
    """The elements of a tensor with those dimensions, in unbounded integers.

    Raises:
        ValueError: a dimension is negative.
    """
    sizes = [int(d) for d in dims]
    if sizes and min(sizes) < 0:
        raise ValueError(f"dimensions {sizes} must not be negative")
    return math.prod(sizes)


def broadcast_shape(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that `shapes` broadcast to, without numpy's limits on size.

    Raises:
        ValueError: they do not broadcast.
    """
    first = shapes[0]
    if all(s == first for s in shapes):
        return first
    rank = max(map(len, shapes))
    result = [1] * rank
    for shape in shapes:
        for i, dim in enumerate(shape, rank - len(shape)):
            if dim != 1 and dim != result[i]:
                if result[i] != 1:
                    raise ValueError(f"shapes {shapes} do not broadcast")
                result[i] = dim
    return tuple(result)


def scalar(value: np.ndarray) -> int:
    """The one element of a tensor of integers."""
    return int(value.reshape(-1)[0])
