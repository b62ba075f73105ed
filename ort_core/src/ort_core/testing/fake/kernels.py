"""The operators of the fake device: one decorated function each, with a shape rule that needs no data."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from ort_core.ir.types import ElementType
from ort_core.testing.fake.kernel import (
    ALL,
    BOOLS,
    FLOATS,
    KERNELS,
    NUMBERS,
    Dims,
    device_kernel,
    same_type,
    to_attribute,
    to_bool,
)

__all__ = ["KERNELS"]


def broadcast(shapes: Sequence[Dims], **_: Any) -> Dims:
    """The shape that all broadcast to."""
    return np.broadcast_shapes(*shapes)


def same(shapes: Sequence[Dims], **_: Any) -> Dims:
    """The shape of the first input."""
    return shapes[0]


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"axis {axis} is out of range for rank {rank}")
    return axis % rank


def _elementwise(op: str, ufunc: Callable[..., Any], types: Collection[ElementType], *, logical: bool = False) -> None:
    def compute(out: np.ndarray, *inputs: np.ndarray) -> None:
        ufunc(*inputs, out=out)

    device_kernel(op, shape=broadcast, types=types, result=to_bool if logical else same_type, in_place=True)(compute)


_elementwise("Add", np.add, NUMBERS)
_elementwise("Sub", np.subtract, NUMBERS)
_elementwise("Mul", np.multiply, NUMBERS)
_elementwise("Neg", np.negative, NUMBERS)
_elementwise("Abs", np.abs, NUMBERS)
_elementwise("Tanh", np.tanh, FLOATS)
_elementwise("Sqrt", np.sqrt, FLOATS)
_elementwise("Exp", np.exp, FLOATS)
_elementwise("Less", np.less, NUMBERS, logical=True)
_elementwise("Greater", np.greater, NUMBERS, logical=True)
_elementwise("Not", np.logical_not, BOOLS)
_elementwise("And", np.logical_and, BOOLS)


@device_kernel("Identity", shape=same, types=ALL, in_place=True)
def identity(out: np.ndarray, x: np.ndarray) -> None:
    """Y = X."""
    np.copyto(out, x)


@device_kernel("Div", shape=broadcast, in_place=True)
def div(out: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """C = A / B; integers are rounded towards zero."""
    if out.dtype.kind == "f":
        np.divide(a, b, out=out)
    else:
        quotient, rest = np.divmod(a, b)
        out[...] = quotient + ((rest != 0) & ((a < 0) != (b < 0)))


@device_kernel("Relu", shape=same, in_place=True)
def relu(out: np.ndarray, x: np.ndarray) -> None:
    """Y = max(X, 0)."""
    np.maximum(x, 0, out=out)


@device_kernel("Sigmoid", shape=same, types=FLOATS, in_place=True)
def sigmoid(out: np.ndarray, x: np.ndarray) -> None:
    """Y = 1 / (1 + exp(-X))."""
    out[...] = 1 / (1 + np.exp(-x))


@device_kernel("Cast", shape=same, types=ALL, result=to_attribute, in_place=True)
def cast(out: np.ndarray, x: np.ndarray, *, to: int, saturate: int = 1, round_mode: str = "up") -> None:
    """Y = X as the element type `to`."""
    np.copyto(out, x, casting="unsafe")


def _matmul_shape(shapes: Sequence[Dims], **_: Any) -> Dims:
    a, b = shapes
    if not a or not b:
        raise ValueError("MatMul takes no scalars")
    left, right = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    if left[-1] != right[-2]:
        raise ValueError(f"the inner dimensions {left[-1]} and {right[-2]} differ")
    batch = np.broadcast_shapes(left[:-2], right[:-2])
    return (*batch, *((left[-2],) if len(a) > 1 else ()), *((right[-1],) if len(b) > 1 else ()))


@device_kernel("MatMul", shape=_matmul_shape)
def matmul(out: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Y = A @ B."""
    out[...] = np.matmul(a, b)


def _reduced_axes(rank: int, axes: Dims | None, noop_with_empty_axes: int) -> Dims:
    if not axes:
        return () if noop_with_empty_axes else tuple(range(rank))
    return tuple(_axis(axis, rank) for axis in axes)


def _reduced(shapes: Sequence[Dims], *, axes: Dims | None, keepdims: int, noop_with_empty_axes: int) -> Dims:
    gone = _reduced_axes(len(shapes[0]), axes, noop_with_empty_axes)
    return tuple(1 if i in gone else d for i, d in enumerate(shapes[0]) if keepdims or i not in gone)


@device_kernel("ReduceSum", shape=_reduced, constants={1: "axes"})
def reduce_sum(
    out: np.ndarray, x: np.ndarray, *, axes: Dims | None = None, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> None:
    """The sum over `axes`."""
    gone = _reduced_axes(x.ndim, axes, noop_with_empty_axes)
    out[...] = np.sum(x, gone, dtype=x.dtype, keepdims=bool(keepdims))


@device_kernel("ReduceMean", shape=_reduced, types=FLOATS, constants={1: "axes"})
def reduce_mean(
    out: np.ndarray, x: np.ndarray, *, axes: Dims | None = None, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> None:
    """The mean over `axes`; NaN where there is nothing."""
    gone = _reduced_axes(x.ndim, axes, noop_with_empty_axes)
    total = np.sum(x, gone, dtype=x.dtype, keepdims=bool(keepdims))
    np.divide(total, math.prod(x.shape[axis] for axis in gone), out=out)


def _concatenated(shapes: Sequence[Dims], *, axis: int) -> Dims:
    at = _axis(axis, len(shapes[0]))
    if len({(*shape[:at], *shape[at + 1 :]) for shape in shapes}) != 1 or len(set(map(len, shapes))) != 1:
        raise ValueError(f"the inputs differ outside of axis {axis}")
    return (*shapes[0][:at], sum(shape[at] for shape in shapes), *shapes[0][at + 1 :])


@device_kernel("Concat", shape=_concatenated, types=ALL)
def concat(out: np.ndarray, *inputs: np.ndarray, axis: int) -> None:
    """The inputs one after the other along `axis`."""
    np.concatenate(inputs, axis, out=out)


def _transposed(shapes: Sequence[Dims], *, perm: Dims | None) -> Dims:
    order = tuple(reversed(range(len(shapes[0])))) if perm is None else perm
    if sorted(order) != list(range(len(shapes[0]))):
        raise ValueError(f"perm {list(order)} is not a permutation of the {len(shapes[0])} axes")
    return tuple(shapes[0][axis] for axis in order)


@device_kernel("Transpose", shape=_transposed, types=ALL)
def transpose(out: np.ndarray, x: np.ndarray, *, perm: Dims | None = None) -> None:
    """Y = X with its axes in the order `perm`, reversed by default."""
    np.copyto(out, np.transpose(x, perm))


def _reshaped(shapes: Sequence[Dims], *, shape: Dims, allowzero: int) -> Dims:
    if any(d == 0 and i >= len(shapes[0]) and not allowzero for i, d in enumerate(shape)):
        raise ValueError(f"the shape {list(shape)} copies a dimension that the input lacks")
    dims = [shapes[0][i] if d == 0 and not allowzero else d for i, d in enumerate(shape)]
    size = math.prod(shapes[0])
    if dims.count(-1) == 1:
        known = math.prod(d for d in dims if d != -1)
        dims[dims.index(-1)] = size // known if known else 0
    if min(dims, default=0) < 0 or math.prod(dims) != size:
        raise ValueError(f"{size} elements do not fit the shape {list(shape)}")
    return tuple(dims)


@device_kernel("Reshape", shape=_reshaped, types=ALL, constants={1: "shape"})
def reshape(out: np.ndarray, x: np.ndarray, *, shape: Dims, allowzero: int = 0) -> None:
    """Y = X in another shape."""
    np.copyto(out, x.reshape(out.shape))


def _softmax_shape(shapes: Sequence[Dims], *, axis: int) -> Dims:
    _axis(axis, len(shapes[0]))
    return shapes[0]


@device_kernel("Softmax", shape=_softmax_shape, types=FLOATS, scratch=lambda dims, size: math.prod(dims) * size)
def softmax(out: np.ndarray, x: np.ndarray, *, scratch: np.ndarray, axis: int = -1) -> None:
    """Y = exp(X) / sum(exp(X)) along `axis`."""
    work = scratch[: x.nbytes].view(x.dtype).reshape(x.shape)
    np.subtract(x, x.max(axis, keepdims=True, initial=-np.inf), out=work)
    np.exp(work, out=work)
    np.divide(work, work.sum(axis, keepdims=True), out=out)
