"""MatMul of stacks of matrices of every type and shape, against double precision."""

import ml_dtypes
import numpy as np
import pytest
from product_session import REJECTIONS, assert_close, product_session, random, run_product

SHAPES = [
    ((5,), (5,)),
    ((5,), (5, 7)),
    ((3, 5), (5,)),
    ((1, 64), (64, 64)),
    ((1, 300), (300, 1000)),
    ((6, 33), (33, 70)),
    ((7, 100), (100, 130)),
    ((40, 64), (64, 3)),
    ((40, 64), (64, 1)),
    ((13, 1200), (1200, 90)),
    ((2, 3, 4, 5), (5, 6)),
    ((2, 3, 4, 5), (2, 3, 5, 6)),
    ((2, 1, 4, 5), (3, 5, 6)),
    ((4, 5), (2, 3, 5, 6)),
    ((5,), (2, 3, 5, 6)),
    ((2, 3, 4, 5), (5,)),
    ((3, 2, 40, 16), (1, 2, 16, 50)),
    ((8, 20, 16), (8, 16, 70)),
]
EMPTY = [
    ((0, 5), (5, 3)),
    ((3, 0), (0, 4)),
    ((3, 5), (5, 0)),
    ((0, 3, 5), (5, 2)),
    ((2, 0, 3, 5), (1, 5, 2)),
    ((0,), (0,)),
]
FLOATS = [np.dtype(t) for t in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)]
INTEGERS = [np.dtype(t) for t in (np.int32, np.int64, np.uint32, np.uint64)]


@pytest.mark.parametrize("constants", [(), (1,), (0,)], ids=["dynamic", "constant-b", "constant-a"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_every_shape_of_floats(dtype, constants):
    for left, right in SHAPES:
        a, b = random(*left, dtype=dtype), random(*right, seed=1, dtype=dtype)
        actual = run_product("MatMul", a, b, constants=constants)
        assert actual.dtype == dtype
        assert_close(actual, np.matmul(a.astype(np.float64), b.astype(np.float64)), left[-1])


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_every_shape_of_integers(dtype):
    for left, right in SHAPES:
        a, b = random(*left, dtype=dtype), random(*right, seed=1, dtype=dtype)
        np.testing.assert_array_equal(run_product("MatMul", a, b), np.matmul(a, b))


def test_integers_wrap_around():
    for dtype in (np.int32, np.int64):
        least = np.iinfo(dtype).min
        a, b = np.array([[least, least]], dtype), np.array([[-1], [2]], dtype)
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(run_product("MatMul", a, b), np.matmul(a, b))


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("constants", [(), (1,)], ids=["dynamic", "constant-b"])
def test_several_threads_give_the_same(threads, constants):
    shapes = [((1, 600), (600, 2000)), ((7, 600), (600, 2000)), ((200, 300), (300, 3)), ((150, 300), (300, 600))]
    shapes += [((1, 5, 130, 64), (1, 5, 64, 130)), ((3000, 40), (40, 1)), ((2, 500, 1500), (2, 1500, 200))]
    for left, right in shapes:
        a, b = random(*left), random(*right, seed=1)
        actual = run_product("MatMul", a, b, constants=constants, threads=threads)
        assert_close(actual, np.matmul(a.astype(np.float64), b.astype(np.float64)), left[-1])


def test_weights_that_stay_as_they_are():
    for left, right in [((1, 300), (300, 1000)), ((5, 64), (64, 70)), ((50, 1200), (1200, 90)), ((40, 64), (64, 3))]:
        a, b = random(*left), random(*right, seed=1)
        actual = run_product("MatMul", a, b, constants=(1,), low_memory=True)
        assert_close(actual, np.matmul(a.astype(np.float64), b.astype(np.float64)), left[-1])


def test_one_session_takes_every_number_of_rows():
    b = random(70, 90, seed=1)
    session, _ = product_session("MatMul", [random(1, 70), b], constants=(1,))
    for rows in (1, 2, 6, 7, 12, 13, 100, 0, 1):
        a = random(rows, 70)
        (actual,) = session.run(None, {"x0": a})
        assert_close(actual, a.astype(np.float64) @ b, 70)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64])
def test_empty_operands(dtype):
    for left, right in EMPTY:
        for constants in ((), (1,)):
            actual = run_product("MatMul", np.zeros(left, dtype), np.zeros(right, dtype), constants=constants)
            np.testing.assert_array_equal(actual, np.matmul(np.zeros(left, dtype), np.zeros(right, dtype)))


def test_operands_that_do_not_fit_are_rejected():
    for left, right in [((3, 4), (5, 6)), ((4,), (5,)), ((2, 3, 4), (3, 4, 5)), ((), (3,)), ((3,), ())]:
        for constants in ((), (1,)):
            for dtype in (np.float32, np.float64):
                with pytest.raises(REJECTIONS):
                    run_product("MatMul", np.zeros(left, dtype), np.zeros(right, dtype), constants=constants)


def test_nan_and_infinity_spread():
    a = np.zeros((9, 40), np.float32)
    a[2, 3], a[5, 7] = np.nan, np.inf
    actual = run_product("MatMul", a, np.ones((40, 50), np.float32), constants=(1,))
    assert np.isnan(actual[2]).all()
    assert np.isposinf(actual[5]).all()
    assert (actual[[0, 1, 3, 4, 6, 7, 8]] == 0).all()
