import pytest

from ort_core.infer.terms import (
    DIMENSION,
    ELEMENT,
    Symbol,
    add,
    divide,
    fits_int64,
    is_natural,
    monomial,
    multiply,
    quotient,
    subtract,
)  # fmt: skip
from ort_core.ir.graph import Value

V = Value("v")
A, B, C = (Symbol(DIMENSION, V, i) for i in range(3))
E = Symbol(ELEMENT, V, 0)


def test_order_does_not_matter() -> None:
    assert add(add(A, 1), add(B, 2)) == add(add(2, B), add(1, A))
    assert multiply(multiply(A, 2), multiply(B, 3)) == multiply(multiply(3, B), multiply(2, A))
    assert multiply(A, B) != multiply(A, C)
    assert add(A, A) != A


def test_integers_are_computed() -> None:
    assert (add(2, 3), multiply(2, 3), subtract(2, 3), divide(7, 2)) == (5, 6, -1, 3)


def test_neutral_terms_vanish() -> None:
    assert add(A, 0) == A
    assert multiply(A, 1) == A
    assert multiply(A, 0) == 0
    assert subtract(A, A) == 0
    assert subtract(add(A, B), B) == A
    assert subtract(add(A, 3), 3) == A
    assert divide(A, 1) == A


def test_division_is_only_of_naturals() -> None:
    assert divide(-7, 2) is None
    assert divide(7, 0) is None
    assert divide(E, 2) is None
    assert divide(A, 2) == divide(A, 2) != divide(A, 3)


def test_dimensions_are_natural_and_contents_are_not() -> None:
    assert is_natural(add(multiply(A, B), 3))
    assert not is_natural(E)
    assert not is_natural(add(A, -1))
    assert not is_natural(subtract(A, B))


def test_products_compare_as_monomials() -> None:
    assert monomial((A, 2, multiply(B, 3))) == monomial((multiply(A, B), 6))
    assert monomial((A, 0)) == monomial((0, B))


@pytest.mark.parametrize(
    ("total", "part", "expected"),
    [
        ((A, B, 6), (B, 2), multiply(A, 3)),
        ((A, 6), (6,), A),
        ((6,), (2, 3), 1),
        ((A,), (B,), None),
        ((A, 3), (2,), None),
        ((A, 0), (0,), None),
        ((A, A), (A,), A),
    ],
)
def test_quotient_of_products(total: tuple, part: tuple, expected: object) -> None:
    assert quotient(total, part) == expected


def test_range_of_int64() -> None:
    assert fits_int64((1 << 63) - 1)
    assert not fits_int64(1 << 63)
    assert fits_int64(A)
