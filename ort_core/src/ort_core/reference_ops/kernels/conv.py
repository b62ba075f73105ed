"""Convolutions: Conv, ConvInteger, ConvTranspose, Col2Im."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import cast, on_axis, widen
from ort_core.reference_ops.kernels.windows import (
    Axis,
    check_kernel_shape,
    pad_spatial,
    sliding_axes,
    window_taps,
    window_view,
)


@kernel("Conv")
def conv(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> np.ndarray:
    """Y[n, m] = B[m] + sum over c, k of W[m, c, k] * X[n, c, k + position].

    X [N, C, *spatial], W [M, C / group, *kernel], B [M]. Source: ONNX Conv.
    """
    y = convolve(widen(x), widen(w), group, kernel_shape, strides, dilations, pads, auto_pad)
    if b is not None:
        y += on_axis(b, 1, y.ndim)
    return cast(y, x.dtype)


def convolve(
    x: np.ndarray,
    w: np.ndarray,
    group: int,
    kernel_shape: Sequence[int] | None,
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    auto_pad: str,
) -> np.ndarray:
    """The convolution of `x` [N, C, *spatial] with `w` [M, C / group, *kernel], in new memory.

    Raises:
        ValueError: shapes and attributes do not fit.
    """
    if x.ndim < 3 or w.ndim != x.ndim:
        raise ValueError(f"X and W must have the same rank of at least 3, got shapes {x.shape} and {w.shape}")
    check_kernel_shape(kernel_shape, w)
    if group < 1 or x.shape[1] != w.shape[1] * group or w.shape[0] % group:
        raise ValueError(f"X of shape {x.shape} and W of shape {w.shape} do not fit {group} groups")
    axes = sliding_axes(x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    n, m = x.shape[0], w.shape[0]
    out = tuple(a.out for a in axes)
    padded = pad_spatial(x, axes)
    if w.shape[1] == 1 and group > 1:
        return _depthwise(padded, w, axes)
    columns = window_view(padded, axes)
    weights = w.reshape(group, m // group, -1)
    y = np.empty((n, group, m // group, math.prod(out)), np.result_type(x, w))
    for i in range(n):
        np.matmul(weights, columns[i].reshape(group, weights.shape[2], -1), out=y[i])
    return y.reshape(n, m, *out)


def _depthwise(padded: np.ndarray, w: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    n, channels = padded.shape[:2]
    multiplier = w.shape[0] // channels
    out = tuple(a.out for a in axes)
    y = np.zeros((n, channels, multiplier, *out), np.result_type(padded, w))
    weights = np.moveaxis(w.reshape(channels, multiplier, *w.shape[2:]), (0, 1), (-2, -1))
    for position, region in window_taps(axes):
        factor = weights[position].reshape(channels, multiplier, *(1,) * len(out))
        y += padded[region][:, :, None] * factor
    return y.reshape(n, -1, *out)


@kernel("ConvInteger")
def conv_integer(
    x: np.ndarray,
    w: np.ndarray,
    x_zero_point: np.ndarray | None = None,
    w_zero_point: np.ndarray | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> np.ndarray:
    """Conv of 8-bit X and W less their zero points, as int32. Source: ONNX ConvInteger."""
    shifted_x, shifted_w = shift(x, x_zero_point, per_output=False), shift(w, w_zero_point, per_output=True)
    return wrap_int32(convolve(shifted_x, shifted_w, group, kernel_shape, strides, dilations, pads, auto_pad))


def shift(x: np.ndarray, zero_point: np.ndarray | None, *, per_output: bool) -> np.ndarray:
    """`x` less its zero point (one, or one for each output channel), to be multiplied by BLAS.

    As float64, which holds the sums of 8-bit products exactly.
    """
    shifted = x.astype(np.float64)
    if zero_point is not None:
        point = zero_point.astype(np.float64)
        shifted -= on_axis(point, 0, x.ndim) if per_output else point
    return shifted


def wrap_int32(sums: np.ndarray) -> np.ndarray:
    """Whole numbers in float64 as int32, wrapped around where they are too large."""
    return sums.astype(np.int64).astype(np.int32)


@kernel("ConvTranspose")
def conv_transpose(
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> np.ndarray:
    """The gradient of Conv with respect to its input: X [N, C, *spatial], W [C, M / group, *kernel], B [M].

    Source: ONNX ConvTranspose.
    """
    rank = x.ndim - 2
    if rank < 1 or w.ndim != x.ndim or x.shape[1] != w.shape[0] or group < 1 or x.shape[1] % group:
        raise ValueError(f"X of shape {x.shape} and W of shape {w.shape} do not fit {group} groups")
    check_kernel_shape(kernel_shape, w)
    sizes, kernel_size = x.shape[2:], w.shape[2:]
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    begin, out = transposed_sizes(sizes, kernel_size, strides, dilations, pads, output_padding, output_shape, auto_pad)
    axes = [Axis(out[i], kernel_size[i], strides[i], dilations[i], begin[i], 0, sizes[i]) for i in range(rank)]
    n, channels, m = x.shape[0], x.shape[1], w.shape[1]
    weights = widen(w).reshape(group, channels // group, -1)
    columns = np.matmul(weights.transpose(0, 2, 1), widen(x).reshape(n, group, channels // group, math.prod(sizes)))
    y = _scatter_columns(columns.reshape(n, group * m, *kernel_size, *sizes), axes)
    if b is not None:
        y += on_axis(b, 1, x.ndim)
    return cast(y, x.dtype)


def transposed_sizes(
    sizes: Sequence[int],
    kernel_size: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    output_padding: Sequence[int] | None,
    output_shape: Sequence[int] | None,
    auto_pad: str,
) -> tuple[list[int], list[int]]:
    """The padding before each spatial axis of the output of ConvTranspose, and the output's sizes.

    Raises:
        ValueError: the attributes do not fit the rank, or leave nothing of the output.
    """
    rank = len(sizes)
    strides, dilations, extra = strides or (1,) * rank, dilations or (1,) * rank, output_padding or (0,) * rank
    if {len(strides), len(dilations), len(extra)} != {rank} or len(pads or ()) not in (0, 2 * rank):
        raise ValueError(
            f"strides {strides}, dilations {dilations}, output_padding {extra} and pads {pads} do not fit {rank} axes"
        )
    full = [(sizes[i] - 1) * strides[i] + (kernel_size[i] - 1) * dilations[i] + 1 + extra[i] for i in range(rank)]
    if output_shape is not None or auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        out = list(output_shape)[-rank:] if output_shape else [s * t for s, t in zip(sizes, strides, strict=True)]
        total = [max(0, f - o) for f, o in zip(full, out, strict=True)]
        return [t // 2 if auto_pad == "SAME_UPPER" else t - t // 2 for t in total], out
    pads = pads if pads and auto_pad != "VALID" else (0,) * (2 * rank)
    out = [full[i] - pads[i] - pads[i + rank] for i in range(rank)]
    if min(out) < 1:
        raise ValueError(f"pads {tuple(pads)} leave nothing of an output of {full}")
    return list(pads[:rank]), out


def _scatter_columns(columns: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """Sums `columns` [N, C, *kernel, *out] into the images [N, C, *size] that windows with those `axes` slide over."""
    rank = len(axes)
    cropped = [max(0, -a.begin) for a in axes]
    sizes = [c + max(a.padded, a.begin + a.size) for c, a in zip(cropped, axes, strict=True)]
    buffer = np.zeros((*columns.shape[:2], *sizes), columns.dtype)
    uncropped: tuple[Any, ...] = (..., *(slice(c, None) for c in cropped))
    padded = buffer[uncropped]
    by_position = np.moveaxis(columns, (0, 1), (rank, rank + 1))
    for position, region in window_taps(axes):
        padded[region] += by_position[position]
    image: tuple[Any, ...] = (..., *(slice(max(0, a.begin), max(0, a.begin) + a.size) for a in axes))
    return np.array(buffer[image])


@kernel("Col2Im")
def col2im(
    data: np.ndarray,
    image_shape: np.ndarray,
    block_shape: np.ndarray,
    *,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> np.ndarray:
    """Sums the columns of blocks into images: data [N, C * prod(block), L] to [N, C, *image]. Source: ONNX Col2Im."""
    image, block = [int(v) for v in image_shape], [int(v) for v in block_shape]
    axes = sliding_axes(image, block, strides, dilations, pads, "NOTSET")
    size, out = math.prod(block), [a.out for a in axes]
    if data.ndim != 3 or data.shape[1] % size or data.shape[2] != math.prod(out):
        raise ValueError(f"data of shape {data.shape} does not hold blocks {block} at {out} positions of {image}")
    return _scatter_columns(data.reshape(data.shape[0], data.shape[1] // size, *block, *out), axes)
