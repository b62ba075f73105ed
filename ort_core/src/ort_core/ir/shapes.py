"""Shapes with known, symbolic and unknown dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

Dim: TypeAlias = "int | str | None"
"""A size, the name of a symbolic size, or None for an unknown one."""

Shape: TypeAlias = "tuple[Dim, ...]"


def format_shape(shape: Iterable[Dim] | None) -> str:
    """`[N, 3, ?, 224]`; an unknown rank prints as `[...]`."""
    if shape is None:
        return "[...]"
    return "[" + ", ".join("?" if d is None else str(d) for d in shape) + "]"


def is_static(shape: Shape | None) -> bool:
    """Whether every dimension is a known size."""
    return shape is not None and all(isinstance(d, int) for d in shape)


def merge_shapes(a: Shape | None, b: Shape | None) -> Shape | None:
    """The more precise of two descriptions of one shape; where both know a dimension `a` wins.

    A rank that differs keeps `a`: the caller decides whether that is an error.
    """
    if a is None or b is None:
        return b if a is None else a
    if len(a) != len(b):
        return a
    return tuple(_merge_dims(x, y) for x, y in zip(a, b, strict=True))


def _merge_dims(a: Dim, b: Dim) -> Dim:
    if isinstance(a, int):
        return a
    if isinstance(b, int) or a is None:
        return b
    return a


def compatible(a: Shape | None, b: Shape | None) -> bool:
    """Whether some concrete shape fits both descriptions."""
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(
        x == y or not isinstance(x, int) or not isinstance(y, int) for x, y in zip(a, b, strict=True)
    )
