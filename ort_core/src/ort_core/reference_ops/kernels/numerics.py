"""What kernels share: the number formats they compute in, axes, and formulas."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

MAX_COUNT = 1 << 60
"""Elements of the largest array that there may be."""


def widen(x: np.ndarray) -> np.ndarray:
    """`x`, with floats of at most 16 bits as float32: sums lose too much in them, and BLAS has no such type."""
    return x.astype(np.float32) if x.dtype.itemsize <= 2 and "float" in x.dtype.name else x


def cast(y: Any, dtype: np.dtype) -> np.ndarray:
    """`y` as an array of a type; itself where it is one."""
    result: np.ndarray = np.asarray(y).astype(dtype, copy=False)
    return result


def mean(x: np.ndarray, axes: tuple[int, ...], *, keepdims: bool = True) -> np.ndarray:
    """The mean over `axes` in the type of `x`; NaN over nothing, without the warning of `numpy.mean`."""
    total = x.sum(axis=axes, keepdims=keepdims, dtype=x.dtype)
    result: np.ndarray = total / np.float64(math.prod(x.shape[a] for a in axes)).astype(total.dtype)
    return result


def axis_index(axis: int, rank: int) -> int:
    """`axis` counted from the front.

    Raises:
        ValueError: there is no such axis.
    """
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for rank {rank}")
    return axis % rank if rank else 0


def reduced_axes(axes: np.ndarray | None, rank: int, *, noop: int) -> tuple[int, ...]:
    """The axes that a reduction runs over: all of them when `axes` is absent or empty, or none if `noop`."""
    if axes is None or axes.size == 0:
        return () if noop else tuple(range(rank))
    return tuple(axis_index(int(a), rank) for a in axes)


def clamped_slice(start: int, end: int, step: int, size: int) -> slice:
    """The slice that ONNX Slice takes of an axis of `size`. `step` is not zero."""
    if size == 0:
        return slice(0, 0)
    start, end = start + size * (start < 0), end + size * (end < 0)
    if step > 0:
        return slice(min(max(start, 0), size), min(max(end, 0), size), step)
    stop = min(max(end, -1), size - 1)
    return slice(min(max(start, 0), size - 1), None if stop < 0 else stop, step)


def check_count(count: int) -> int:
    """The count, if an array may have so many elements: of more, `np.arange` makes an empty one.

    Raises:
        MemoryError: it may not.
    """
    if count > MAX_COUNT:
        raise MemoryError(f"{count} elements are more than any memory holds")
    return count


def on_axis(values: np.ndarray, axis: int, rank: int) -> np.ndarray:
    """`values`, one for each index of `axis` (not negative), shaped to broadcast against a tensor of `rank`."""
    return values.reshape(-1, *(1,) * (rank - axis - 1))


def cubic_weight(distance: np.ndarray, a: float) -> np.ndarray:
    """The weight of a pixel at a distance in cubic convolution with the coefficient `a`. Source: Keys, 1981."""
    d = np.abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d >= 2, 0, far))
