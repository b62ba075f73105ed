"""Operators that compute shapes in most models: folding them must not wait for `onnx.reference`, whose import takes 40 ms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ort_core.ir.graph import Node
from ort_core.ir.types import ElementType
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import cast, check_count, reduced_axes


@kernel("Add")
def add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """C = A + B, broadcast. Source: ONNX Add."""
    result: np.ndarray = np.add(a, b)
    return result


@kernel("Sub")
def subtract(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """C = A - B, broadcast. Source: ONNX Sub."""
    result: np.ndarray = np.subtract(a, b)
    return result


@kernel("Mul")
def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """C = A * B, broadcast. Source: ONNX Mul."""
    result: np.ndarray = np.multiply(a, b)
    return result


@kernel("Div")
def divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """C = A / B, broadcast; integers are divided towards zero. Source: ONNX Div."""
    if a.dtype.kind not in "iu":
        return cast(np.divide(a, b), a.dtype)
    quotient = np.floor_divide(a, b)
    inexact = (quotient * b != a) & ((a < 0) != (b < 0))
    return cast(quotient + inexact, a.dtype)


@kernel("Equal")
def equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """C = A equals B, broadcast. Source: ONNX Equal."""
    return cast(np.equal(a, b), np.dtype(bool))


@kernel("Where")
def where(condition: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Z = X where the condition holds, else Y, broadcast. Source: ONNX Where."""
    return np.where(condition, x, y)


@kernel("Gather")
def gather(data: np.ndarray, indices: np.ndarray, *, axis: int = 0) -> np.ndarray:
    """Y = the slices of data at indices along `axis`; negative indices count from the end. Source: ONNX Gather."""
    return np.take(data, indices, axis=axis)


@kernel("Concat")
def concat(*inputs: np.ndarray, axis: int) -> np.ndarray:
    """Y = the inputs one after another along `axis`. Source: ONNX Concat."""
    return np.concatenate(inputs, axis=axis)


@kernel("Reshape")
def reshape(data: np.ndarray, target: np.ndarray, *, allowzero: int = 0) -> np.ndarray:
    """Y = data in another shape: -1 is inferred, 0 keeps the dimension unless `allowzero`. Source: ONNX Reshape."""
    dims = target.tolist()
    if not allowzero:
        dims = [data.shape[i] if d == 0 else d for i, d in enumerate(dims)]
    if min(dims, default=0) < -1:
        raise ValueError(f"dimension {min(dims)} must be at least -1")
    return data.reshape(dims)


@kernel("Unsqueeze")
def unsqueeze(data: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Y = data with dimensions of 1 inserted at `axes` of the result. Source: ONNX Unsqueeze."""
    return np.expand_dims(data, tuple(axes.reshape(-1).tolist()))


@kernel("Squeeze")
def squeeze(data: np.ndarray, axes: np.ndarray | None = None) -> np.ndarray:
    """Y = data without its dimensions of 1, or without those at `axes`. Source: ONNX Squeeze."""
    return np.squeeze(data, None if axes is None else tuple(axes.reshape(-1).tolist()))


@kernel("Transpose")
def transpose(data: np.ndarray, *, perm: Sequence[int] | None = None) -> np.ndarray:
    """Y = data with its axes in the order `perm`, reversed by default. Source: ONNX Transpose."""
    return data.transpose(perm) if perm else data.transpose()


@kernel("ReduceProd")
def reduce_prod(
    data: np.ndarray, axes: np.ndarray | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> np.ndarray:
    """Y = the product over `axes`, over all when empty unless `noop_with_empty_axes`. Source: ONNX ReduceProd."""
    over = reduced_axes(axes, data.ndim, noop=noop_with_empty_axes)
    return np.asarray(np.prod(data, axis=over, keepdims=bool(keepdims), dtype=data.dtype))


@kernel("ConstantOfShape")
class ConstantOfShape:
    """Y = the one element of `value` (float 0 by default) in the shape given. Source: ONNX ConstantOfShape."""

    def prepare(self, node: Node, ctx: object, *, value: np.ndarray | None = None) -> None:
        """Keeps the value."""
        self._value = np.zeros(1, np.float32) if value is None else value.reshape(-1)
        if self._value.size != 1:
            raise ValueError(f"value must have one element, got {self._value.size}")

    def run(self, shape: np.ndarray) -> np.ndarray:
        """Fills the tensor."""
        return np.full(tuple(shape.tolist()), self._value[0], self._value.dtype)


@kernel("Range")
def range_(
    start: np.ndarray, limit: np.ndarray, delta: np.ndarray, *, stash_type: int = ElementType.FLOAT
) -> np.ndarray:
    """Y = start, start + delta, ... before limit, narrow floats computed in `stash_type`. Source: ONNX Range."""
    dtype = start.dtype
    compute = dtype if dtype.kind == "i" or dtype.itemsize > 2 else ElementType(stash_type).dtype
    first, last, step = (v.astype(compute).item() for v in (start, limit, delta))
    if dtype.kind == "i" and step:
        check_count((last - first) // step)
    elif step and (last - first) / step <= 0:
        # numpy takes a quotient that vanishes for an underflow, and gives one element.
        return np.empty(0, dtype)
    return np.arange(first, last, step).astype(dtype)
