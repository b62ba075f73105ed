"""Pooling: MaxPool, AveragePool, LpPool, the global pools, and MaxUnpool."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from ort_core.ir.graph import Node
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import cast, mean, on_axis, widen
from ort_core.reference_ops.kernels.windows import Axis, pad_spatial, reduce_windows, sliding_axes, window_taps


@kernel("MaxPool")
class MaxPool:
    """Y = the maximum over each window of X [N, C, *spatial]; Indices int64 into the flat X. Source: ONNX MaxPool."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        kernel_shape: Sequence[int],
        auto_pad: str = "NOTSET",
        ceil_mode: int = 0,
        dilations: Sequence[int] | None = None,
        pads: Sequence[int] | None = None,
        storage_order: int = 0,
        strides: Sequence[int] | None = None,
    ) -> None:
        """Keeps the attributes, and whether the node wants indices."""
        self._geometry = (kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
        self._column_major = bool(storage_order)
        self._wants_indices = len(node.outputs) > 1 and node.outputs[1] is not None

    def run(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """Computes the pool."""
        axes = sliding_axes(x.shape[2:], *self._geometry)
        lowest = lowest_value(x.dtype)
        padded = pad_spatial(x, axes, lowest)
        if not self._wants_indices:
            return (reduce_windows(np.maximum, padded, axes, lowest),)
        shape = (*x.shape[:2], *(a.out for a in axes))
        y = np.full(shape, lowest, x.dtype)
        indices = np.full(shape, -1, np.int64)
        for position, region in window_taps(axes):
            candidate = padded[region]
            inside, index = _tap_index(position, axes, column_major=self._column_major)
            better = inside & ((candidate > y) | (indices < 0))
            np.copyto(y, candidate, where=better)
            np.copyto(indices, index, where=better)
        offsets = np.arange(x.shape[0] * x.shape[1], dtype=np.int64) * math.prod(x.shape[2:])
        indices += offsets.reshape(*x.shape[:2], *(1,) * len(axes))
        return y, indices


def lowest_value(dtype: np.dtype) -> object:
    """What every number of a dtype is at least."""
    if dtype.kind in "iu":
        return np.iinfo(dtype).min
    return False if dtype.kind == "b" else -np.inf


def _tap_index(position: Sequence[int], axes: Sequence[Axis], *, column_major: bool) -> tuple[np.ndarray, np.ndarray]:
    """For one kernel position and every window: whether it is inside the input, and if so its index in one image."""
    places = [p * a.dilation - a.begin + np.arange(a.out) * a.stride for p, a in zip(position, axes, strict=True)]
    grids, dims = np.ix_(*places), [max(a.size, 1) for a in axes]
    inside = [(g >= 0) & (g < a.size) for g, a in zip(grids, axes, strict=True)]
    index = np.ravel_multi_index(grids, dims, mode="clip", order="F" if column_major else "C")
    return functools.reduce(np.logical_and, inside), index


@kernel("AveragePool")
def average_pool(
    x: np.ndarray,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> np.ndarray:
    """Y = the mean over each window of X [N, C, *spatial]; padding counts if `count_include_pad`. Source: ONNX AveragePool."""
    axes = sliding_axes(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    y = _sum_windows(widen(x), axes)
    for i, axis in enumerate(axes):
        y /= on_axis(_counts(axis, include_pad=bool(count_include_pad)).astype(y.dtype), i, len(axes))
    return cast(y, x.dtype)


def _counts(axis: Axis, *, include_pad: bool) -> np.ndarray:
    places = np.arange(axis.out)[:, None] * axis.stride - axis.begin + np.arange(axis.kernel) * axis.dilation
    low, high = (-axis.begin, axis.size + axis.end) if include_pad else (0, axis.size)
    return np.asarray(np.maximum(1, ((places >= low) & (places < high)).sum(axis=1)))


def _sum_windows(x: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    return reduce_windows(np.add, pad_spatial(x, axes), axes, 0)


@kernel("LpPool")
def lp_pool(
    x: np.ndarray,
    *,
    kernel_shape: Sequence[int],
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    dilations: Sequence[int] | None = None,
    p: int = 2,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> np.ndarray:
    """Y = (sum |X|^p)^(1/p) over each window of X [N, C, *spatial]. Source: ONNX LpPool."""
    _check_power(p)
    axes = sliding_axes(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    sums = _sum_windows(np.abs(widen(x)) ** p, axes)
    return cast(sums ** (1.0 / p), x.dtype)


@kernel("GlobalMaxPool")
def global_max_pool(x: np.ndarray) -> np.ndarray:
    """Y [N, C, 1, ...] = the maximum over the spatial axes of X [N, C, *spatial]. Source: ONNX GlobalMaxPool."""
    result: np.ndarray = x.max(axis=tuple(range(2, x.ndim)), keepdims=True)
    return result


@kernel("GlobalAveragePool")
def global_average_pool(x: np.ndarray) -> np.ndarray:
    """Y [N, C, 1, ...] = the mean over the spatial axes of X [N, C, *spatial]. Source: ONNX GlobalAveragePool."""
    return cast(mean(widen(x), tuple(range(2, x.ndim))), x.dtype)


@kernel("GlobalLpPool")
def global_lp_pool(x: np.ndarray, *, p: int = 2) -> np.ndarray:
    """Y [N, C, 1, ...] = (sum |X|^p)^(1/p) over the spatial axes of X [N, C, *spatial]. Source: ONNX GlobalLpPool."""
    _check_power(p)
    sums = (np.abs(widen(x)) ** p).sum(axis=tuple(range(2, x.ndim)), keepdims=True)
    return cast(sums ** (1.0 / p), x.dtype)


def unpooled_sizes(
    sizes: Sequence[int], kernel_shape: Sequence[int], strides: Sequence[int] | None, pads: Sequence[int] | None
) -> list[int]:
    """The spatial sizes that a pool makes `sizes` of.

    Raises:
        ValueError: the attributes do not fit the rank, or leave nothing.
    """
    rank = len(sizes)
    strides, pads = strides or (1,) * rank, pads or (0,) * (2 * rank)
    if len(kernel_shape) != rank or len(strides) != rank or len(pads) != 2 * rank:
        raise ValueError(
            f"kernel_shape {kernel_shape}, strides {strides} and pads {pads} do not fit {rank} spatial axes"
        )
    out = [(sizes[i] - 1) * strides[i] - pads[i] - pads[rank + i] + kernel_shape[i] for i in range(rank)]
    if min(out, default=1) < 1:
        raise ValueError(f"pads {pads} leave nothing of {out}")
    return out


@kernel("MaxUnpool")
def max_unpool(
    x: np.ndarray,
    indices: np.ndarray,
    output_shape: np.ndarray | None = None,
    *,
    kernel_shape: Sequence[int],
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> np.ndarray:
    """Y = zeros with X [N, C, *spatial] at the flat `indices` into the tensor that was pooled.

    A larger output_shape adds zeros after each axis. Source: ONNX MaxUnpool.
    """
    pooled = (*x.shape[:2], *unpooled_sizes(x.shape[2:], kernel_shape, strides, pads))
    if indices.shape != x.shape or ((indices < 0) | (indices >= math.prod(pooled))).any():
        raise IndexError(f"indices of shape {indices.shape} must be like X {x.shape} and point into a tensor {pooled}")
    y = np.zeros(pooled, x.dtype)
    y.reshape(-1)[indices.reshape(-1)] = x.reshape(-1)
    if output_shape is None:
        return y
    extra = output_shape.astype(np.int64) - pooled if output_shape.shape == (x.ndim,) else np.array([-1])
    if (extra < 0).any():
        raise ValueError(f"output_shape {output_shape.tolist()} does not hold a tensor {pooled}")
    return np.pad(y, [(0, int(n)) for n in extra])


def _check_power(p: int) -> None:
    if p < 1:
        raise ValueError(f"p is {p}, must be at least 1")
