"""Gemm with every transposition, factor and broadcast of C, against double precision."""

import itertools

import ml_dtypes
import numpy as np
import pytest
from product_session import REJECTIONS, assert_close, random, run_product

FLOATS = [np.dtype(t) for t in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)]


def gemm(a, b, c, alpha, beta, trans_a, trans_b):
    y = alpha * ((a.T if trans_a else a) @ (b.T if trans_b else b))
    return y if c is None else y + beta * c


@pytest.mark.parametrize("constants", [(), (1,), (1, 2)], ids=["dynamic", "constant-b", "constant-b-and-c"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_every_form(dtype, constants):
    sizes = [(1, 20, 33), (9, 50, 17), (5, 3, 40), (4, 1, 8)]
    for (m, n, k), trans_a, trans_b in itertools.product(sizes, (0, 1), (0, 1)):
        a = random(*((k, m) if trans_a else (m, k)), dtype=dtype)
        b = random(*((n, k) if trans_b else (k, n)), seed=1, dtype=dtype)
        for shape in [None, (), (1,), (n,), (1, 1), (1, n), (m, 1), (m, n)]:
            c = None if shape is None else random(*shape, seed=2, dtype=dtype)
            if c is None and 2 in constants:
                continue
            actual = run_product(
                "Gemm", a, b, c, constants=constants, alpha=0.5, beta=2.0, transA=trans_a, transB=trans_b
            )
            wide = [None if x is None else x.astype(np.float64) for x in (a, b, c)]
            assert actual.dtype == dtype
            assert_close(actual, gemm(*wide, 0.5, 2.0, trans_a, trans_b), k)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint32, np.uint64])
def test_integers(dtype):
    a, b, c = random(4, 9, dtype=dtype), random(9, 5, seed=1, dtype=dtype), random(5, seed=2, dtype=dtype)
    np.testing.assert_array_equal(run_product("Gemm", a, b, c), a @ b + c)
    np.testing.assert_array_equal(run_product("Gemm", a, b, c, beta=0.0), a @ b)
    np.testing.assert_array_equal(run_product("Gemm", a, b, c, alpha=2.0, beta=3.0), 2 * (a @ b) + 3 * c)


def test_a_factor_of_zero_ignores_c():
    a, b, c = random(4, 9), random(9, 5, seed=1), np.full((4, 5), np.nan, np.float32)
    for dtype in (np.float32, np.float64, np.float16):
        assert np.isfinite(run_product("Gemm", a.astype(dtype), b.astype(dtype), c.astype(dtype), beta=0.0)).all()


@pytest.mark.parametrize("threads", [1, 3])
def test_large_products(threads):
    for m, n, k in [(150, 400, 1100), (300, 5, 700), (1, 3000, 500), (33, 1000, 1200)]:
        a, b, c = random(k, m), random(n, k, seed=1), random(m, n, seed=2)
        for constants in ((), (1,)):
            actual = run_product("Gemm", a, b, c, constants=constants, threads=threads, transA=1, transB=1)
            assert_close(actual, a.astype(np.float64).T @ b.astype(np.float64).T + c, k)


def test_empty_operands():
    for m, n, k in [(0, 3, 4), (3, 0, 4), (3, 4, 0)]:
        for dtype in (np.float32, np.float64, np.int32):
            c = np.ones(n, dtype)
            actual = run_product("Gemm", np.ones((m, k), dtype), np.ones((k, n), dtype), c)
            np.testing.assert_array_equal(actual, np.ones((m, n), dtype))


def test_operands_that_do_not_fit_are_rejected():
    wrong = [((3, 4), (5, 6), None), ((3,), (3, 4), None), ((2, 3, 4), (4, 5), None), ((3, 4), (4, 5), (3,)),
             ((3, 4), (4, 5), (2, 5)), ((3, 4), (4, 5), (1, 3, 5)), ((1, 4), (4, 1), (2, 1))]  # fmt: skip
    for left, right, added in wrong:
        for dtype in (np.float32, np.float64):
            c = None if added is None else np.zeros(added, dtype)
            with pytest.raises(REJECTIONS):
                run_product("Gemm", np.zeros(left, dtype), np.zeros(right, dtype), c)
