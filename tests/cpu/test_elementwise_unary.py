"""Element-wise operators of one tensor, against double precision."""

import math

import ml_dtypes
import numpy as np
import pytest
from movement_session import assert_same, run_node

FLOATS = [np.dtype(t) for t in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)]
SIGNED = [np.dtype(t) for t in (np.int8, np.int16, np.int32, np.int64)]
UNSIGNED = [np.dtype(t) for t in (np.uint8, np.uint16, np.uint32, np.uint64)]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _softplus(x):
    return np.logaddexp(x, 0)


def _elu(x, alpha=1.0):
    return np.where(x < 0, alpha * np.expm1(x), x)


FUNCTIONS = {
    "Abs": np.abs,
    "Neg": np.negative,
    "Sign": np.sign,
    "Ceil": np.ceil,
    "Floor": np.floor,
    "Round": np.rint,
    "Sqrt": np.sqrt,
    "Reciprocal": lambda x: 1 / x,
    "Exp": np.exp,
    "Log": np.log,
    "Sin": np.sin,
    "Cos": np.cos,
    "Tan": np.tan,
    "Asin": np.arcsin,
    "Acos": np.arccos,
    "Atan": np.arctan,
    "Sinh": np.sinh,
    "Cosh": np.cosh,
    "Tanh": np.tanh,
    "Asinh": np.arcsinh,
    "Acosh": np.arccosh,
    "Atanh": np.arctanh,
    "Erf": _erf,
    "Sigmoid": _sigmoid,
    "Relu": lambda x: np.maximum(x, 0),
    "Softplus": _softplus,
    "Softsign": lambda x: x / (1 + np.abs(x)),
    "Mish": lambda x: x * np.tanh(_softplus(x)),
    "HardSwish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "Selu": lambda x: np.float32(1.05070102) * _elu(x, np.float64(np.float32(1.67326319))),
}

WITH_ATTRIBUTES = [
    ("LeakyRelu", {}, lambda x: np.where(x < 0, np.float64(np.float32(0.01)) * x, x)),
    ("LeakyRelu", {"alpha": -0.5}, lambda x: np.where(x < 0, -0.5 * x, x)),
    ("ThresholdedRelu", {"alpha": 0.25}, lambda x: np.where(x > 0.25, x, 0)),
    ("Elu", {"alpha": 1.5}, lambda x: _elu(x, 1.5)),
    ("Celu", {"alpha": 2.0}, lambda x: np.where(x < 0, 2 * np.expm1(x / 2), x)),
    ("Selu", {"alpha": 1.5, "gamma": 2.0}, lambda x: 2 * _elu(x, 1.5)),
    ("HardSigmoid", {"alpha": 0.5, "beta": 0.25}, lambda x: np.clip(0.5 * x + 0.25, 0, 1)),
    ("Gelu", {}, lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2)))),
    (
        "Gelu",
        {"approximate": "tanh"},
        lambda x: (
            0.5 * x * (1 + np.tanh(math.sqrt(np.float32(2 / math.pi)) * (x + np.float64(np.float32(0.044715)) * x**3)))
        ),
    ),
    ("Swish", {}, lambda x: x * _sigmoid(x)),
    ("Swish", {"alpha": -0.5}, lambda x: x * _sigmoid(-0.5 * x)),
    ("Shrink", {"lambd": 1.5, "bias": 0.5}, lambda x: np.where(x < -1.5, x + 0.5, np.where(x > 1.5, x - 0.5, 0))),
]

ALL = [(op, {}, f) for op, f in FUNCTIONS.items()] + WITH_ATTRIBUTES
IDS = [f"{op}-{i}" for i, (op, _, _) in enumerate(ALL)]

TOLERANCE = {"float32": 5e-7, "float64": 3e-15, "float16": 1e-3, "bfloat16": 8e-3}


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize(("op", "attributes", "function"), ALL, ids=IDS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_float_function(op, attributes, function, dtype):
    if op == "Shrink" and dtype == ml_dtypes.bfloat16:
        pytest.skip("not a type of Shrink")
    x = np.concatenate([np.linspace(-9, 9, 1201), np.linspace(-1, 1, 402), np.random.default_rng(0).normal(0, 30, 300)])
    x = x.astype(dtype)
    expected = function(x.astype(np.float64))
    actual = run_node(op, x, **attributes)
    assert actual.dtype == dtype
    tolerance = TOLERANCE[dtype.name]
    if op == "HardSwish":
        tolerance = max(tolerance, 1e-7)
    largest = float(ml_dtypes.finfo(dtype).max)
    expected = np.where(np.abs(expected) > largest, np.copysign(np.inf, expected), expected)
    np.testing.assert_allclose(actual.astype(np.float64), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", FLOATS[:2], ids=str)
@pytest.mark.parametrize("op", sorted(FUNCTIONS.keys() - {"Sin", "Cos", "Tan", "Mish", "Softsign", "HardSwish"}))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_limits_and_nan(op, dtype):
    x = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e30, -1e30], dtype)
    expected = FUNCTIONS[op](x.astype(np.float64)).astype(dtype)
    np.testing.assert_allclose(run_node(op, x), expected, rtol=5e-7)


@pytest.mark.parametrize("op", ["Sin", "Cos", "Tan"])
def test_trigonometry_of_large_arguments(op):
    x = np.array([8191.5, -8192.5, 1e5, 1e10, -3e38, 12345678.0] * 3, np.float32)
    np.testing.assert_allclose(run_node(op, x), FUNCTIONS[op](x.astype(np.float64)), rtol=1e-6)


@pytest.mark.parametrize("size", [0, 1, 3, 7, 8, 15, 16, 17, 31, 33, 1023, 70001])
def test_sizes(size):
    x = np.linspace(-4, 4, size).astype(np.float32)
    np.testing.assert_allclose(run_node("Tanh", x, threads=2), np.tanh(x), rtol=1e-6)
    half = x.astype(np.float16)
    np.testing.assert_allclose(run_node("Exp", half), np.exp(half), rtol=2e-3)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,), (2, 3, 4)])
def test_shapes(shape):
    x = np.full(shape, -1.5, np.float32)
    assert_same(run_node("Relu", x), np.maximum(x, 0))


@pytest.mark.parametrize("dtype", SIGNED + UNSIGNED, ids=str)
def test_integers(dtype):
    limits = np.iinfo(dtype)
    x = np.array([limits.min, limits.min + 1, 0, 1, 2, limits.max], dtype)
    assert_same(run_node("Abs", x), np.abs(x))
    assert_same(run_node("Sign", x), np.sign(x))
    assert_same(run_node("BitwiseNot", x), ~x)
    if dtype.kind == "i":
        assert_same(run_node("Neg", x), np.negative(x))
        assert_same(run_node("Relu", x), np.maximum(x, 0))
    small = np.arange(limits.min if limits.bits == 8 else 0, 100, 3).astype(dtype)
    expected = np.where(small < -1.5, small + 1.0, np.where(small > 1.5, small - 1.0, 0)).astype(dtype)
    assert_same(run_node("Shrink", small, lambd=1.5, bias=1.0), expected)


@pytest.mark.parametrize(
    "dtype",
    [*FLOATS, *(np.dtype(getattr(ml_dtypes, f"float8_{t}")) for t in ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz"))],
    ids=str,
)
def test_nan_and_infinity_are_found(dtype):
    x = np.array([0, -0.0, 1, -1, np.nan, -np.nan, np.inf, -np.inf, 0.01], np.float32).astype(dtype)
    wide = x.astype(np.float32)
    assert_same(run_node("IsNaN", x), np.isnan(wide))
    assert_same(run_node("IsInf", x), np.isinf(wide))
    assert_same(run_node("IsInf", x, detect_negative=0), np.isposinf(wide))
    assert_same(run_node("IsInf", x, detect_positive=0), np.isneginf(wide))


def test_not():
    x = np.array([[True, False, False]])
    assert_same(run_node("Not", x), ~x)


@pytest.mark.parametrize("dtype", FLOATS + SIGNED + UNSIGNED, ids=str)
def test_clip(dtype):
    x = np.arange(100).astype(dtype)
    low, high = np.asarray(10, dtype), np.asarray(70, dtype)
    assert_same(run_node("Clip", x, low, high), np.minimum(np.maximum(x, low), high))
    assert_same(run_node("Clip", x, None, high), np.minimum(x, high))
    assert_same(run_node("Clip", x, low), np.maximum(x, low))
    assert_same(run_node("Clip", x), x)
    assert_same(run_node("Clip", x, high, low), np.full_like(x, low))


def test_clip_keeps_nan():
    x = np.array([np.nan, -3, 3] * 9, np.float32)
    assert_same(run_node("Clip", x, np.float32(-1), np.float32(1)), np.clip(x, -1, 1))


def test_dropout_is_the_identity():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    y, mask = run_node("Dropout", x, np.float32(0.7), outputs=2)
    assert_same(y, x)
    assert_same(mask, np.ones((2, 3), bool))
