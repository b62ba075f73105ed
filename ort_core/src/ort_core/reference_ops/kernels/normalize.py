"""Normalisations and means computed in at least float32, and LogSoftmax and ReduceLogSumExp without underflow."""

from __future__ import annotations

from collections.abc import Sequence

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
    if size < 1 or x.ndim < 3:
        raise ValueError(f"size is {size} for X of shape {x.shape}, must be at least 1 for [N, C, ...]")
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
    if p not in (1, 2):
        raise ValueError(f"p is {p}, must be 1 or 2")
    wide = widen(x)
    norm = (np.abs(wide) ** p).sum(axis=axis, keepdims=True) ** (1.0 / p)
    return cast(np.where(norm == 0, 0, wide / norm), x.dtype)


@kernel("MeanVarianceNormalization")
def mean_variance_normalization(x: np.ndarray, *, axes: Sequence[int] = (0, 2, 3)) -> np.ndarray:
    """Y = (X - mean) / (deviation + 1e-9) over `axes`. Source: ONNX MeanVarianceNormalization."""
    over, wide = tuple(axis_index(a, x.ndim) for a in axes), widen(x)
    centred = wide - mean(wide, over)
    return cast(centred / (np.sqrt(mean(np.square(centred), over)) + wide.dtype.type(1e-9)), x.dtype)


@kernel("BatchNormalization")
def batch_normalization(
    x: np.ndarray,
    scale: np.ndarray,
    b: np.ndarray,
    input_mean: np.ndarray,
    input_var: np.ndarray,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> tuple[np.ndarray, ...]:
    """Y = (X - mean) / sqrt(var + epsilon) * scale + B for each channel of X [N, C, ...].

    Mean and variance are the inputs, or in training mode those of X; that also gives the running mean and variance.
    Source: ONNX BatchNormalization.
    """
    wide, rank = widen(x), max(x.ndim, 2)
    average, variance = widen(input_mean), widen(input_var)
    running: tuple[np.ndarray, ...] = ()
    if training_mode:
        over = tuple(a for a in range(x.ndim) if a != 1)
        now = mean(wide, over, keepdims=False)
        spread = mean(np.square(wide - on_axis(now, 1, rank)), over, keepdims=False)
        running = tuple(
            cast(old * momentum + new * (1 - momentum), input_mean.dtype)
            for old, new in ((average, now), (variance, spread))
        )
        average, variance = now, spread
    factor = widen(scale) / np.sqrt(variance + epsilon)
    y = (wide - on_axis(average, 1, rank)) * on_axis(factor, 1, rank) + on_axis(widen(b), 1, rank)
    return (cast(y, x.dtype), *running)
