"""Sampling of images at real coordinates: GridSample and DeformConv."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import cast, widen
from ort_core.reference_ops.kernels.windows import sliding_axes

_CUBIC = -0.75
_MODES = {"linear": "linear", "bilinear": "linear", "nearest": "nearest", "cubic": "cubic", "bicubic": "cubic"}


@kernel("GridSample")
def grid_sample(
    x: np.ndarray,
    grid: np.ndarray,
    *,
    align_corners: int = 0,
    mode: str = "linear",
    padding_mode: str = "zeros",
) -> np.ndarray:
    """Y [N, C, *out] = X [N, C, *spatial] interpolated at grid [N, *out, rank], whose last axis runs from x in [-1, 1].

    Source: ONNX GridSample.
    """
    kind = _MODES.get(mode)
    rank = x.ndim - 2
    if kind is None or padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(f"mode '{mode}' with padding_mode '{padding_mode}' is unknown")
    if rank < 1 or grid.shape[:1] != x.shape[:1] or grid.ndim != x.ndim or grid.shape[-1] != rank:
        raise ValueError(f"grid of shape {grid.shape} does not address X of shape {x.shape}")
    y = np.zeros((*x.shape[:2], *grid.shape[1:-1]), widen(x[:0]).dtype)
    for n in range(x.shape[0]):
        taps = [
            _taps(grid[n, ..., rank - 1 - i].astype(np.float32), size, kind, padding_mode, bool(align_corners))
            for i, size in enumerate(x.shape[2:])
        ]
        image = widen(x[n])
        for combination in itertools.product(*taps):
            weight = np.prod([w for _, w in combination], axis=0, dtype=image.dtype)
            index: tuple[Any, ...] = (slice(None), *(place for place, _ in combination))
            y[n] += image[index] * weight
    return cast(y, x.dtype)


def _taps(
    normal: np.ndarray, size: int, kind: str, padding_mode: str, align_corners: bool
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The pixels along one axis that make up each sample, each as (index, weight)."""
    if align_corners:
        low, high = 0.0, size - 1.0
        place = (normal + 1) / 2 * np.float32(size - 1)
    else:
        low, high = -0.5, size - 0.5
        place = ((normal + 1) * np.float32(size) - 1) / 2
    if kind == "nearest":
        place = np.rint(place)
    if padding_mode == "border" and kind != "cubic":
        place = np.clip(place, 0, size - 1)
    elif padding_mode == "reflection":
        place = _reflect(place, low, high)
    base = np.floor(place)
    ratio = place - base
    if kind == "nearest":
        weights: list[np.ndarray] = [np.ones_like(ratio)]
        offsets = [0]
    elif kind == "linear":
        weights, offsets = [1 - ratio, ratio], [0, 1]
    else:
        weights, offsets = _cubic_weights(ratio), [-1, 0, 1, 2]
    return [_pixel(base + o, w, size, padding_mode, low, high) for o, w in zip(offsets, weights, strict=True)]


def _pixel(
    index: np.ndarray, weight: np.ndarray, size: int, padding_mode: str, low: float, high: float
) -> tuple[np.ndarray, np.ndarray]:
    if padding_mode == "reflection":
        index = _reflect(index, low, high)
    elif padding_mode == "zeros":
        weight = np.where((index >= 0) & (index < size), weight, 0)
    finite = np.nan_to_num(index, nan=0.0, posinf=size, neginf=0.0)
    return np.clip(finite, 0, size - 1).astype(np.intp), weight


def _reflect(place: np.ndarray, low: float, high: float) -> np.ndarray:
    span = high - low
    if span <= 0:
        return np.zeros_like(place)
    distance = np.where(place < low, low - place, place - high)
    turns = np.trunc(distance / span)
    rest = distance - turns * span
    even = turns % 2 == 0
    below = np.where(even, low + rest, high - rest)
    above = np.where(even, high - rest, low + rest)
    return np.where(place < low, below, np.where(place > high, above, place)).astype(place.dtype)


def _cubic_weights(t: np.ndarray) -> list[np.ndarray]:
    """Cubic convolution coefficients for the four neighbours. Source: Keys, 1981, with a = -0.75."""
    a = _CUBIC

    far = [((a * s - 5 * a) * s + 8 * a) * s - 4 * a for s in (t + 1, 2 - t)]
    near = [((a + 2) * s - (a + 3)) * s * s + 1 for s in (t, 1 - t)]
    return [far[0], *near, far[1]]


@kernel("DeformConv")
def deform_conv(
    x: np.ndarray,
    w: np.ndarray,
    offset: np.ndarray,
    b: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    *,
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    offset_group: int = 1,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> np.ndarray:
    """Conv whose kernel positions are moved by `offset` and weighted by `mask`, for images [N, C, H, W].

    offset [N, offset_group * kernel * 2, OH, OW], mask [N, offset_group * kernel, OH, OW]. Source: ONNX DeformConv.
    """
    if x.ndim != 4 or w.ndim != 4 or (kernel_shape is not None and tuple(kernel_shape) != w.shape[2:]):
        raise ValueError(f"X and W must have rank 4 and kernel_shape fit W, got {x.shape}, {w.shape}, {kernel_shape}")
    axes = sliding_axes(x.shape[2:], w.shape[2:], strides, dilations, pads, "NOTSET")
    out, taps = tuple(a.out for a in axes), w.shape[2] * w.shape[3]
    n, channels, m = x.shape[0], x.shape[1], w.shape[0]
    if channels != w.shape[1] * group or m % group or channels % offset_group:
        raise ValueError(f"X {x.shape} and W {w.shape} do not fit {group} groups and {offset_group} offset groups")
    shifts = offset.reshape(n, offset_group, *w.shape[2:], 2, *out).astype(np.float32)
    weights = np.ones((), np.float32) if mask is None else mask.reshape(n, offset_group, *w.shape[2:], *out)
    grids = [
        np.arange(a.out, dtype=np.float32) * a.stride
        - a.begin
        + np.arange(a.kernel, dtype=np.float32)[:, None] * a.dilation
        for a in axes
    ]
    rows = grids[0][:, None, :, None] + shifts[:, :, :, :, 0]
    columns = grids[1][None, :, None, :] + shifts[:, :, :, :, 1]
    images = widen(x).reshape(n, offset_group, channels // offset_group, *x.shape[2:])
    sampled = np.stack(
        [np.stack([_bilinear(images[i, g], rows[i, g], columns[i, g]) for g in range(offset_group)]) for i in range(n)]
    )
    sampled *= widen(weights)[:, :, None] if mask is not None else 1
    patches = sampled.reshape(n, group, channels // group * taps, -1)
    y = np.matmul(widen(w).reshape(group, m // group, -1), patches).reshape(n, m, *out)
    if b is not None:
        y += b.reshape(1, -1, 1, 1)
    return cast(y, x.dtype)


def _bilinear(image: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """`image` [C, H, W] at real coordinates, zero outside: [C, *coordinates]."""
    result = np.zeros((image.shape[0], *row.shape), image.dtype)
    top, left = np.floor(row), np.floor(column)
    for r, row_weight in ((top, 1 - (row - top)), (top + 1, row - top)):
        for c, column_weight in ((left, 1 - (column - left)), (left + 1, column - left)):
            inside = (r >= 0) & (r < image.shape[1]) & (c >= 0) & (c < image.shape[2])
            index = np.where(inside, r, 0).astype(np.intp), np.where(inside, c, 0).astype(np.intp)
            result += image[(slice(None), *index)] * np.where(inside, row_weight * column_weight, 0)
    return result
