"""Elementwise expressions as polynomials, so that a formula is recognised in whatever order an exporter wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from ort_core.ir.graph import Node, Value
from ort_core.ir.types import ElementType
from ort_provider_cpu.passes._match import near, rank_of, scalar

Polynomial: TypeAlias = dict[tuple[int, ...], float]
"""Exponents of the variables to coefficient."""

_OPERATORS = frozenset({"Add", "Sub", "Mul", "Div", "Pow", "Neg"})
_MAX_NODES = 12
_MAX_DEGREE = 4


def expand(value: Value, variables: Sequence[Value], nodes: set[Node]) -> Polynomial | None:
    """`value` as a polynomial of `variables`; None if it is anything else or takes more than a few nodes.

    All the variables must be of one shape. Constants count if they hold one number and add no dimensions.

    Args:
        nodes: receives the nodes between the variables and `value`.
    """
    return _expand(value, tuple(variables), nodes, {})


def _expand(
    value: Value | None, variables: tuple[Value, ...], nodes: set[Node], known: dict[Value, Polynomial | None]
) -> Polynomial | None:
    if value is None:
        return None
    if value in variables:
        return {tuple(int(v is value) for v in variables): 1.0}
    if value in known:
        return known[value]
    known[value] = None
    if value.const is not None:
        number = scalar(value, rank_of(variables[0]))
        result = None if number is None else _clean({(0,) * len(variables): number})
    else:
        result = _node(value.producer, variables, nodes, known)
    known[value] = result
    return result


def _node(
    node: Node | None, variables: tuple[Value, ...], nodes: set[Node], known: dict[Value, Polynomial | None]
) -> Polynomial | None:
    if node is None or node.domain or node.op_type not in _OPERATORS or len(nodes) >= _MAX_NODES:
        return None
    if node.op_type == "Neg":
        nodes.add(node)
        inner = _expand(node.inputs[0], variables, nodes, known)
        return None if inner is None else {k: -c for k, c in inner.items()}
    nodes.add(node)
    left = _expand(node.inputs[0], variables, nodes, known)
    right = None if left is None else _expand(node.inputs[1], variables, nodes, known)
    if left is None or right is None:
        return None
    number = _number(right)
    if node.op_type == "Mul":
        return _product(left, right)
    if node.op_type == "Div":
        return None if not number else _product(left, {(0,) * len(variables): 1.0 / number})
    if node.op_type == "Pow":
        if number is None or number not in range(1, _MAX_DEGREE + 1):
            return None
        result: Polynomial | None = left
        for _ in range(int(number) - 1):
            result = None if result is None else _product(result, left)
        return result
    sign = 1.0 if node.op_type == "Add" else -1.0
    return _clean({k: left.get(k, 0.0) + sign * right.get(k, 0.0) for k in left.keys() | right.keys()})


def _number(polynomial: Polynomial) -> float | None:
    if not polynomial:
        return 0.0
    (powers, coefficient), *more = polynomial.items()
    return None if more or any(powers) else coefficient


def _product(left: Polynomial, right: Polynomial) -> Polynomial | None:
    result: Polynomial = {}
    for p, a in left.items():
        for q, b in right.items():
            powers = tuple(i + j for i, j in zip(p, q, strict=True))
            if max(powers) > _MAX_DEGREE:
                return None
            result[powers] = result.get(powers, 0.0) + a * b
    return _clean(result)


def _clean(polynomial: Polynomial) -> Polynomial:
    return {k: c for k, c in polynomial.items() if c}


def matches(found: Polynomial | None, expected: Mapping[tuple[int, ...], float], element: ElementType | None) -> bool:
    """Whether the coefficients are the expected ones but for rounding."""
    if found is None or found.keys() != expected.keys():
        return False
    return all(near(found[k], c, element) for k, c in expected.items())


def arguments(value: Value, depth: int = 4) -> Iterator[Value]:
    """The values of which `value` may be a polynomial: itself, then what it is computed from, nearest first."""
    seen = {value: None}
    level = [value]
    for _ in range(depth + 1):
        yield from level
        found: dict[Value, None] = {}
        for item in level:
            node = item.producer
            if node is not None and not node.domain and node.op_type in _OPERATORS:
                found |= {v: None for v in node.inputs if v is not None and v.const is None and v not in seen}
        seen |= found
        level = list(found)
