"""Element-wise operators of several tensors, against numpy: types, broadcasting, integers that overflow."""

import functools

import ml_dtypes
import numpy as np
import pytest
from movement_session import REJECTIONS, assert_same, run_node

FLOATS = [np.dtype(t) for t in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)]
SIGNED = [np.dtype(t) for t in (np.int8, np.int16, np.int32, np.int64)]
UNSIGNED = [np.dtype(t) for t in (np.uint8, np.uint16, np.uint32, np.uint64)]
INTEGERS = SIGNED + UNSIGNED
NUMBERS = FLOATS + INTEGERS

SHAPES = [
    ((5,), (5,)),
    ((), (3, 4)),
    ((3, 4), ()),
    ((1, 1), (1,)),
    ((2, 0), (2, 1)),
    ((200, 3), (3,)),
    ((200, 3), (200, 1)),
    ((1, 3), (200, 1)),
    ((7, 65), (65,)),
    ((7, 65), (7, 1)),
    ((70, 5, 3), (5, 1)),
    ((70, 5, 3), (5, 3)),
    ((70, 1, 3), (1, 5, 1)),
    ((2, 4, 5, 6), (1, 4, 1, 1)),
    ((2, 3, 7, 5, 16), (1, 3, 1, 1, 16)),
    ((2, 3, 100, 16), (2, 3, 1, 16)),
    ((2, 3, 100, 16), (3, 1, 1)),
    ((3, 5, 90, 4), (3, 1, 90, 4)),
    ((6, 1, 5, 1, 3), (1, 4, 1, 2, 3)),
    ((1, 700), (700, 1)),
    ((40, 17, 33), (40, 1, 33)),
    ((2,) * 8, (2, 1) * 4),
]
_SHAPE_IDS = [f"{a}{b}".replace(" ", "") for a, b in SHAPES]


def values(shape, dtype, seed=0):
    """Any integers; floats around 0."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    return rng.normal(0, 3, shape).astype(dtype)


def through_float(function, dtype):
    """`function`, for 16-bit floats computed in float32 and rounded once."""
    if dtype.itemsize > 2 or dtype in INTEGERS:
        return function
    return lambda *args: function(*(a.astype(np.float32) for a in args)).astype(dtype)


ARITHMETIC = {"Add": np.add, "Sub": np.subtract, "Mul": np.multiply}


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
@pytest.mark.parametrize("op", ARITHMETIC)
def test_arithmetic(op, dtype):
    for a_shape, b_shape in SHAPES[:10]:
        a, b = values(a_shape, dtype), values(b_shape, dtype, 1)
        assert_same(run_node(op, a, b), through_float(ARITHMETIC[op], dtype)(a, b))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("a_shape", "b_shape"), SHAPES, ids=_SHAPE_IDS)
def test_broadcasting(a_shape, b_shape, threads):
    a, b = values(a_shape, np.float32), values(b_shape, np.float32, 1)
    assert_same(run_node("Sub", a, b, threads=threads), a - b)
    assert_same(run_node("Sub", b, a, threads=threads), b - a)
    assert_same(run_node("Less", a, b), a < b)
    assert_same(run_node("Greater", a, b), a > b)


@pytest.mark.parametrize(
    ("a_shape", "b_shape"),
    [((900, 300), (300,)), ((900, 300), (900, 1)), ((50000, 7), (1, 7)), ((50000, 7), (50000, 1))],
    ids=str,
)
def test_large_broadcasts_by_several_threads(a_shape, b_shape):
    a, b = values(a_shape, np.float32), values(b_shape, np.float32, 1)
    assert_same(run_node("Mul", a, b, threads=3), a * b)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_division_of_floats(dtype):
    a, b = values((3, 50), dtype), values(50, dtype, 1)
    b[3:5] = 0
    assert_same(run_node("Div", a, b), through_float(np.divide, dtype)(a, b))


def _truncated(a, b):
    pairs = zip(a.tolist(), b.tolist(), strict=True)
    return np.array([abs(x) // abs(y) * (-1 if (x < 0) != (y < 0) else 1) for x, y in pairs], object)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_division_of_integers(dtype):
    a, b = values(300, dtype), values(300, dtype, 1)
    b[b == 0] = 1
    if dtype.kind == "i":
        a[0], b[0] = np.iinfo(dtype).min, -1
    expected = _truncated(a, b) % 2 ** (8 * dtype.itemsize)
    assert_same(run_node("Div", a, b), expected.astype(np.uint64).astype(dtype))
    with np.errstate(over="ignore"):
        assert_same(run_node("Mod", a, b), np.mod(a, b))
        assert_same(run_node("Mod", a, b, fmod=1), np.fmod(a, b))


@pytest.mark.parametrize("op", ["Div", "Mod"])
@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_division_of_integers_by_zero_is_rejected(op, dtype):
    with pytest.raises(REJECTIONS, match="element 1 of the divisor is 0"):
        run_node(op, np.array([1, 2], dtype), np.array([1, 0], dtype))


@pytest.mark.parametrize("dtype", FLOATS[:3], ids=str)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_modulo_of_floats(dtype):
    a = np.array([5.5, -5.5, 5.5, -5.5, 0.0, -0.0, 3, -3, np.inf, 1, np.nan, 2, -2], dtype)
    b = np.array([3, 3, -3, -3, -2, 2, np.inf, np.inf, 2, 0, 1, 2, 2], dtype)
    assert_same(run_node("Mod", a, b), np.mod(a, b))
    assert_same(run_node("Mod", a, b, fmod=1), np.fmod(a, b))


COMPARISONS = {
    "Equal": np.equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
}


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
@pytest.mark.parametrize("op", COMPARISONS)
def test_comparisons(op, dtype):
    a, b = values((4, 41), dtype), values((4, 41), dtype, 1)
    b[1] = a[1]
    if dtype.kind == "f":
        a[2], b[3] = np.nan, np.nan
    assert_same(run_node(op, a, b), COMPARISONS[op](a, b))
    assert_same(run_node(op, a, b[1]), COMPARISONS[op](a, b[1]))
    assert_same(run_node(op, a, b[1, 3]), COMPARISONS[op](a, b[1, 3]))


def test_logic():
    a, b = np.array([[True], [False]]), np.array([True, False, True])
    for op, function in {"And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor, "Equal": np.equal}.items():
        assert_same(run_node(op, a, b), function(a, b))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_bits(dtype):
    for a_shape, b_shape in [((3, 40), (3, 40)), ((3, 40), (40,)), ((3, 40), ()), ((90, 2), (90, 1))]:
        a, b = values(a_shape, dtype), values(b_shape, dtype, 1)
        for op, function in {
            "BitwiseAnd": np.bitwise_and,
            "BitwiseOr": np.bitwise_or,
            "BitwiseXor": np.bitwise_xor,
        }.items():
            assert_same(run_node(op, a, b), function(a, b))


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_shifts(dtype):
    bits = 8 * dtype.itemsize
    a = values(2 * bits, dtype)
    by = np.arange(2 * bits).astype(dtype)
    if dtype.kind == "i":
        by[-1] = -1
    inside = (by >= 0) & (by < bits)
    left = np.array(
        [int(x) << int(s) & (2**bits - 1) if ok else 0 for x, s, ok in zip(a, by, inside, strict=True)], object
    )
    right = np.array([int(x) >> (int(s) if ok else bits) for x, s, ok in zip(a, by, inside, strict=True)], object)
    assert_same(run_node("BitShift", a, by, direction="LEFT"), left.astype(np.uint64).astype(dtype))
    assert_same(run_node("BitShift", a, by, direction="RIGHT"), right.astype(dtype))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("exponent", [2, 3, 4, 0.5, -0.5, -1, -2, 1, 0, 1.7, -3.25])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_power_by_one_number(exponent, dtype):
    x = np.array([0.5, 2, 1, 0, -0.0, np.inf, -np.inf, np.nan, -1.5, 3.25] * 4, dtype)
    e = np.asarray(exponent, dtype)
    expected = np.power(x.astype(np.float64), np.full(x.shape, e, np.float64))
    tolerance = {8: 1e-15, 4: 3e-7, 2: 5e-3}[dtype.itemsize]
    np.testing.assert_allclose(run_node("Pow", x, e).astype(np.float64), expected, rtol=tolerance)


def test_power_by_a_tensor():
    x, e = np.abs(values((3, 40), np.float32)), values(40, np.float32, 1)
    np.testing.assert_allclose(run_node("Pow", x, e), np.power(x.astype(np.float64), e), rtol=1e-6)
    np.testing.assert_allclose(run_node("Pow", x[:, :1], e), np.power(x[:, :1].astype(np.float64), e), rtol=1e-6)


@pytest.mark.parametrize("exponent_type", NUMBERS, ids=str)
@pytest.mark.parametrize("dtype", [*FLOATS, np.dtype(np.int32), np.dtype(np.int64)], ids=str)
def test_power_of_mixed_types(dtype, exponent_type):
    x = np.array([1, 2, 3, 4, 5], dtype)
    e = np.array([3, 2, 0, 1, 4], exponent_type)
    expected = np.power(x.astype(np.float64), e.astype(np.float64)).astype(dtype)
    assert_same(run_node("Pow", x, e), expected)
    assert_same(run_node("Pow", x, e[1]), (x.astype(np.float64) ** 2).astype(dtype))


def test_power_of_integers_wraps():
    x = np.array([3, -3, 2, 10, -1, 1, -1, 2], np.int64)
    e = np.array([40, 41, 63, 30, -3, -5, -4, -1], np.int64)
    expected = [pow(int(b), int(p)) if p >= 0 else int(float(b) ** int(p)) for b, p in zip(x, e, strict=True)]
    wrapped = [(v + 2**63) % 2**64 - 2**63 for v in expected]
    assert_same(run_node("Pow", x, e), np.array(wrapped, np.int64))


@pytest.mark.parametrize(
    "dtype", [*FLOATS, *(np.dtype(t) for t in (np.int32, np.int64, np.uint32, np.uint64))], ids=str
)
def test_prelu(dtype):
    x, slope = values((2, 3, 5), dtype), values((3, 1), dtype, 1)
    expected = np.where(x < 0, through_float(np.multiply, dtype)(x, slope), x)
    assert_same(run_node("PRelu", x, slope), expected.astype(dtype))
    with pytest.raises(REJECTIONS):
        run_node("PRelu", slope, x)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_swiglu(dtype):
    a, b = values((3, 700), dtype), values((3, 700), dtype, 1)
    wide = a.astype(np.float64)
    expected = wide / (1 + np.exp(-0.5 * wide)) * b.astype(np.float64)
    tolerance = {8: 1e-14, 4: 1e-6, 2: 1e-2}[dtype.itemsize]
    np.testing.assert_allclose(
        run_node("SwiGLU", a, b, alpha=0.5).astype(np.float64), expected, rtol=tolerance, atol=1e-7
    )
    with pytest.raises(REJECTIONS):
        run_node("SwiGLU", a, b[:1])


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
@pytest.mark.parametrize(
    "shapes", [[(3, 5)], [(3, 5), (5,)], [(5,), (3, 1), (3, 5)], [(), (2000,), (1,), (2, 1)]], ids=str
)
def test_extrema(shapes, dtype):
    data = [values(shape, dtype, i) for i, shape in enumerate(shapes)]
    assert_same(run_node("Max", *data), functools.reduce(np.maximum, data))
    assert_same(run_node("Min", *data), functools.reduce(np.minimum, data))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_sum_and_mean(n, dtype):
    data = [values((1500, 3) if i % 2 else (3,), dtype, i) for i in range(n)]
    total = functools.reduce(np.add, [x.astype(np.float64) for x in data])
    tolerance = {8: 1e-13, 4: 2e-5, 2: 2e-2}[dtype.itemsize]
    np.testing.assert_allclose(run_node("Sum", *data).astype(np.float64), total, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(run_node("Mean", *data).astype(np.float64), total / n, rtol=tolerance, atol=tolerance)


def test_extrema_pass_nan_on():
    a, b = np.array([np.nan, 1, np.nan, 2] * 5, np.float32), np.array([1, np.nan, np.nan, 3] * 5, np.float32)
    for op, function in {"Max": np.maximum, "Min": np.minimum}.items():
        assert_same(run_node(op, a, b), function(a, b))
        assert_same(run_node(op, a, b, a), function(a, b))
        assert_same(run_node(op, a.astype(np.float64), b.astype(np.float64)), function(a, b).astype(np.float64))


@pytest.mark.parametrize("dtype", [*NUMBERS, np.dtype(bool), np.dtype(np.complex64), np.dtype(np.complex128)], ids=str)
def test_where(dtype):
    rng = np.random.default_rng(0)
    for c_shape, a_shape, b_shape in [((3, 70), (3, 70), (3, 70)), ((1, 70), (3, 70), ()), ((300, 1), (300, 3), (3,)),
                                      ((), (4,), (1,)), ((2, 1, 70), (), (5, 1)), ((0,), (1,), (1,)),
                                      ((2, 1, 16), (2, 70, 1), (2, 70, 16)), ((1, 70, 1), (2, 1, 8), (8,))]:  # fmt: skip
        c = rng.integers(0, 2, c_shape).astype(bool)
        a, b = rng.integers(0, 2, a_shape).astype(dtype), rng.integers(2, 9, b_shape).astype(dtype)
        assert_same(run_node("Where", c, a, b), np.where(c, a, b))


def test_shapes_that_do_not_broadcast_are_rejected():
    for op in ("Add", "Max", "Less"):
        with pytest.raises(REJECTIONS):
            run_node(op, np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32))
