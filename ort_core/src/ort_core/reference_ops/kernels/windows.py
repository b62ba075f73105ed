"""The geometry that convolutions and pools share: padding, output sizes, strided window positions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

_MOST_TAPS = 4096
"""Kernel positions up to which windows are reduced position by position, which reads memory in order."""


class Axis(NamedTuple):
    """One spatial axis of a sliding window.

    Attributes:
        size: the input's size; `begin` and `end` are the padding before and after it.
        out: the number of window positions.
    """

    size: int
    kernel: int
    stride: int
    dilation: int
    begin: int
    end: int
    out: int

    @property
    def padded(self) -> int:
        """The size that every window fits into; `ceil_mode` may need more than `begin + size + end`."""
        return max(self.begin + self.size + self.end, (self.out - 1) * self.stride + self.extent)

    @property
    def extent(self) -> int:
        """The size of one window."""
        return (self.kernel - 1) * self.dilation + 1


def check_kernel_shape(kernel_shape: Sequence[int] | None, w: np.ndarray) -> None:
    """Raises ValueError if the attribute, where given, is not the kernel of W [M, C, *kernel]."""
    if kernel_shape is not None and tuple(kernel_shape) != w.shape[2:]:
        raise ValueError(f"kernel_shape is {tuple(kernel_shape)}, W has {w.shape[2:]}")


def sliding_axes(
    sizes: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int] | None,
    dilations: Sequence[int] | None,
    pads: Sequence[int] | None,
    auto_pad: str,
    ceil_mode: int = 0,
) -> list[Axis]:
    """The axes of a convolution or pool over `sizes`.

    Raises:
        ValueError: the attributes do not fit the rank, or a window does not fit the input.
    """
    rank = len(sizes)
    if len(kernel) != rank:
        raise ValueError(f"a kernel of rank {len(kernel)} does not slide over {rank} spatial axes")
    strides, dilations, pads = strides or (1,) * rank, dilations or (1,) * rank, pads or (0,) * (2 * rank)
    if len(strides) != rank or len(dilations) != rank or len(pads) != 2 * rank:
        raise ValueError(f"strides {strides}, dilations {dilations} and pads {pads} do not fit {rank} spatial axes")
    if min(*kernel, *strides, *dilations, 1) < 1:
        raise ValueError(f"kernel {kernel}, strides {strides} and dilations {dilations} must be positive")
    return [
        _axis(sizes[i], kernel[i], strides[i], dilations[i], (pads[i], pads[i + rank]), auto_pad, ceil_mode)
        for i in range(rank)
    ]


def _axis(
    size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int], auto_pad: str, ceil_mode: int
) -> Axis:
    extent = (kernel - 1) * dilation + 1
    begin, end = pads
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        total = max(0, (-(-size // stride) - 1) * stride + extent - size)
        begin = total // 2 if auto_pad == "SAME_UPPER" else total - total // 2
        end = total - begin
    elif auto_pad == "VALID":
        begin = end = 0
    elif auto_pad not in ("NOTSET", ""):
        raise ValueError(f"auto_pad is '{auto_pad}', must be NOTSET, SAME_UPPER, SAME_LOWER or VALID")
    span = size + begin + end - extent
    if span < 0:
        raise ValueError(f"a window of {extent} does not fit an axis of {size} padded by {begin} and {end}")
    out = (-(-span // stride) if ceil_mode else span // stride) + 1
    if ceil_mode and (out - 1) * stride >= size + begin:
        out -= 1
    return Axis(size, kernel, stride, dilation, begin, end, out)


def pad_spatial(x: np.ndarray, axes: Sequence[Axis], fill: object = 0) -> np.ndarray:
    """`x` [N, C, ...] with padding around its spatial axes; negative padding crops."""
    if all(a.begin == 0 and a.padded == a.size for a in axes):
        return x
    padded = np.full((*x.shape[:2], *(a.padded for a in axes)), fill, x.dtype)
    into: tuple[Any, ...] = (..., *(slice(max(a.begin, 0), max(a.begin, 0) + _kept(a)) for a in axes))
    source: tuple[Any, ...] = (..., *(slice(max(-a.begin, 0), max(-a.begin, 0) + _kept(a)) for a in axes))
    padded[into] = x[source]
    return padded


def _kept(axis: Axis) -> int:
    return axis.size + min(axis.begin, 0) + min(axis.end, 0)


def window_taps(axes: Sequence[Axis]) -> Iterator[tuple[tuple[int, ...], tuple[Any, ...]]]:
    """Each kernel position, with the index of what it meets of the padded input over all window positions."""
    for position in itertools.product(*(range(a.kernel) for a in axes)):
        slices = [
            slice(p * a.dilation, p * a.dilation + (a.out - 1) * a.stride + 1, a.stride)
            for p, a in zip(position, axes, strict=True)
        ]
        yield position, (..., *slices)


def reduce_windows(ufunc: np.ufunc, padded: np.ndarray, axes: Sequence[Axis], start: object) -> np.ndarray:
    """Y [N, C, *out] = what `ufunc` makes of `start` and each window of `padded` [N, C, ...]."""
    y = np.full((*padded.shape[:2], *(a.out for a in axes)), start, padded.dtype)
    if math.prod(a.kernel for a in axes) > _MOST_TAPS:
        over = tuple(range(2, 2 + len(axes)))
        return np.asarray(ufunc(y, ufunc.reduce(window_view(padded, axes), axis=over, dtype=padded.dtype)))
    for _, region in window_taps(axes):
        ufunc(y, padded[region], out=y)
    return y


def window_view(padded: np.ndarray, axes: Sequence[Axis]) -> np.ndarray:
    """All windows of `padded` [N, C, ...] as a read-only view [N, C, *kernel, *out]."""
    steps = padded.strides[2:]
    return np.lib.stride_tricks.as_strided(
        padded,
        (*padded.shape[:2], *(a.kernel for a in axes), *(a.out for a in axes)),
        (
            *padded.strides[:2],
            *(s * a.dilation for s, a in zip(steps, axes, strict=True)),
            *(s * a.stride for s, a in zip(steps, axes, strict=True)),
        ),
        writeable=False,
    )
