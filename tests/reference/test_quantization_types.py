"""Quantisation to and from every type, against the formula in double precision."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from reference_helpers import f32, run, run_all
from type_sweep import E, elements_allowed, schemas

QUANTISED = elements_allowed(schemas()["", "QuantizeLinear"], "T3")
DEQUANTISED = elements_allowed(schemas()["", "DequantizeLinear"], "T1")
SCALES = elements_allowed(schemas()["", "DequantizeLinear"], "T2")
X = f32(-40, -3.3, -1, -0.5, 0, 0.5, 1.5, 2.5, 40)


def is_integer(element: E) -> bool:
    return "INT" in element.name


def limits(element: E) -> tuple[float, float]:
    info = ml_dtypes.iinfo(element.dtype) if is_integer(element) else ml_dtypes.finfo(element.dtype)
    return float(info.min), float(info.max)


def quantised(real: np.ndarray, point: float, element: E) -> np.ndarray:
    low, high = limits(element)
    if is_integer(element):
        return np.clip(np.rint(real) + point, low, high)
    return np.clip(real, low, high).astype(np.float32).astype(element.dtype).astype(np.float64)


@pytest.mark.parametrize("element", QUANTISED, ids=lambda e: e.onnx_name)
def test_quantise_to_every_type(element: E) -> None:
    point = np.array(1 if is_integer(element) else 0).astype(np.int8).astype(element.dtype)
    for real in (np.float32, np.float16, ml_dtypes.bfloat16):
        x, scale = X.astype(real), np.array(0.5, real)
        y = run("QuantizeLinear", x, scale, point, types=(element.dtype,))
        assert y.dtype == element.dtype
        expected = quantised(x.astype(np.float64) / 0.5, float(point), element)
        np.testing.assert_array_equal(y.astype(np.float64), expected)
        by_attribute = run("QuantizeLinear", x, scale, output_dtype=int(element), types=(element.dtype,))
        np.testing.assert_array_equal(
            by_attribute.astype(np.float64), quantised(x.astype(np.float64) / 0.5, 0, element)
        )


@pytest.mark.parametrize("element", DEQUANTISED, ids=lambda e: e.onnx_name)
@pytest.mark.parametrize("scale_type", SCALES, ids=lambda e: e.onnx_name)
def test_dequantise_every_type(element: E, scale_type: E) -> None:
    low, high = limits(element)
    x = np.clip(np.array([-3, 0, 1, 2]), low, high).astype(np.int8).astype(element.dtype)
    point = np.array(1 if is_integer(element) else 0).astype(np.int8).astype(element.dtype)
    scale = np.array(0.5, np.float32).astype(scale_type.dtype)
    for output in (E.FLOAT, E.FLOAT16, E.BFLOAT16):
        y = run("DequantizeLinear", x, scale, point, output_dtype=int(output), types=(output.dtype,))
        assert y.dtype == output.dtype
        np.testing.assert_array_equal(y.astype(np.float64), (x.astype(np.float64) - float(point)) * 0.5)


def test_int32_is_dequantised_without_overflow() -> None:
    x = np.int32([2**31 - 1, -(2**31)])
    y = run("DequantizeLinear", x, np.array(1, np.float32), np.array(-5, np.int32), types=(np.float32,))
    assert y.tolist() == [float(np.float32(2**31 + 4)), float(np.float32(-(2**31) + 5))]


@pytest.mark.parametrize(("a_type", "b_type"), [(a, b) for a in (np.uint8, np.int8) for b in (np.uint8, np.int8)])
def test_products_of_8_bit_integers(a_type: type, b_type: type) -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(0, 100, (3, 4)).astype(a_type), random.integers(0, 100, (4, 2)).astype(b_type)
    points = np.array(3, a_type), np.array(5, b_type)
    wide = (a.astype(np.int64) - 3) @ (b.astype(np.int64) - 5)
    assert run("MatMulInteger", a, b, *points, types=(np.int32,)).tolist() == wide.tolist()
    scales = [np.array(v, np.float32) for v in (0.5, 0.25, 64)]
    for target in (np.uint8, np.int8):
        y = run(
            "QLinearMatMul",
            a,
            scales[0],
            points[0],
            b,
            scales[1],
            points[1],
            scales[2],
            np.array(7, target),
            types=(target,),
        )
        info = np.iinfo(target)
        assert y.tolist() == np.clip(np.rint(wide * 0.125 / 64) + 7, info.min, info.max).tolist()


def test_dynamic_quantisation_covers_zero_and_the_range() -> None:
    y, scale, point = run_all("DynamicQuantizeLinear", f32(-1, 0, 3), outputs=3, types=(np.uint8, np.float32, np.uint8))
    assert (y.tolist(), point.tolist()) == ([0, 64, 255], 64)
    np.testing.assert_allclose(scale, 4 / 255, rtol=1e-6)
