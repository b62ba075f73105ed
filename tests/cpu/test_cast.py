"""Cast, CastLike, BitCast between all types of a fixed size, against the reference kernels."""

import ml_dtypes
import numpy as np
import pytest
from movement_session import REJECTIONS, run_node
from onnx import helper

from ort_core.ir.types import ElementType
from ort_core.reference_ops.kernels.conversion import _Conversion

TYPES = [t for t in ElementType if t.name not in ("UNDEFINED", "STRING", "COMPLEX64", "COMPLEX128")]
FLOATS = [t for t in TYPES if "FLOAT" in t.name or t.name == "DOUBLE"]
INTEGERS = [t for t in TYPES if "INT" in t.name]
WITHOUT_NAN = [t for t in FLOATS if t.name.startswith(("FLOAT4", "FLOAT6"))]
SMALL_FLOATS = [t for t in FLOATS if t.dtype.itemsize == 1]


def bits(array):
    """The array as unsigned integers, NaN of any sign and payload as one."""
    array = np.atleast_1d(array)
    if "float" in array.dtype.name:
        wide = array.astype(np.float64)
        return np.where(np.isnan(wide), np.float64(12345.678), wide).view(np.uint64), np.signbit(wide) & ~np.isnan(wide)
    return array.view(f"u{array.dtype.itemsize}"), None


def assert_same_bits(actual, expected):
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    for a, e in zip(bits(actual), bits(expected), strict=True):
        np.testing.assert_array_equal(a, e)


def every_value(element):
    """All values of a small type, many of a large one, that all targets can hold or cut in one defined way."""
    dtype = element.dtype
    if dtype.itemsize == 1 and element is not ElementType.BOOL:
        count = {"4": 16, "2": 4}.get(element.name[-1], 256) if element.name.endswith(("INT4", "INT2")) else 256
        count = 16 if element.name == "FLOAT4E2M1" else 64 if element.name.startswith("FLOAT6") else count
        return np.arange(count, dtype=np.uint8).view(dtype)
    rng = np.random.default_rng(0)
    if element is ElementType.BOOL:
        return rng.integers(0, 2, 70).astype(bool)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        wide = rng.integers(limits.min, limits.max, 300, dtype, endpoint=True)
        small = np.arange(-20 if dtype.kind == "i" else 0, 300).astype(dtype)
        return np.concatenate([wide, small, np.array([limits.min, limits.max], dtype)])
    return np.concatenate([rng.normal(0, 40, 1100), np.arange(-8, 9) / 2, [0, -0.0]]).astype(dtype)


def integers_of(element):
    """The range of an integer type."""
    return ml_dtypes.iinfo(element.dtype) if "INT" in element.name else None


@pytest.mark.parametrize("target", TYPES, ids=lambda t: t.name)
@pytest.mark.parametrize("source", TYPES, ids=lambda t: t.name)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_pair(source, target):
    x = every_value(source)
    if source in FLOATS and target in INTEGERS:
        wide = x.astype(np.float64)
        limits = integers_of(target)
        # Beyond its range the value of an integer is undefined.
        x = x[np.isfinite(wide) & (wide > float(limits.min) - 1) & (wide < float(limits.max) + 1)]
    if target is ElementType.FLOAT8E8M0:
        x = x[x.astype(np.float64) > 0]
    if target in WITHOUT_NAN:
        x = x[~np.isnan(x.astype(np.float64))]
    expected = x if source is target else _Conversion(True, "up")(x, target)
    assert_same_bits(run_node("Cast", x, to=int(target)), expected)


@pytest.mark.parametrize("target", SMALL_FLOATS, ids=lambda t: t.name)
@pytest.mark.parametrize("saturate", [0, 1])
@pytest.mark.parametrize("round_mode", ["up", "down", "nearest"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_rounding_and_saturation(target, saturate, round_mode):
    if target is not ElementType.FLOAT8E8M0 and round_mode != "up":
        pytest.skip("only powers of two have it")
    values = every_value(target).astype(np.float32)
    values = np.sort(values[np.isfinite(values)])
    ties = (values[1:] + values[:-1]) / 2
    near = [values, ties, np.nextafter(ties, np.inf), np.nextafter(ties, -np.inf), values * 1.2, values * 300]
    x = np.concatenate([*near, [np.nan, np.inf, 1e30, 1e-30]]).astype(np.float32)
    if target is ElementType.FLOAT8E8M0:
        x = np.append(np.abs(x), [0, 1e-45, 3e38]).astype(np.float32)
    else:
        x = np.append(x, [-np.inf, -1e30, -1e-30, -0.0]).astype(np.float32)
    expected = _Conversion(bool(saturate), round_mode)(x, target)
    attributes = {"to": int(target), "saturate": saturate, "round_mode": round_mode}
    assert_same_bits(run_node("Cast", x, **attributes), expected)


def test_half_floats_round_once():
    exact = np.arange(1, 4000, dtype=np.float64) / 1024
    ties = exact + 2.0**-11
    edges = [65519.999, 65520, 1e300, 5e-8, 2**-25, 2**-25 + 1e-20]
    x = np.concatenate([ties, ties + 1e-13, ties - 1e-13, edges])
    with np.errstate(over="ignore"):
        assert_same_bits(run_node("Cast", x, to=int(ElementType.FLOAT16)), x.astype(np.float16))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=["float16", "bfloat16"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_16_bit_float(dtype):
    x = np.arange(65536, dtype=np.uint16).view(dtype)
    wide = run_node("Cast", x, to=int(ElementType.FLOAT), threads=2)
    assert_same_bits(wide, x.astype(np.float32))
    back = run_node("Cast", wide, to=int(ElementType.from_dtype(np.dtype(dtype))))
    assert_same_bits(back, x)
    ties = (wide[:-1].astype(np.float64) + wide[1:]) / 2
    ties = ties[np.isfinite(ties)].astype(np.float32)
    for near in (ties, np.nextafter(ties, np.float32(np.inf)), np.nextafter(ties, np.float32(-np.inf))):
        assert_same_bits(run_node("Cast", near, to=int(ElementType.from_dtype(np.dtype(dtype)))), near.astype(dtype))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_integers_out_of_range_are_defined(dtype):
    x = np.array([3e9, -3e9, 1e19, -1e19, 1e30, np.nan, np.inf, -np.inf] * 5, dtype)
    for target in (np.int32, np.int64):
        actual = run_node("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(target)))
        limits = np.iinfo(target)
        inside = (x > limits.min) & (x < limits.max)
        np.testing.assert_array_equal(actual, [int(v) if ok else limits.min for v, ok in zip(x, inside, strict=True)])
    for target in (np.int8, np.uint8, np.int16, np.uint16, np.uint32, np.uint64):
        run_node("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(target)))


def test_cast_like():
    x = np.array([-1.5, 300, 0.2], np.float32)
    assert_same_bits(run_node("CastLike", x, np.zeros(5, np.float16)), x.astype(np.float16))
    assert_same_bits(run_node("CastLike", x, np.zeros((0,), bool)), x.astype(bool))


def test_cast_to_the_same_type_is_the_identity():
    x = np.array([[1, np.nan], [-0.0, np.inf]], np.float32)
    assert_same_bits(run_node("Cast", x, to=int(ElementType.FLOAT)), x)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3, 4), (70001,)], ids=str)
def test_shapes(shape):
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(np.int64)
    assert_same_bits(run_node("Cast", x, to=int(ElementType.FLOAT), threads=2), x.astype(np.float32))


def test_bit_cast():
    x = np.array([1.5, -0.0, np.nan], np.float32)
    assert_same_bits(run_node("BitCast", x, to=int(ElementType.INT32)), x.view(np.int32))
    y = np.array([-1, 3], np.int64)
    assert_same_bits(run_node("BitCast", y, to=int(ElementType.DOUBLE)), y.view(np.float64))
    with pytest.raises(REJECTIONS):
        run_node("BitCast", x, to=int(ElementType.INT16))
