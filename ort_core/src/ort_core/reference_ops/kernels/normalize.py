"""Normalisations and means computed in at least float32, and LogSoftmax and ReduceLogSumExp without underflow."""

from __future__ import annotations

import numpy as np

from ort_core.ir.types import ElementType
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import axis_index, cast, mean, on_axis, reduced_axes, widen


@kernel("LogSoftmax")
def log_softmax(x: np.ndarray, *, axis: int = -1) -> np.ndarray:
    """Y = X - max - log(sum(exp(X - max))) along `axis`. Source: ONNX LogSoftmax."""
    if x.size == 0:
        return x
    shifted = widen(x) - widen(x.max(axis=axis, keepdims=True))
    return cast(shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True)), x.dtype)


@kernel("ReduceMean")
def reduce_mean(
    data: np.ndarray, axes: np.ndarray | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> np.ndarray:
    """Y = sum(X) / count over `axes`, over all when empty unless `noop_with_empty_axes`; integers round towards zero.

    Source: ONNX ReduceMean.
    """
    over = reduced_axes(axes, data.ndim, noop=noop_with_empty_axes)
    x = data.astype(np.float64) if data.dtype.kind in "iu" else widen(data)
    return cast(mean(x, over, keepdims=bool(keepdims)), data.dtype)


@kernel("ReduceLogSumExp")
def reduce_log_sum_exp(
    data: np.ndarray, axes: np.ndarray | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> np.ndarray:
    """Y = log(sum(exp(X))) over `axes`, over all when empty unless `noop_with_empty_axes`. Source: ONNX ReduceLogSumExp."""
    over = reduced_axes(axes, data.ndim, noop=noop_with_empty_axes)
    x = widen(data)
    peak = x.max(axis=over, keepdims=True, initial=-np.inf)
    safe = np.where(np.isfinite(peak), peak, 0)
    total = np.log(np.exp(x - safe).sum(axis=over, keepdims=True)) + safe
    return cast(total if keepdims else total.squeeze(axis=over), data.dtype)


@kernel("LayerNormalization")
def layer_normalization(
    x: np.ndarray,
    scale: np.ndarray,
    b: np.ndarray | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y = (X - mean) / sqrt(var + epsilon) * scale + B over the axes from `axis`; also mean and 1 / sqrt(...).

    Source: ONNX LayerNormalization.
    """
    stash = ElementType(stash_type).dtype
    over = tuple(range(axis_index(axis, x.ndim), x.ndim))
    wide = x.astype(stash)
    average = mean(wide, over)
    centred = wide - average
    inverse = 1 / np.sqrt(mean(np.square(centred), over) + stash.type(epsilon))
    y = (centred * inverse).astype(x.dtype) * scale
    if b is not None:
        y = y + b
    return cast(y, x.dtype), average, inverse


@kernel("RMSNormalization")
def rms_normalization(
    x: np.ndarray, scale: np.ndarray, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> np.ndarray:
    """Y = X / sqrt(mean(X^2) + epsilon) * scale over the axes from `axis`. Source: ONNX RMSNormalization."""
    stash = ElementType(stash_type).dtype
    over = tuple(range(axis_index(axis, x.ndim), x.ndim))
    wide = x.astype(stash)
    inverse = 1 / np.sqrt(mean(np.square(wide), over) + stash.type(epsilon))
    return cast((wide * inverse).astype(x.dtype) * scale, scale.dtype)


@kernel("InstanceNormalization")
def instance_normalization(x: np.ndarray, scale: np.ndarray, b: np.ndarray, *, epsilon: float = 1e-5) -> np.ndarray:
    """Y = (X - mean) / sqrt(var + epsilon) * scale + B over the spatial axes of X [N, C, *spatial].

    Source: ONNX InstanceNormalization.
    """
    over, wide = tuple(range(2, x.ndim)), widen(x)
    centred = wide - mean(wide, over)
    inverse = 1 / np.sqrt(mean(np.square(centred), over) + epsilon)
    return cast(centred * inverse * on_axis(scale, 1, x.ndim) + on_axis(b, 1, x.ndim), x.dtype)


@kernel("LRN")
def lrn(x: np.ndarray, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> np.ndarray:
    """Y = X / (bias + alpha / size * sum of X^2 over `size` neighbouring channels)^beta. Source: ONNX LRN."""
    squares = np.square(widen(x))
    before, after = (size - 1) // 2, size // 2
    channels = x.shape[1]
    total = np.zeros_like(squares)
    for offset in range(-min(before, channels - 1), min(after, channels - 1) + 1):
        low, high = max(0, -offset), min(channels, channels - offset)
        total[:, low:high] += squares[:, low + offset : high + offset]
    return cast(widen(x) / (bias + alpha / size * total) ** beta, x.dtype)


@kernel("LpNormalization")
def lp_normalization(x: np.ndarray, *, axis: int = -1, p: int = 2) -> np.ndarray:
    """Y = X / (sum |X|^p)^(1/p) along `axis`, 0 where that is 0. Source: ONNX LpNormalization."""
    wide = widen(x)
    norm = (np.abs(wide) ** p).sum(axis=axis, keepdims=True) ** (1.0 / p)
    return cast(np.where(norm == 0, 0, wide / norm), x.dtype)
