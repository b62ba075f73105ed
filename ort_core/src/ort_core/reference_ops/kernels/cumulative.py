"""Running sums and products: CumSum and CumProd."""

from __future__ import annotations

import numpy as np

from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import axis_index, cast, widen


@kernel("CumSum")
def cum_sum(x: np.ndarray, axis: np.ndarray, *, exclusive: int = 0, reverse: int = 0) -> np.ndarray:
    """Y = the sums of X up to each index of `axis`, without it if `exclusive`, from the end if `reverse`.

    Source: ONNX CumSum.
    """
    return _accumulate(np.add, x, axis, exclusive=bool(exclusive), reverse=bool(reverse))


@kernel("CumProd")
def cum_prod(x: np.ndarray, axis: np.ndarray, *, exclusive: int = 0, reverse: int = 0) -> np.ndarray:
    """Y = the products of X up to each index of `axis`, without it if `exclusive`, from the end if `reverse`.

    Source: ONNX CumProd.
    """
    return _accumulate(np.multiply, x, axis, exclusive=bool(exclusive), reverse=bool(reverse))


def _accumulate(ufunc: np.ufunc, x: np.ndarray, axis: np.ndarray, *, exclusive: bool, reverse: bool) -> np.ndarray:
    if axis.size != 1:
        raise ValueError(f"axis must be one number, got shape {axis.shape}")
    data = np.moveaxis(widen(x), axis_index(int(axis.reshape(-1)[0]), x.ndim), 0)
    data = data[::-1] if reverse else data
    if exclusive and len(data):
        data = np.concatenate([np.full_like(data[:1], ufunc.identity), data[:-1]])
    total = ufunc.accumulate(data, axis=0, dtype=data.dtype)
    total = total[::-1] if reverse else total
    return cast(np.moveaxis(total, 0, axis_index(int(axis.reshape(-1)[0]), x.ndim)), x.dtype)
