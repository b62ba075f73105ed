"""Sampling of images at real coordinates: GridSample and DeformConv."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import cast, cubic_weight, on_axis, widen
from ort_core.reference_ops.kernels.windows import check_kernel_shape, sliding_axes

Taps: TypeAlias = "list[tuple[np.ndarray, np.ndarray, np.ndarray]]"
"""The pixels along one axis that make up each sample, each as (index, weight, whether the pixel counts)."""

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
    y = np.zeros((*x.shape[:2], *grid.shape[1:-1]), x.dtype)
    for n in range(x.shape[0]):
        taps = [
            _taps(grid[n, ..., rank - 1 - i].astype(np.float32), size, kind, padding_mode, bool(align_corners))
            for i, size in enumerate(x.shape[2:])
        ]
        y[n] = cast(_weighted_sum(_real(x[n]), taps), x.dtype)
    return y


def _real(image: np.ndarray) -> np.ndarray:
    """The image in a type that fractions of its elements have."""
    return image.astype(np.float64) if image.dtype.kind in "iub" else widen(image)


def _weighted_sum(image: np.ndarray, taps: Sequence[Taps]) -> np.ndarray:
    """`image` [C, *spatial] at the samples whose pixels `taps` name for each axis: [C, *samples]."""
    total = np.zeros((image.shape[0], *taps[0][0][0].shape), image.dtype)
    for combination in itertools.product(*taps):
        weight = np.prod([w for _, w, _ in combination], axis=0, dtype=image.dtype)
        index: tuple[Any, ...] = (slice(None), *(place for place, _, _ in combination))
        inside = np.logical_and.reduce([counts for _, _, counts in combination])
        total += np.where(inside, image[index], image.dtype.type(0)) * weight
    return total


def _taps(normal: np.ndarray, size: int, kind: str, padding_mode: str, align_corners: bool) -> Taps:
    """The pixels along one axis that make up samples at coordinates from -1 to 1; others than numbers are taken for -1."""
    normal = np.where(np.isfinite(normal), normal, np.float32(-1))
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
        pixels = [(base, np.ones_like(ratio))]
    elif kind == "linear":
        pixels = [(base, 1 - ratio), (base + 1, ratio)]
    else:
        pixels = [(base + i, cubic_weight(i - ratio, _CUBIC)) for i in (-1, 0, 1, 2)]
    if padding_mode == "reflection":
        pixels = [(_reflect(index, low, high), weight) for index, weight in pixels]
    return [_clamped(index, weight, size, outside_counts=padding_mode != "zeros") for index, weight in pixels]


def _clamped(
    index: np.ndarray, weight: np.ndarray, size: int, *, outside_counts: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A pixel with its index inside the axis."""
    counts = np.full(index.shape, True) if outside_counts else (index >= 0) & (index < size)
    finite = np.nan_to_num(index, nan=0.0, posinf=size, neginf=0.0)
    return np.clip(finite, 0, size - 1).astype(np.intp), weight, counts


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
    if x.ndim != 4 or w.ndim != 4:
        raise ValueError(f"X and W must have rank 4, got shapes {x.shape} and {w.shape}")
    check_kernel_shape(kernel_shape, w)
    axes = sliding_axes(x.shape[2:], w.shape[2:], strides, dilations, pads, "NOTSET")
    out = tuple(a.out for a in axes)
    n, channels, m = x.shape[0], x.shape[1], w.shape[0]
    if channels != w.shape[1] * group or m % group or channels % offset_group:
        raise ValueError(f"X {x.shape} and W {w.shape} do not fit {group} groups and {offset_group} offset groups")
    shifts = offset.reshape(n, offset_group, *w.shape[2:], 2, *out).astype(np.float32)
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
    if mask is not None:
        sampled *= widen(mask).reshape(n, offset_group, 1, *w.shape[2:], *out)
    patches = sampled.reshape(n, group, math.prod(w.shape[1:]), -1)
    y = np.matmul(widen(w).reshape(group, m // group, -1), patches).reshape(n, m, *out)
    if b is not None:
        y += on_axis(b, 1, x.ndim)
    return cast(y, x.dtype)


def _bilinear(image: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """`image` [C, H, W] at real coordinates, zero outside: [C, *coordinates]."""
    taps: list[Taps] = []
    for place, size in zip((row, column), image.shape[1:], strict=True):
        base = np.floor(place)
        ratio = place - base
        pixels = ((base, 1 - ratio), (base + 1, ratio))
        taps.append([_clamped(index, weight, size, outside_counts=False) for index, weight in pixels])
    return _weighted_sum(image, taps)
