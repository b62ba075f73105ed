"""Einsum against numpy in float64, over equations of every kind and all types."""

import ml_dtypes
import numpy as np
import pytest
from movement_session import NUMBERS, REJECTIONS, run_node

EQUATIONS = {
    "ij,jk->ik": [(5, 7), (7, 3)],
    "ij,kj->ik": [(5, 7), (3, 7)],
    "ji,jk->ik": [(7, 5), (7, 3)],
    "ij,jk->ki": [(5, 7), (7, 3)],
    "ij,jk": [(3, 4), (4, 5)],
    "Aa,aB": [(3, 4), (4, 5)],
    "ba,ca": [(3, 4), (5, 4)],
    "bij,bjk->bik": [(4, 5, 6), (4, 6, 7)],
    "bhqd,bkhd->bhqk": [(2, 3, 4, 8), (2, 5, 3, 8)],
    "bqhd,bkhd->bhqk": [(2, 4, 3, 8), (2, 5, 3, 8)],
    "bhqk,bkhd->bqhd": [(2, 3, 4, 5), (2, 5, 3, 8)],
    "bsd,dhk->bshk": [(2, 5, 12), (12, 3, 4)],
    "bshk,hkd->bsd": [(2, 5, 3, 4), (3, 4, 12)],
    "abcd,dcef->abef": [(2, 3, 4, 5), (5, 4, 6, 7)],
    "ijk,ilk->jil": [(3, 4, 5), (3, 6, 5)],
    "i,i->": [(40,), (40,)],
    "i,j->ij": [(9,), (4,)],
    "i,j->ji": [(9,), (4,)],
    "ij,ij->ij": [(4, 5), (4, 5)],
    "ij,ij->i": [(4, 5), (4, 5)],
    "ij,kl->": [(2, 3), (4, 5)],
    "ij->ji": [(4, 5)],
    "ij->": [(4, 50)],
    "ij->j": [(4, 5)],
    "ij->i": [(4, 5)],
    "ii": [(5, 5)],
    "ii->i": [(5, 5)],
    "iij->j": [(4, 4, 3)],
    "...ii->...i": [(2, 3, 3)],
    "i...->...": [(4, 5, 6)],
    "...->...": [(2, 3)],
    "...i,...i": [(3, 4), (1, 4)],
    "...ij,...jk->...ik": [(2, 1, 3, 4), (1, 5, 4, 6)],
    "bnhw,nd->bdhw": [(2, 3, 1, 5), (3, 6)],
    "b n h w, n d -> b d h w": [(2, 3, 4, 5), (3, 6)],
    "ij,j->i": [(3, 1), (4,)],
    "ij,jk,kl->il": [(3, 4), (4, 5), (5, 6)],
    "ij,jk,kl,lm": [(3, 4), (4, 5), (5, 6), (6, 2)],
    "a,ab,abc->abc": [(3,), (3, 4), (3, 4, 5)],
    ",ij->ij": [(), (3, 4)],
    ",": [(), ()],
}
LARGE = {
    "bqhd,bkhd->bhqk": [(2, 60, 4, 32), (2, 70, 4, 32)],
    "ij,jk->ki": [(130, 90), (90, 210)],
    "bij,bij->b": [(40, 30, 70), (40, 30, 70)],
    "ij,kj->ikj": [(70, 60), (50, 60)],
    "abc->cb": [(50, 40, 60)],
}
TOLERANCE = {1: 0, 2: 2e-3, 4: 1e-4, 8: 1e-10}


def operands(shapes, dtype):
    rng = np.random.default_rng(3)
    if dtype.kind in "iu":
        return [rng.integers(0, 120, shape).astype(dtype) for shape in shapes]
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def check(equation, shapes, dtype, threads=1):
    inputs = operands(shapes, dtype)
    is_integer = dtype.kind in "iu"
    wide = inputs if is_integer else [x.astype(np.float64) for x in inputs]
    expected = np.asarray(np.einsum(equation.replace(" ", ""), *wide)).astype(dtype)
    actual = run_node("Einsum", *inputs, equation=equation, threads=threads)
    assert actual.dtype == dtype
    assert actual.shape == expected.shape
    if is_integer:
        np.testing.assert_array_equal(actual, expected)
    else:
        tolerance = 2e-2 if dtype == ml_dtypes.bfloat16 else TOLERANCE[dtype.itemsize]
        np.testing.assert_allclose(
            actual.astype(np.float64), expected.astype(np.float64), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16], ids=lambda t: t.__name__)
def test_einsum(equation, dtype):
    check(equation, EQUATIONS[equation], np.dtype(dtype))


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
@pytest.mark.parametrize("equation", ["ij,jk->ik", "...ij,...jk->...ik", "ij,ij->ij", "ij->j", "ij,jk,kl->il"])
def test_einsum_of_every_type(equation, dtype):
    check(equation, EQUATIONS[equation], dtype)


@pytest.mark.parametrize("equation", LARGE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda t: t.__name__)
def test_einsum_by_several_threads(equation, dtype):
    check(equation, LARGE[equation], np.dtype(dtype), threads=2)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [("ij,jk->ik", [(0, 4), (4, 5)]), ("ij,jk->ik", [(3, 0), (0, 5)]), ("ij->i", [(3, 0)]), ("i,j->ij", [(0,), (1,)])],
)
def test_einsum_of_nothing(equation, shapes):
    check(equation, shapes, np.dtype(np.float32))


def random_equation(rng):
    """An equation of 1 to 4 terms over a few labels, some of them broadcast, and the shapes."""
    letters = "abcdeF"
    sizes = {c: int(rng.integers(1, 5)) for c in letters}
    terms = ["".join(rng.choice(list(letters), rng.integers(0, 5), replace=False)) for _ in range(rng.integers(1, 5))]
    shapes = [tuple(1 if rng.random() < 0.1 else sizes[c] for c in term) for term in terms]
    used = sorted(set("".join(terms)))
    output = "".join(rng.permutation([c for c in used if rng.random() < 0.5]))
    return ",".join(terms) + "->" + output, shapes


@pytest.mark.parametrize("seed", range(150))
def test_random_equations(seed):
    equation, shapes = random_equation(np.random.default_rng(seed))
    check(equation, shapes, np.dtype([np.float64, np.float32, np.int64][seed % 3]))


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (4, 5)]),
        ("ij,jk->ik", [(2, 3)]),
        ("ij->ii", [(2, 3)]),
        ("ij->k", [(2, 3)]),
        ("ijk->i", [(2, 3)]),
        ("i1->i", [(2, 3)]),
        ("i..j->i", [(2, 3)]),
        ("......->", [(2, 3)]),
        ("ii->i", [(2, 3)]),
        ("...i,...i->...", [(2, 3), (2, 2, 3)]),
    ],
)
def test_einsum_rejects(equation, shapes):
    with pytest.raises(REJECTIONS):
        run_node("Einsum", *(np.zeros(shape, np.float32) for shape in shapes), equation=equation)
