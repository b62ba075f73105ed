"""Softmax, LogSoftmax and Hardmax along any axis, against double precision."""

import ml_dtypes
import numpy as np
import pytest
from movement_session import REJECTIONS, assert_same, run_node

FLOATS = [np.dtype(t) for t in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)]
SHAPES = [(1,), (5,), (3, 17), (2, 100), (4, 1, 6), (2, 21, 70), (3, 5, 2, 9), (2, 300, 3)]


def softmax(x, axis):
    terms = np.exp(x - x.max(axis=axis, keepdims=True))
    return terms / terms.sum(axis=axis, keepdims=True)


def log_softmax(x, axis):
    shifted = x - x.max(axis=axis, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize(("op", "reference"), [("Softmax", softmax), ("LogSoftmax", log_softmax)])
@pytest.mark.parametrize("scale", [1, 30])
def test_every_axis_and_type(op, reference, dtype, scale):
    for shape in SHAPES:
        x = (np.random.default_rng(0).standard_normal(shape) * scale).astype(dtype)
        for axis in range(-1, len(shape) - 1):
            actual = run_node(op, x, axis=axis)
            expected = reference(x.astype(np.float64), axis)
            eps = float(ml_dtypes.finfo(dtype).eps)
            assert actual.dtype == dtype
            np.testing.assert_allclose(actual.astype(np.float64), expected, rtol=eps * (4 + 2 * scale), atol=eps * 2)


@pytest.mark.parametrize("threads", [2, 3])
def test_several_threads_give_the_same(threads):
    x = np.random.default_rng(0).standard_normal((60, 40, 90)).astype(np.float32)
    for dtype in (np.float32, np.float16):
        for axis in range(3):
            assert_same(
                run_node("Softmax", x.astype(dtype), axis=axis, threads=threads),
                run_node("Softmax", x.astype(dtype), axis=axis),
            )


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_infinities_and_nan(op, dtype):
    inf, nan = np.inf, np.nan
    x = np.array([[0, -inf, 0], [-inf, -inf, -inf], [inf, 0, 0], [nan, 0, 0], [0, 0, nan]], dtype)
    for axis, array in ((1, x), (0, np.ascontiguousarray(x.T))):
        actual = run_node(op, array, axis=axis).astype(np.float64)
        actual = actual if axis else actual.T
        half = 0.5 if op == "Softmax" else np.log(0.5)
        np.testing.assert_allclose(actual[0], [half, 0 if op == "Softmax" else -inf, half], rtol=5e-3)
        assert np.isnan(actual[3:]).all()
        assert np.isnan(actual[1]).all()
        assert np.isnan(actual[2, 0])


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Hardmax"])
def test_empty_tensors_and_wrong_axes(op):
    for shape in ((0, 3), (3, 0), (0,)):
        assert run_node(op, np.zeros(shape, np.float32)).shape == shape
    for axis in (2, -3, 2**40):
        with pytest.raises(REJECTIONS):
            run_node(op, np.zeros((2, 3), np.float32), axis=axis)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_hardmax_marks_the_first_largest(dtype):
    for shape in SHAPES:
        x = np.random.default_rng(0).integers(0, 4, shape).astype(dtype)
        for axis in range(-1, len(shape) - 1):
            first = np.argmax(x, axis=axis)
            expected = np.zeros(shape, dtype)
            np.put_along_axis(expected, np.expand_dims(first, axis), dtype.type(1), axis)
            assert_same(run_node("Hardmax", x, axis=axis), expected)
