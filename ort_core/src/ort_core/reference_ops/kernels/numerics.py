"""Number formats in which kernels compute."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def is_narrow_float(dtype: np.dtype) -> bool:
    """Whether a dtype is a float of at most 16 bits; those of ml_dtypes have kind V."""
    return dtype.itemsize <= 2 and (dtype.kind == "f" or (dtype.kind == "V" and "float" in dtype.name))


def widen(x: np.ndarray) -> np.ndarray:
    """`x`, with floats of at most 16 bits as float32: sums lose too much in them, and BLAS has no such type."""
    return x.astype(np.float32) if is_narrow_float(x.dtype) else x


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


def integer_matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The matrix product of arrays of 8-bit integers less their zero points, as int32.

    In float64, which is exact here and which BLAS multiplies; numpy has no fast product of integers.
    """
    product: np.ndarray = np.matmul(a.astype(np.float64, copy=False), b.astype(np.float64, copy=False))
    wrapped: np.ndarray = product.astype(np.int64).astype(np.int32)
    return wrapped
