"""QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear, against the reference kernels."""

import ml_dtypes
import numpy as np
import pytest
from movement_session import REJECTIONS, run_node

from ort_core.ir.types import ElementType
from ort_core.reference_ops.kernels.quantize import dequantize_linear, dynamic_quantize_linear, quantize_linear

INTEGERS = [
    np.dtype(t)
    for t in (np.uint8, np.int8, np.uint16, np.int16, ml_dtypes.uint4, ml_dtypes.int4, ml_dtypes.uint2, ml_dtypes.int2)
]
SMALL_FLOATS = [
    np.dtype(getattr(ml_dtypes, t))
    for t in (
        "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz",
        "float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn",
    )
]  # fmt: skip
FLOATS = [np.dtype(t) for t in (np.float32, np.float16, ml_dtypes.bfloat16)]

LAYOUTS = [
    ((7, 33), (), {}),
    ((7, 33), (1,), {}),
    ((7, 33), (33,), {"axis": 1}),
    ((7, 33), (7,), {"axis": 0}),
    ((2, 5, 3, 3), (5,), {"axis": -3}),
    ((4, 70), (4, 3), {"axis": 1, "block_size": 32}),
    ((70, 4), (3, 4), {"axis": 0, "block_size": 32}),
    ((3, 10, 5), (3, 2, 5), {"axis": 1, "block_size": 5}),
    ((0, 4), (4,), {"axis": 1}),
    ((3000, 5), (5,), {"axis": 1}),
]
_IDS = [f"{x}-{s}-{a}".replace(" ", "") for x, s, a in LAYOUTS]


def integers(shape, dtype, seed=0):
    limits = ml_dtypes.iinfo(dtype)
    wide = np.random.default_rng(seed).integers(int(limits.min), int(limits.max), shape, endpoint=True)
    return wide.astype(np.int32).astype(dtype)


def scales(shape, dtype=np.float32):
    return np.random.default_rng(9).uniform(0.02, 0.5, shape).astype(dtype)


def assert_equal(actual, expected):
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    np.testing.assert_array_equal(
        actual.view(f"u{actual.dtype.itemsize}"), expected.view(f"u{expected.dtype.itemsize}")
    )


def x_of(shape, dtype=np.float32):
    return np.random.default_rng(3).normal(0, 20, shape).astype(dtype)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize(("shape", "scale_shape", "attributes"), LAYOUTS, ids=_IDS)
def test_quantize_to_integers(shape, scale_shape, attributes, dtype):
    x, scale, zero = x_of(shape), scales(scale_shape), integers(scale_shape, dtype, 5)
    assert_equal(
        run_node("QuantizeLinear", x, scale, zero, threads=2, **attributes),
        quantize_linear(x, scale, zero, **attributes),
    )
    code = int(ElementType.from_dtype(dtype))
    actual = run_node("QuantizeLinear", x, scale, output_dtype=code, **attributes)
    assert_equal(actual, quantize_linear(x, scale, output_dtype=code, **attributes))


@pytest.mark.parametrize("dtype", [*INTEGERS, np.dtype(np.int32)], ids=str)
@pytest.mark.parametrize(("shape", "scale_shape", "attributes"), LAYOUTS, ids=_IDS)
def test_dequantize_integers(shape, scale_shape, attributes, dtype):
    x, scale, zero = integers(shape, dtype), scales(scale_shape), integers(scale_shape, dtype, 5)
    expected = dequantize_linear(x, scale, zero, **attributes)
    assert_equal(run_node("DequantizeLinear", x, scale, zero, threads=2, **attributes), expected)
    assert_equal(run_node("DequantizeLinear", x, scale, **attributes), dequantize_linear(x, scale, **attributes))


@pytest.mark.parametrize("saturate", [0, 1])
@pytest.mark.parametrize("dtype", SMALL_FLOATS, ids=str)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_small_floats(dtype, saturate):
    x, scale = np.append(x_of(300), [1e9, -1e9, 0, -0.0]).astype(np.float32), scales(())
    zero = np.zeros((), dtype)
    q = run_node("QuantizeLinear", x, scale, zero, saturate=saturate)
    assert_equal(q, quantize_linear(x, scale, zero, saturate=saturate))
    finite = q[np.isfinite(q.astype(np.float32))]
    assert_equal(run_node("DequantizeLinear", finite, scale, zero), dequantize_linear(finite, scale, zero))


@pytest.mark.parametrize("scale_dtype", [*FLOATS, np.dtype(np.int32), np.dtype(ml_dtypes.float8_e8m0fnu)], ids=str)
@pytest.mark.parametrize("x_dtype", [*FLOATS, np.dtype(np.int32)], ids=str)
def test_precision_of_the_division(x_dtype, scale_dtype):
    x = x_of((3, 300), x_dtype)
    scale = (
        np.array([2, 4, 1]).astype(scale_dtype) if scale_dtype.itemsize != 2 else np.array([0.3, 0.7, 1.1], scale_dtype)
    )
    zero = np.array([100, 120, 130], np.uint8)
    expected = quantize_linear(x, scale, zero, axis=0)
    assert_equal(run_node("QuantizeLinear", x, scale, zero, axis=0), expected)
    if scale_dtype != np.float16:
        actual = run_node("QuantizeLinear", x, scale, zero, axis=0, precision=int(ElementType.FLOAT))
        assert_equal(actual, quantize_linear(x, scale, zero, axis=0, precision=int(ElementType.FLOAT)))


@pytest.mark.parametrize("scale_dtype", [*FLOATS, np.dtype(ml_dtypes.float8_e8m0fnu)], ids=str)
@pytest.mark.parametrize("target", [ElementType.FLOAT, ElementType.FLOAT16, ElementType.BFLOAT16], ids=lambda t: t.name)
def test_type_of_dequantised(scale_dtype, target):
    x, scale = integers((3, 40), np.dtype(np.int8)), np.array([0.5, 1, 2], np.float32).astype(scale_dtype)
    attributes = {"axis": 0, "output_dtype": int(target)}
    assert_equal(run_node("DequantizeLinear", x, scale, **attributes), dequantize_linear(x, scale, **attributes))


DYNAMIC = {
    "one": x_of(1),
    "large": x_of((3, 70001)),
    "positive": np.abs(x_of(50)),
    "negative": -np.abs(x_of(50)),
    "zeros": np.zeros((2, 3), np.float32),
    "empty": np.zeros((0,), np.float32),
}


@pytest.mark.parametrize("x", DYNAMIC.values(), ids=DYNAMIC.keys())
def test_dynamic(x):
    results = run_node("DynamicQuantizeLinear", x, outputs=3, threads=2)
    for actual, expected in zip(results, dynamic_quantize_linear(x), strict=True):
        assert_equal(actual, np.asarray(expected))


def test_extremes_saturate():
    x = np.array([np.inf, -np.inf, 1e30, -1e30, np.nan] * 5, np.float32)
    for zero in (np.uint8(3), np.int8(-3), np.int16(7)):
        expected = quantize_linear(x, np.asarray(0.1, np.float32), np.asarray(zero))
        assert_equal(run_node("QuantizeLinear", x, np.float32(0.1), zero), expected)


def test_wrong_shapes_are_rejected():
    x = x_of((4, 6))
    for scale, zero, attributes in [
        (scales(5), None, {}),
        (scales(4), None, {"axis": 2}),
        (scales(6), np.zeros(4, np.uint8), {}),
        (scales((4, 2)), None, {"block_size": 4, "axis": 0}),
        (scales((4, 2)), None, {"block_size": -3}),
    ]:
        with pytest.raises(REJECTIONS):
            run_node("QuantizeLinear", x, scale, zero, **attributes)
    with pytest.raises(REJECTIONS):
        run_node(
            "DequantizeLinear", x.astype(ml_dtypes.float8_e4m3fn), scales(()), np.ones((), ml_dtypes.float8_e4m3fn)
        )
