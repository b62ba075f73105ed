"""Resize, one axis after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ort_core.ir.graph import Node
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import axis_index, cast, check_count, cubic_weight, on_axis, widen

_NEAREST: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


class _Axis(NamedTuple):
    """One resized axis: sizes, scale, and the region of interest from 0 to 1."""

    axis: int
    size: int
    out: int
    scale: float
    start: float
    end: float


def resized_dims(
    dims: Sequence[int], scales: np.ndarray | None, sizes: np.ndarray | None, policy: str
) -> tuple[list[int], list[float]]:
    """The sizes that axes of sizes `dims` are resized to, and their scales.

    Raises:
        ValueError: scales and sizes do not fit the axes.
    """
    given = scales if scales is not None and scales.size else sizes
    if given is None or given.shape != (len(dims),):
        raise ValueError(f"scales or sizes need a value for each of the {len(dims)} axes")
    if given is scales:
        factors = given.astype(np.float32)
        if not np.isfinite(factors).all():
            raise ValueError(f"scales must be finite, got {given.tolist()}")
        out = [int(n) for n in np.floor(np.array(dims, np.float32) * factors)]
        steps = factors.astype(float).tolist()
    else:
        out = [int(s) for s in given]
        steps = [o / d if d else 0.0 for o, d in zip(out, dims, strict=True)]
        if policy != "stretch":
            common = {"not_larger": min, "not_smaller": max}[policy](steps)
            out, steps = [int(common * d + 0.5) for d in dims], [common] * len(dims)
    if any(step <= 0 < size or step < 0 for step, size in zip(steps, dims, strict=True)):
        raise ValueError(f"scales and sizes must be positive, got {given.tolist()}")
    return out, steps


@kernel("Resize")
class Resize:
    """Y = X interpolated to other sizes along `axes`. Source: ONNX Resize."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        antialias: int = 0,
        axes: Sequence[int] | None = None,
        coordinate_transformation_mode: str = "half_pixel",
        cubic_coeff_a: float = -0.75,
        exclude_outside: int = 0,
        extrapolation_value: float = 0.0,
        keep_aspect_ratio_policy: str = "stretch",
        mode: str = "nearest",
        nearest_mode: str = "round_prefer_floor",
    ) -> None:
        """Keeps the attributes."""
        if mode not in ("nearest", "linear", "cubic") or nearest_mode not in _NEAREST:
            raise ValueError(f"mode '{mode}' with nearest_mode '{nearest_mode}' is unknown")
        if mode == "nearest" and antialias:
            raise ValueError("antialias does not go with mode nearest")
        self._antialias, self._axes, self._coordinates = bool(antialias), axes, coordinate_transformation_mode
        self._a, self._exclude_outside, self._outside = cubic_coeff_a, bool(exclude_outside), extrapolation_value
        self._policy, self._mode, self._round = keep_aspect_ratio_policy, mode, _NEAREST[nearest_mode]

    def run(
        self,
        x: np.ndarray,
        roi: np.ndarray | None = None,
        scales: np.ndarray | None = None,
        sizes: np.ndarray | None = None,
    ) -> np.ndarray:
        """Resizes each axis whose size or region changes."""
        y = x
        axes = self._resized_axes(x, roi, scales, sizes)
        # As image libraries do, onnxruntime takes weights of 22 bits for bytes and rounds after each axis, the last one first.
        fixed_point = self._antialias and x.dtype == np.uint8
        for axis in sorted(axes, key=lambda a: -a.axis) if fixed_point else axes:
            if axis.out == axis.size and axis.scale == 1 and (axis.start, axis.end) == (0, 1):
                continue
            if axis.size == 0:
                raise ValueError(f"axis {axis.axis} of size 0 cannot be resized")
            if axis.out == 0:
                y = np.take(y, np.zeros(0, np.intp), axis=axis.axis)
                continue
            places = self._places(axis)
            is_nearest = self._mode == "nearest"
            y = self._nearest(y, axis, places) if is_nearest else self._weighted(y, axis, places, fixed_point)
            if self._coordinates == "tf_crop_and_resize":
                outside = (places < 0) | (places > axis.size - 1)
                y = np.where(on_axis(outside, axis.axis, x.ndim), np.asarray(self._outside).astype(y.dtype), y)
            if fixed_point:
                y = np.clip(np.floor(y + 0.5), 0, 255)
        return _saturate(y, x.dtype, round_to_integer=np.rint if self._antialias else np.trunc)

    def _resized_axes(
        self, x: np.ndarray, roi: np.ndarray | None, scales: np.ndarray | None, sizes: np.ndarray | None
    ) -> list[_Axis]:
        axes = [axis_index(a, x.ndim) for a in self._axes] if self._axes is not None else list(range(x.ndim))
        dims = [x.shape[a] for a in axes]
        out, steps = resized_dims(dims, scales, sizes, self._policy)
        region = [0.0] * len(axes) + [1.0] * len(axes)
        if self._coordinates == "tf_crop_and_resize":
            if roi is None or roi.shape != (2 * len(axes),):
                raise ValueError(f"tf_crop_and_resize needs a roi of {2 * len(axes)} values")
            region = roi.astype(float).tolist()
        return [_Axis(a, dims[i], out[i], steps[i], region[i], region[len(axes) + i]) for i, a in enumerate(axes)]

    def _places(self, axis: _Axis) -> np.ndarray:
        """The source coordinate of each output index, in float32: onnxruntime rounds ties as they fall there."""
        index, scale, mode = (
            np.arange(check_count(axis.out), dtype=np.float32),
            np.float32(axis.scale),
            self._coordinates,
        )
        length = scale * np.float32(axis.size)
        last = np.float32(axis.size - 1)
        if mode == "align_corners":
            return index * last / (length - 1) if length != 1 else np.zeros_like(index)
        if mode == "asymmetric":
            return index / scale
        if mode == "tf_crop_and_resize":
            start, end = np.float32(axis.start), np.float32(axis.end)
            inner = index * (end - start) * last / (length - 1) if length != 1 else (end - start) * last / 2
            return start * last + inner + np.zeros_like(index)
        if mode == "pytorch_half_pixel" and length <= 1:
            return np.zeros_like(index)
        if mode in ("half_pixel", "pytorch_half_pixel"):
            return (index + np.float32(0.5)) / scale - np.float32(0.5)
        if mode == "half_pixel_symmetric":
            centre = np.float32(axis.size) / 2 * (1 - np.float32(axis.out) / length)
            return centre + (index + np.float32(0.5)) / scale - np.float32(0.5)
        raise ValueError(f"coordinate_transformation_mode '{mode}' is unknown")

    def _nearest(self, x: np.ndarray, axis: _Axis, places: np.ndarray) -> np.ndarray:
        index = np.clip(self._round(places), 0, axis.size - 1).astype(np.intp)
        taken: np.ndarray = np.take(x, index, axis=axis.axis)
        return taken

    def _weighted(self, x: np.ndarray, axis: _Axis, places: np.ndarray, fixed_point: bool) -> np.ndarray:
        shrink = min(axis.scale, 1.0) if self._antialias else 1.0
        reach = int(np.ceil((1 if self._mode == "linear" else 2) / shrink))
        base = np.floor(places)
        offsets = np.arange(1 - reach, reach + 1)
        distance = np.abs(offsets - (places - base)[:, None]) * shrink
        weights = np.maximum(1 - distance, 0) if self._mode == "linear" else cubic_weight(distance, self._a)
        index = base[:, None].astype(np.int64) + offsets
        if self._exclude_outside:
            weights = np.where((index >= 0) & (index < axis.size), weights, 0)
        if self._exclude_outside or self._antialias:
            total = weights.sum(axis=1, keepdims=True)
            weights = weights / np.where(total == 0, 1, total)
        if fixed_point:
            weights = np.rint(weights * 2**22) / 2**22
        index = np.clip(index, 0, axis.size - 1)
        wide = np.result_type(widen(x).dtype, np.float64)
        y = np.zeros((*x.shape[: axis.axis], axis.out, *x.shape[axis.axis + 1 :]), wide)
        for tap in range(len(offsets)):
            y += np.take(x, index[:, tap], axis=axis.axis) * on_axis(weights[:, tap], axis.axis, x.ndim)
        return y


def _saturate(y: np.ndarray, dtype: np.dtype, round_to_integer: np.ufunc) -> np.ndarray:
    """`y` in another type; onnxruntime rounds to integers where it antialiases and cuts elsewhere."""
    if y.dtype == dtype:
        return y
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        return cast(np.clip(round_to_integer(y), bounds.min, bounds.max), dtype)
    return cast(y, dtype)
