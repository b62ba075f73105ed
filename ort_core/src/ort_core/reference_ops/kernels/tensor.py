"""Tensors made, reshaped and taken apart: Constant, Shape, Flatten, Expand, Slice, Split, Pad, OneHot, Unique."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ort_core.ir.attributes import SparseWeight
from ort_core.ir.graph import Node
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import axis_index, cast, check_count, clamped_slice, on_axis
from ort_core.values import RuntimeValue, SparseValue


@kernel("Constant")
class Constant:
    """Y = the value of the one attribute, in memory of its own. Source: ONNX Constant."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        value: np.ndarray | None = None,
        sparse_value: SparseWeight | None = None,
        value_float: float | None = None,
        value_floats: Sequence[float] | None = None,
        value_int: int | None = None,
        value_ints: Sequence[int] | None = None,
        value_string: str | None = None,
        value_strings: Sequence[str] | None = None,
    ) -> None:
        """Makes the value."""
        choices = (
            (value, None),
            (value_float, np.float32),
            (value_floats, np.float32),
            (value_int, np.int64),
            (value_ints, np.int64),
            (value_string, object),
            (value_strings, object),
        )
        given: list[Callable[[], RuntimeValue]] = [np.array(v, t).copy for v, t in choices if v is not None]
        if sparse_value is not None:
            given.append(partial(_sparse_copy, sparse_value))
        if len(given) != 1:
            raise ValueError(f"exactly one value is needed, got {len(given)}")
        self._make = given[0]

    def run(self) -> RuntimeValue:
        """A copy of the value."""
        return self._make()


def _sparse_copy(weight: SparseWeight) -> SparseValue:
    values, indices, dims = weight
    return SparseValue("coo", dims, values.array().copy(), (indices.array().copy(),))


@kernel("Shape")
def shape(data: np.ndarray, *, end: int | None = None, start: int = 0) -> np.ndarray:
    """Y int64 = the dimensions start to end of data, both clamped to its rank. Source: ONNX Shape."""
    return np.array(data.shape[start:end], np.int64)


@kernel("Flatten")
def flatten(x: np.ndarray, *, axis: int = 1) -> np.ndarray:
    """Y [prod(shape[:axis]), prod(shape[axis:])]. Source: ONNX Flatten."""
    if not -x.ndim <= axis <= x.ndim:
        raise ValueError(f"axis {axis} is out of range for rank {x.ndim}")
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@kernel("Expand")
def expand(data: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Y = data broadcast with a tensor of the shape given. Source: ONNX Expand."""
    return np.broadcast_to(data, np.broadcast_shapes(data.shape, tuple(target.tolist()))).copy()


@kernel("Slice")
def slice_(
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    axes: np.ndarray | None = None,
    steps: np.ndarray | None = None,
) -> np.ndarray:
    """Y = data[starts:ends:steps] along `axes` (all by default), as a view. Source: ONNX Slice."""
    chosen = range(starts.size) if axes is None else axes.tolist()
    strides = [1] * starts.size if steps is None else steps.tolist()
    parts = [slice(None)] * data.ndim
    places = [axis_index(axis, data.ndim) for axis in chosen]
    if len(set(places)) != len(places) or 0 in strides:
        raise ValueError(f"axes {list(chosen)} must differ, and steps {strides} must not be zero")
    for start, end, at, step in zip(starts.tolist(), ends.tolist(), places, strides, strict=True):
        parts[at] = clamped_slice(start, end, step, data.shape[at])
    return data[tuple(parts)]


@kernel("Split")
class Split:
    """Y_i = consecutive parts of X along `axis`, of the sizes given or as equal as possible. Source: ONNX Split."""

    def prepare(self, node: Node, ctx: object, *, axis: int = 0, num_outputs: int | None = None) -> None:
        """Keeps the attributes and the number of outputs."""
        self._axis, self._parts = axis, num_outputs or len(node.outputs)

    def run(self, x: np.ndarray, split: np.ndarray | None = None) -> tuple[np.ndarray, ...]:
        """Computes the parts, as views."""
        axis = axis_index(self._axis, x.ndim)
        size = x.shape[axis]
        if split is None:
            part = -(-size // self._parts)
            sizes = [min(part, max(0, size - i * part)) for i in range(self._parts)]
        else:
            sizes = split.tolist()
        if len(sizes) != self._parts or sum(sizes) != size or min(sizes) < 0:
            raise ValueError(f"{self._parts} parts of {sizes} do not make up axis {axis} of {size}")
        return tuple(np.split(x, np.cumsum(sizes[:-1]), axis=axis))


_PAD_MODES = ("constant", "reflect", "edge", "wrap")


@kernel("Pad")
def pad(
    data: np.ndarray,
    pads: np.ndarray,
    constant_value: np.ndarray | None = None,
    axes: np.ndarray | None = None,
    *,
    mode: str = "constant",
) -> np.ndarray:
    """Y = data with the padding [begins, ends] around its axes; negative padding crops. Source: ONNX Pad."""
    if mode not in _PAD_MODES:
        raise ValueError(f"mode is '{mode}', must be one of {', '.join(_PAD_MODES)}")
    chosen = [axis_index(int(a), data.ndim) for a in axes] if axes is not None else list(range(data.ndim))
    if pads.shape != (2 * len(chosen),):
        raise ValueError(f"pads have shape {pads.shape}, {len(chosen)} axes need {2 * len(chosen)} values")
    widths, crop = [(0, 0)] * data.ndim, [slice(None)] * data.ndim
    for i, axis in enumerate(chosen):
        begin, end = int(pads[i]), int(pads[len(chosen) + i])
        widths[axis] = (max(begin, 0), max(end, 0))
        crop[axis] = slice(max(-begin, 0), data.shape[axis] + min(end, 0))
        if data.shape[axis] + begin + end < 0:
            raise ValueError(f"pads {begin} and {end} remove more than axis {axis} of {data.shape[axis]} has")
    inner = data[tuple(crop)]
    if not any(b or e for b, e in widths):
        return inner
    if mode == "constant":
        value: object = "" if data.dtype == object else 0
        if constant_value is not None and constant_value.size:
            value = constant_value.reshape(-1)[0]
        padded = np.full([n + b + e for n, (b, e) in zip(inner.shape, widths, strict=True)], value, data.dtype)
        padded[tuple(slice(b, b + n) for n, (b, _) in zip(inner.shape, widths, strict=True))] = inner
        return padded
    return np.pad(inner, widths, mode=mode)  # type: ignore[call-overload,no-any-return]


@kernel("OneHot")
def one_hot(indices: np.ndarray, depth: np.ndarray, values: np.ndarray, *, axis: int = -1) -> np.ndarray:
    """Y = values[1] where the index along the new axis of `depth` is indices, else values[0]. Source: ONNX OneHot."""
    count = int(depth.reshape(-1)[0])
    if count < 0 or values.shape != (2,):
        raise ValueError(f"depth is {count} and values have shape {values.shape}, expected at least 0 and (2,)")
    axis = axis_index(axis, indices.ndim + 1)
    wrapped = np.expand_dims(np.where(indices < 0, indices + count, indices), axis)
    hot = on_axis(np.arange(check_count(count)), axis, indices.ndim + 1) == wrapped
    return cast(np.where(hot, values[1], values[0]), values.dtype)


@kernel("Unique")
class Unique:
    """The distinct elements (or slices along `axis`) of X, where each first is, which is where, and how often.

    Source: ONNX Unique.
    """

    def prepare(self, node: Node, ctx: object, *, axis: int | None = None, sorted: int = 1) -> None:  # noqa: A002
        """Keeps the attributes."""
        self._axis, self._sorted = axis, bool(sorted)

    def run(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """Computes all four outputs."""
        flat = x.reshape(-1) if self._axis is None else np.moveaxis(x, self._axis, 0)
        keys = _row_keys(flat)
        _, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        inverse = inverse.reshape(-1)
        if not self._sorted:
            order = np.argsort(first)
            rank = np.empty_like(order)
            rank[order] = np.arange(len(order))
            first, counts, inverse = first[order], counts[order], rank[inverse]
        y = flat[first]
        if self._axis is not None:
            y = np.moveaxis(y, 0, self._axis)
        return y, first.astype(np.int64), inverse.astype(np.int64), counts.astype(np.int64)


def _row_keys(x: np.ndarray) -> np.ndarray:
    """One comparable key for each index of the first axis."""
    if x.ndim == 1:
        return x
    keys = np.zeros(len(x), np.int64)
    if x.size == 0:
        return keys
    rows = x.reshape(len(x), -1)
    order = (
        np.array(sorted(range(len(rows)), key=lambda i: tuple(rows[i])))
        if x.dtype.kind == "O"
        else np.lexsort(rows.T[::-1])
    )
    changed = (rows[order[1:]] != rows[order[:-1]]).any(axis=1)
    keys[order[1:]] = np.cumsum(changed)
    return keys
