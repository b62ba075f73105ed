"""Quantisation: QuantizeLinear, DequantizeLinear, and products of quantised tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ort_core.ir.types import ElementType
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.conv import convolve, shift, wrap_int32
from ort_core.reference_ops.kernels.conversion import saturated
from ort_core.reference_ops.kernels.numerics import axis_index, cast, on_axis

_RANGES = {
    ElementType.UINT8: (0, 255),
    ElementType.INT8: (-128, 127),
    ElementType.UINT16: (0, 65535),
    ElementType.INT16: (-32768, 32767),
    ElementType.UINT4: (0, 15),
    ElementType.INT4: (-8, 7),
    ElementType.UINT2: (0, 3),
    ElementType.INT2: (-2, 1),
}


@kernel("QuantizeLinear")
def quantize_linear(
    x: np.ndarray,
    y_scale: np.ndarray,
    y_zero_point: np.ndarray | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> np.ndarray:
    """Y = saturate(round_half_even(X / scale) + zero_point). Source: ONNX QuantizeLinear.

    Scale and zero point are one, one for each index of `axis`, or one for each block of `block_size` along it.
    """
    if y_zero_point is not None:
        element = ElementType.from_dtype(y_zero_point.dtype)
        if output_dtype and output_dtype != element:
            raise ValueError(
                f"output_dtype is {ElementType(output_dtype).onnx_name}, y_zero_point is {element.onnx_name}"
            )
    else:
        element = ElementType(output_dtype or ElementType.UINT8)
    scale = along_axis(y_scale, x.shape, axis, block_size)
    compute = ElementType(precision).dtype if precision else _division_type(scale.dtype)
    scaled = x.astype(compute) / scale.astype(compute)
    if element in _RANGES:
        point = None if y_zero_point is None else along_axis(y_zero_point, x.shape, axis, block_size)
        return saturate_integer(scaled, point, element)
    if y_zero_point is not None:
        _check_float_zero_point(y_zero_point, element)
    if saturate and element.name.startswith("FLOAT8"):
        return saturated(scaled, element)
    return cast(scaled, element.dtype)


def _division_type(scale: np.dtype) -> np.dtype:
    if scale.kind in "iu":
        return np.dtype(np.float64)
    return scale if scale.itemsize > 1 else np.dtype(np.float32)


@kernel("DequantizeLinear")
def dequantize_linear(
    x: np.ndarray,
    x_scale: np.ndarray,
    x_zero_point: np.ndarray | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> np.ndarray:
    """Y = (X - zero_point) * scale, with one of both, one for each index of `axis`, or one for each block along it.

    Source: ONNX DequantizeLinear.
    """
    element = ElementType.from_dtype(x.dtype)
    real = x.astype(np.float32) if element not in _RANGES and element is not ElementType.INT32 else x.astype(np.int64)
    if x_zero_point is not None:
        if x_zero_point.dtype != x.dtype:
            raise ValueError(f"x is {element.onnx_name}, x_zero_point is {x_zero_point.dtype.name}")
        _check_float_zero_point(x_zero_point, element)
        real = real - along_axis(x_zero_point.astype(real.dtype), x.shape, axis, block_size)
    y = real.astype(np.float32) * along_axis(x_scale.astype(np.float32), x.shape, axis, block_size)
    return cast(y, ElementType(output_dtype).dtype if output_dtype else x_scale.dtype)


@kernel("DynamicQuantizeLinear")
def dynamic_quantize_linear(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Y uint8, scale and zero point such that the range of X and 0 becomes 0 to 255.

    As in onnxruntime the scale is 1 if all of X is 0. Source: ONNX DynamicQuantizeLinear.
    """
    low, high = x.min(initial=0), x.max(initial=0)
    scale = (high - low) / np.float32(255) if high > low else np.float32(1)
    zero_point = saturate_integer(np.asarray(-low / scale), None, ElementType.UINT8)
    y = saturate_integer(x / scale, zero_point, ElementType.UINT8)
    return y, np.asarray(scale, np.float32), zero_point


def _check_float_zero_point(zero_point: np.ndarray, element: ElementType) -> None:
    if element not in _RANGES and element is not ElementType.INT32 and zero_point.astype(np.float32).any():
        raise ValueError(f"the zero point of {element.onnx_name} must be zero")


def along_axis(parameter: np.ndarray, shape: tuple[int, ...], axis: int, block_size: int) -> np.ndarray:
    """A scale or zero point, shaped to broadcast against a tensor of `shape`.

    Raises:
        ValueError: it does not fit.
    """
    if parameter.size == 1 and not (block_size and parameter.ndim):
        return parameter.reshape(())
    axis = axis_index(axis, len(shape))
    if block_size:
        if parameter.ndim != len(shape) or -(-shape[axis] // block_size) != parameter.shape[axis]:
            raise ValueError(f"shape {parameter.shape} does not hold a value for each block of {block_size} in {shape}")
        repeated = np.repeat(parameter, block_size, axis=axis)
        return repeated[(slice(None),) * axis + (slice(shape[axis]),)]
    if parameter.shape != (shape[axis],):
        raise ValueError(
            f"shape {parameter.shape} does not hold a value for each of the {shape[axis]} along axis {axis}"
        )
    return on_axis(parameter, axis, len(shape))


def saturate_integer(real: np.ndarray, zero_point: np.ndarray | None, element: ElementType) -> np.ndarray:
    """round_half_even(real) + zero_point, clipped to the range of `element`; NaN is its lowest, as in onnxruntime."""
    low, high = _RANGES[element]
    rounded = np.rint(real.astype(np.float64))
    if zero_point is not None:
        rounded += zero_point.astype(np.float64)
    clipped = np.clip(np.where(np.isnan(rounded), low, rounded), low, high)
    return clipped.astype(element.dtype) if element.bits >= 8 else clipped.astype(np.int8).astype(element.dtype)


@kernel("MatMulInteger")
def matmul_integer(
    a: np.ndarray, b: np.ndarray, a_zero_point: np.ndarray | None = None, b_zero_point: np.ndarray | None = None
) -> np.ndarray:
    """Y = (A - a_zero_point) (B - b_zero_point), 8-bit to int32; zero points one, or for each row of A and column of B.

    Source: ONNX MatMulInteger.
    """
    return wrap_int32(_shifted_product(a, a_zero_point, b, b_zero_point))


def _shifted_product(
    a: np.ndarray, a_zero_point: np.ndarray | None, b: np.ndarray, b_zero_point: np.ndarray | None
) -> np.ndarray:
    rows = shift(a, None if a_zero_point is None else _per_row(a_zero_point, a), per_output=False)
    product: np.ndarray = np.matmul(rows, shift(b, b_zero_point, per_output=False))
    return product


def _per_row(parameter: np.ndarray, a: np.ndarray) -> np.ndarray:
    return parameter[:, None] if parameter.ndim == 1 and parameter.size > 1 and a.ndim > 1 else parameter


@kernel("QLinearMatMul")
def qlinear_matmul(
    a: np.ndarray,
    a_scale: np.ndarray,
    a_zero_point: np.ndarray,
    b: np.ndarray,
    b_scale: np.ndarray,
    b_zero_point: np.ndarray,
    y_scale: np.ndarray,
    y_zero_point: np.ndarray,
) -> np.ndarray:
    """Y = quantised((A - a_zero_point) (B - b_zero_point) a_scale b_scale / y_scale). Source: ONNX QLinearMatMul."""
    product = _shifted_product(a, a_zero_point, b, b_zero_point)
    single = np.dtype(np.float32)
    factor = cast(_per_row(a_scale, a), single) * cast(b_scale, single) / cast(_per_row(y_scale, a), single)
    element = ElementType.from_dtype(y_zero_point.dtype)
    if element not in _RANGES:
        return cast(product * factor, element.dtype)
    return saturate_integer(product * factor, _per_row(y_zero_point, a), element)


@kernel("QLinearConv")
def qlinear_conv(
    x: np.ndarray,
    x_scale: np.ndarray,
    x_zero_point: np.ndarray,
    w: np.ndarray,
    w_scale: np.ndarray,
    w_zero_point: np.ndarray,
    y_scale: np.ndarray,
    y_zero_point: np.ndarray,
    b: np.ndarray | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> np.ndarray:
    """Y = quantised((Conv(X - x_zero_point, W - w_zero_point) + B) x_scale w_scale / y_scale). Source: ONNX QLinearConv."""
    shifted_x, shifted_w = shift(x, x_zero_point, per_output=False), shift(w, w_zero_point, per_output=True)
    sums = convolve(shifted_x, shifted_w, group, kernel_shape, strides, dilations, pads, auto_pad)
    if b is not None:
        sums += on_axis(b, 1, x.ndim)
    real = sums * on_axis(x_scale * w_scale / y_scale, 1, x.ndim)
    return saturate_integer(real, y_zero_point, ElementType.from_dtype(y_zero_point.dtype))
