"""Reductions over axes, against numpy in double precision."""

import ml_dtypes
import numpy as np
import onnx
import onnx.reference
import pytest
from movement_session import REJECTIONS, assert_same, node_session, run_node

FLOATS = [np.dtype(t) for t in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)]
INTEGERS = [np.dtype(t) for t in (np.int32, np.int64, np.uint32, np.uint64)]
TOLERANCE = {4: 4e-6, 8: 1e-13}
OPERATORS = {
    "ReduceSum": np.sum,
    "ReduceMean": np.mean,
    "ReduceMax": np.max,
    "ReduceMin": np.min,
    "ReduceProd": np.prod,
    "ReduceL1": lambda x, **kw: np.sum(np.abs(x), **kw),
    "ReduceL2": lambda x, **kw: np.sqrt(np.sum(x * x, **kw)),
    "ReduceLogSum": lambda x, **kw: np.log(np.sum(x, **kw)),
    "ReduceLogSumExp": lambda x, **kw: np.log(np.sum(np.exp(x), **kw)),
    "ReduceSumSquare": lambda x, **kw: np.sum(x * x, **kw),
}
SHAPES_AND_AXES = [
    ((), ()),
    ((1,), (0,)),
    ((130,), (0,)),
    ((7, 33), (1,)),
    ((33, 7), (0,)),
    ((5, 600), (0,)),
    ((300, 3), (0,)),
    ((4, 5, 6), (1,)),
    ((4, 5, 6), (0, 2)),
    ((4, 5, 18), (0, 1)),
    ((2, 3, 4, 17), (1, 3)),
    ((3, 2, 5, 19), (0, 2)),
    ((2, 3, 1, 4, 5), (1, 2, 3)),
    ((2, 2, 3, 2, 3, 2), (0, 2, 4)),
    ((2, 2, 3, 2, 3, 2), (1, 3, 5)),
]


def values(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        return rng.integers(1, 4, shape).astype(dtype)
    return rng.uniform(0.5, 1.5, shape).astype(dtype)


def assert_near(actual, expected, dtype, scale=1.0):
    assert actual.dtype == dtype
    assert actual.shape == np.shape(expected)
    tolerance = TOLERANCE.get(dtype.itemsize, 2 * float(ml_dtypes.finfo(dtype).eps))
    np.testing.assert_allclose(actual.astype(np.float64), expected, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("op", OPERATORS)
def test_floats(op, dtype):
    for i, (shape, axes) in enumerate(SHAPES_AND_AXES):
        keepdims = i % 2
        x = values(shape, dtype)
        actual = run_node(op, x, np.array(axes, np.int64), keepdims=keepdims, constants=(1,))
        expected = OPERATORS[op](x.astype(np.float64), axis=axes or None, keepdims=bool(keepdims))
        if np.max(expected) < float(ml_dtypes.finfo(dtype).max):
            assert_near(actual, expected, dtype)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("op", [op for op in OPERATORS if "Log" not in op])
def test_integers(op, dtype):
    for shape, axes in SHAPES_AND_AXES:
        x = values(shape, dtype)
        actual = run_node(op, x, np.array(axes, np.int64), constants=(1,))
        exact = OPERATORS[op](x.astype(object if op in {"ReduceProd", "ReduceSumSquare"} else np.float64),
                              axis=axes or None, keepdims=True)  # fmt: skip
        if op in {"ReduceProd", "ReduceSumSquare"}:
            wrapped = [int(v) % (1 << 8 * dtype.itemsize) for v in np.ravel(exact)]
            expected = np.array(wrapped, f"u{dtype.itemsize}").view(dtype).reshape(np.shape(exact))
        else:
            expected = np.asarray(exact).astype(dtype)
        assert_same(actual, expected)


def test_means_of_integers_round_towards_zero():
    assert_same(run_node("ReduceMean", np.array([-3, 0], np.int32)), np.array([-1], np.int32))
    assert_same(run_node("ReduceMean", np.array([2**31 - 1] * 3, np.int32)), np.array([2**31 - 1], np.int32))
    assert_same(run_node("ReduceMean", np.array([2**32 - 1] * 3, np.uint32)), np.array([2**32 - 1], np.uint32))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, bool])
@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin"])
def test_extremes_of_small_types(op, dtype):
    x = np.random.default_rng(0).integers(0, 2 if dtype is bool else 100, (5, 70, 3)).astype(dtype)
    for axes in ((0,), (1,), (2,), (0, 2), ()):
        actual = run_node(op, x, np.array(axes, np.int64))
        assert_same(actual, OPERATORS[op](x, axis=axes or None, keepdims=True))


@pytest.mark.parametrize("op", OPERATORS)
def test_without_axes_everything_or_nothing_is_reduced(op):
    x = values((3, 4), np.float32)
    wide = x.astype(np.float64)
    nowhere = OPERATORS[op](wide[None], axis=0)
    for axes in ((), (np.zeros(0, np.int64),)):
        assert_near(run_node(op, x, *axes, keepdims=0), OPERATORS[op](wide, axis=None), x.dtype)
        assert_near(run_node(op, x, *axes, noop_with_empty_axes=1), nowhere, x.dtype)


EMPTY = {"ReduceProd": 1.0, "ReduceMax": -np.inf, "ReduceMin": np.inf, "ReduceMean": np.nan}
EMPTY |= {"ReduceLogSum": -np.inf, "ReduceLogSumExp": -np.inf}


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("op", OPERATORS)
def test_reducing_nothing(op, dtype):
    x = np.zeros((2, 0, 3), dtype)
    actual = run_node(op, x, np.array([1], np.int64), keepdims=0)
    assert actual.dtype == dtype
    assert_same(actual.astype(np.float64), np.full((2, 3), EMPTY.get(op, 0.0)))
    assert run_node(op, x, np.array([0], np.int64)).shape == (1, 0, 3)


@pytest.mark.parametrize(
    ("op", "dtype", "expected"),
    [
        ("ReduceMax", np.int32, -(2**31)),
        ("ReduceMin", np.int8, 127),
        ("ReduceMin", np.uint64, 2**64 - 1),
        ("ReduceMax", np.uint8, 0),
        ("ReduceMax", bool, False),
        ("ReduceMin", bool, True),
        ("ReduceSum", np.int64, 0),
        ("ReduceProd", np.uint32, 1),
    ],
)
def test_reducing_no_integers(op, dtype, expected):
    actual = run_node(op, np.zeros((0, 2), dtype), np.array([0], np.int64), keepdims=0)
    assert_same(actual, np.full(2, expected, dtype))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin"])
def test_nan_wins(op, axis, dtype):
    for at in range(0, 40, 3):
        x = values((40, 40), dtype)
        x[at, at] = np.nan
        actual = run_node(op, x, np.array([axis], np.int64), keepdims=0)
        assert np.isnan(actual[at])
        assert np.isnan(actual).sum() == 1


def test_infinities_in_log_sum_exp():
    inf = np.inf
    x = np.array([[-inf, -inf], [inf, 0], [-inf, 2], [inf, -inf], [1000, 1000], [-1000, -1000]], np.float32)
    expected = np.array([-inf, inf, 2, inf, 1000 + np.log(2), -1000 + np.log(2)], np.float32)
    for dtype in (np.float32, np.float64):
        for array, axis in ((x, 1), (np.ascontiguousarray(x.T), 0)):
            actual = run_node("ReduceLogSumExp", array.astype(dtype), np.array([axis], np.int64), keepdims=0)
            np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(("shape", "axes"), [((1 << 20,), (0,)), ((300000, 3), (0,)), ((3, 700, 500), (1,)),
                                             ((600, 1000), (1,)), ((2, 700, 3, 200), (1, 3))])  # fmt: skip
def test_long_sums_keep_their_digits_on_any_number_of_threads(shape, axes, threads):
    x = values(shape, np.float32)
    actual = run_node("ReduceSum", x, np.array(axes, np.int64), threads=threads, keepdims=0)
    np.testing.assert_allclose(actual, x.sum(axis=axes, dtype=np.float64), rtol=3e-7)
    top = run_node("ReduceMax", x, np.array(axes, np.int64), threads=threads, keepdims=0)
    assert_same(top, x.max(axis=axes))


def test_axes_may_change_between_runs():
    x = values((3, 4, 5), np.float32)
    session, feed = node_session("ReduceSum", [x, np.array([0], np.int64)])
    for axes in ([0], [1, 2], [-1], [0], []):
        feed["x1"] = np.array(axes, np.int64)
        np.testing.assert_allclose(
            session.run(None, feed)[0], x.sum(axis=tuple(axes) or None, keepdims=True), rtol=1e-6
        )


@pytest.mark.parametrize("axes", [[3], [-4], [2**62], [0, 5]])
def test_axes_out_of_range_are_rejected(axes):
    with pytest.raises(REJECTIONS):
        run_node("ReduceSum", np.zeros((2, 3, 4), np.float32), np.array(axes, np.int64))


@pytest.mark.parametrize("select_last_index", [0, 1])
@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, np.int8, np.uint8, np.int16, np.uint16], ids=str)
def test_arg_extremes(dtype, op, select_last_index):
    reference = np.argmax if op == "ArgMax" else np.argmin
    for shape in ((40,), (7, 33), (3, 5, 4), (2, 9, 300), (4, 1, 2, 3)):
        x = np.random.default_rng(1).integers(0, 4, shape).astype(dtype)
        for axis in range(-1, len(shape) - 1):
            keepdims = axis % 2
            actual = run_node(op, x, axis=axis, keepdims=keepdims, select_last_index=select_last_index)
            if select_last_index:
                expected = shape[axis] - 1 - reference(np.flip(x, axis), axis=axis, keepdims=bool(keepdims))
            else:
                expected = reference(x, axis=axis, keepdims=bool(keepdims))
            assert_same(actual, np.asarray(expected, np.int64))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
def test_arg_extreme_is_the_first_nan(op, dtype):
    x = np.random.default_rng(1).standard_normal((50, 50)).astype(dtype)
    x[20, 3] = x[30, 3] = x[3, 40] = np.nan
    for axis, array in ((0, x), (1, np.ascontiguousarray(x.T))):
        assert run_node(op, array, axis=axis, keepdims=0)[3] == 20
        assert run_node(op, array, axis=axis, keepdims=0, select_last_index=1)[3] == 30
        assert run_node(op, array, axis=axis, keepdims=0)[40] == 3


def test_arg_extreme_of_nothing():
    assert run_node("ArgMax", np.zeros((0, 3), np.float32), axis=1).shape == (0, 1)
    with pytest.raises(REJECTIONS):
        run_node("ArgMax", np.zeros((0, 3), np.float32), axis=0)
    with pytest.raises(REJECTIONS):
        run_node("ArgMax", np.zeros((2, 3), np.float32), axis=2)


def reference_cumulative(op, x, axis, exclusive, reverse):
    node = onnx.helper.make_node(op, ["x", "a"], ["y"], exclusive=exclusive, reverse=reverse)
    element = onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
    graph = onnx.helper.make_graph(
        [node],
        "g",
        [
            onnx.helper.make_tensor_value_info("x", element, x.shape),
            onnx.helper.make_tensor_value_info("a", onnx.TensorProto.INT64, ()),
        ],
        [onnx.helper.make_tensor_value_info("y", element, x.shape)],
    )
    model = onnx.helper.make_model(graph)
    return onnx.reference.ReferenceEvaluator(model).run(None, {"x": x, "a": np.array(axis, np.int64)})[0]


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("op", ["CumSum", "CumProd"])
def test_cumulative(op, reverse, exclusive):
    for dtype in (*FLOATS, *INTEGERS):
        for shape in ((30,), (3, 2, 150), (2, 6, 1, 3)):
            x = values(shape, dtype)
            for axis in range(-1, len(shape) - 1):
                actual = run_node(op, x, np.array(axis, np.int64), exclusive=exclusive, reverse=reverse)
                wide = x.astype(np.float64) if dtype in FLOATS else x
                expected = reference_cumulative(op, wide, axis, exclusive, reverse)
                if dtype in FLOATS:
                    assert_near(actual, expected, dtype)
                else:
                    assert_same(actual, expected)


def test_cumulative_sums_wrap_around_and_may_be_empty():
    x = np.full(3, 2**31 - 1, np.int32)
    assert_same(run_node("CumSum", x, np.array(0, np.int32)), np.cumsum(x, dtype=np.int32))
    assert run_node("CumSum", np.zeros((2, 0), np.float32), np.array(1, np.int64)).shape == (2, 0)
    for axis in (2, -3):
        with pytest.raises(REJECTIONS):
            run_node("CumSum", np.zeros((2, 3), np.float32), np.array(axis, np.int64))
