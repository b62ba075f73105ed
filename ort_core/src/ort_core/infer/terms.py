"""Sizes as terms: integers, symbols and sums, products, ... of them, normalised so that equal terms are equal tuples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from ort_core.ir.graph import Value


class Symbol(NamedTuple):
    """An unknown integer: dimension `place` of `value`, or element `place` of its contents."""

    kind: str
    value: Value
    place: int


class Expression(NamedTuple):
    """`op` (add, mul, sub, div) of terms."""

    op: str
    args: tuple[Term, ...]


Term: TypeAlias = "int | Symbol | Expression"

DIMENSION = "dimension"
ELEMENT = "element"
_INT64 = range(-(1 << 63), 1 << 63)


def fits_int64(value: Term) -> bool:
    """Whether an integer is in the range of int64; symbols are."""
    return not isinstance(value, int) or value in _INT64


def is_natural(term: Term) -> bool:
    """Whether the term is provably 0 or more."""
    if isinstance(term, int):
        return term >= 0
    if isinstance(term, Symbol):
        return term.kind == DIMENSION
    return term.op in ("add", "mul") and all(is_natural(arg) for arg in term.args)


def add(a: Term, b: Term) -> Term:
    """The sum."""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    args = [*_parts("add", a), *_parts("add", b)]
    constant = sum(t for t in args if isinstance(t, int))
    rest: list[Term] = sorted((t for t in args if not isinstance(t, int)), key=hash)
    if constant:
        rest.append(constant)
    return rest[0] if len(rest) == 1 else Expression("add", tuple(rest))


def multiply(a: Term, b: Term) -> Term:
    """The product."""
    if isinstance(a, int) and isinstance(b, int):
        return a * b
    coefficient, factors = monomial((a, b))
    return _term(coefficient, factors)


def subtract(a: Term, b: Term) -> Term:
    """The difference."""
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    if a == b:
        return 0
    if isinstance(b, int):
        return add(a, -b)
    if isinstance(a, Expression) and a.op == "add" and b in a.args:
        args = list(a.args)
        args.remove(b)
        return args[0] if len(args) == 1 else Expression("add", tuple(args))
    return Expression("sub", (a, b))


def divide(a: Term, b: Term) -> Term | None:
    """The quotient, for a of 0 or more and b over 0, rounded down; None where signs are unknown."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b if a >= 0 and b > 0 else None
    if b == 1:
        return a
    return Expression("div", (a, b)) if is_natural(a) and is_natural(b) and b != 0 else None


def monomial(terms: Iterable[Term]) -> tuple[int, tuple[Term, ...]]:
    """The product of `terms` as a coefficient and sorted factors; equal products of sizes give equal results."""
    coefficient = 1
    factors: list[Term] = []
    for term in terms:
        if isinstance(term, int):
            coefficient *= term
        elif isinstance(term, Expression) and term.op == "mul":
            inner, more = monomial(term.args)
            coefficient *= inner
            factors.extend(more)
        else:
            factors.append(term)
    return (0, ()) if coefficient == 0 else (coefficient, tuple(sorted(factors, key=hash)))


def quotient(total: Iterable[Term], part: Iterable[Term]) -> Term | None:
    """The term that times the product of `part` is the product of `total`, if it can be seen."""
    coefficient, factors = monomial(total)
    divisor, remove = monomial(part)
    left = Counter(factors)
    if divisor == 0 or coefficient % divisor:
        return None
    for factor in remove:
        if not left[factor]:
            return None
        left[factor] -= 1
    return _term(coefficient // divisor, tuple(left.elements()))


def _parts(op: str, term: Term) -> tuple[Term, ...]:
    return term.args if isinstance(term, Expression) and term.op == op else (term,)


def _term(coefficient: int, factors: tuple[Term, ...]) -> Term:
    args: tuple[Term, ...] = tuple(sorted(factors, key=hash))
    if coefficient != 1 or not args:
        if coefficient == 0 or not args:
            return coefficient
        args = (*args, coefficient)
    return args[0] if len(args) == 1 else Expression("mul", args)
