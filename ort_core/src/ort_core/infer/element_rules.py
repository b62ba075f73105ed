"""How operators compute the contents of small int64 and bool tensors, on terms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

from ort_core.infer.shape_facts import MAX_ELEMENTS, ShapeFacts, Terms, operand
from ort_core.infer.terms import ELEMENT, Symbol, Term, add, divide, is_natural, multiply, subtract
from ort_core.ir.graph import Node, Value
from ort_core.ir.types import ElementType

ElementRule: TypeAlias = Callable[[ShapeFacts, Node], "Terms | None"]


def _shape(facts: ShapeFacts, node: Node) -> Terms | None:
    shape = facts.shape(operand(node, 0))
    return None if shape is None else shape[slice(node.attr("start", 0), node.attr("end"))]


def _size(facts: ShapeFacts, node: Node) -> Terms | None:
    shape = facts.shape(operand(node, 0))
    if shape is None:
        return None
    total: Term = 1
    for dim in shape:
        total = multiply(total, dim)
    return (total,)


def _same(facts: ShapeFacts, node: Node) -> Terms | None:
    return facts.elements(operand(node, 0))


def _cast(facts: ShapeFacts, node: Node) -> Terms | None:
    source, output = operand(node, 0), node.outputs[0]
    elements = facts.elements(source)
    if source is None or output is None or elements is None or source.element is output.element:
        return elements
    if output.element is ElementType.BOOL:
        known = facts.integers(source)
        return None if known is None else tuple(int(e != 0) for e in known)
    return elements


def _reshape(facts: ShapeFacts, node: Node) -> Terms | None:
    elements = facts.elements(operand(node, 0))
    return elements if facts.rank(node.outputs[0]) in (0, 1) else None


def _gather(facts: ShapeFacts, node: Node) -> Terms | None:
    data, indices = facts.elements(operand(node, 0)), facts.integers(operand(node, 1))
    if data is None or indices is None or facts.rank(operand(node, 0)) != 1:
        return None
    if any(not -len(data) <= i < len(data) for i in indices):
        return None
    return tuple(data[i] for i in indices)


def _slice(facts: ShapeFacts, node: Node) -> Terms | None:
    data = facts.elements(operand(node, 0))
    bounds = [facts.integers(operand(node, index)) for index in (1, 2)]
    steps = (1,) if operand(node, 4) is None else facts.integers(operand(node, 4))
    if data is None or steps is None or facts.rank(operand(node, 0)) != 1:
        return None
    if any(b is None or len(b) != 1 for b in (*bounds, steps)) or steps[0] == 0:
        return None
    starts, ends = bounds
    if starts is None or ends is None:
        return None
    return _sliced(data, starts[0], ends[0], steps[0])


def _sliced(data: Terms, start: int, end: int, step: int) -> Terms:
    count = len(data)
    low, high = (0, count) if step > 0 else (-1, count - 1)
    start = min(max(start + count if start < 0 else start, 0), high)
    end = min(max(end + count if end < 0 else end, low), high)
    return tuple(data[i] for i in range(start, end, step))


def _concat(facts: ShapeFacts, node: Node) -> Terms | None:
    parts: list[Term] = []
    for value in node.inputs:
        elements = facts.elements(value)
        if elements is None:
            elements = _leaves(facts, value)
        if elements is None or facts.rank(value) != 1:
            return None
        parts += elements
    return tuple(parts)


def _leaves(facts: ShapeFacts, value: Value | None) -> Terms | None:
    """Symbols for the contents of a value about which only its length is known."""
    shape = facts.shape(value)
    if value is None or value.element is not ElementType.INT64 or shape is None or len(shape) > 1:
        return None
    count = shape[0] if shape else 1
    if not isinstance(count, int) or count > MAX_ELEMENTS:
        return None
    return tuple(Symbol(ELEMENT, value, i) for i in range(count))


def _broadcast(facts: ShapeFacts, node: Node, function: Callable[[Term, Term], Term | None]) -> Terms | None:
    a, b = (facts.elements(operand(node, index)) for index in (0, 1))
    if a is None or b is None:
        return None
    if len(a) != len(b) and 1 not in (len(a), len(b)):
        return None
    count = max(len(a), len(b)) if a and b else 0
    results = tuple(function(a[i % len(a)], b[i % len(b)]) for i in range(count))
    known = tuple(r for r in results if r is not None)
    return known if len(known) == len(results) else None


def _arithmetic(function: Callable[[Term, Term], Term | None]) -> ElementRule:
    def rule(facts: ShapeFacts, node: Node) -> Terms | None:
        output = node.outputs[0]
        if output is None or output.element is not ElementType.INT64:
            return None
        return _broadcast(facts, node, function)

    return rule


def _equal_terms(a: Term, b: Term) -> Term | None:
    if a == b:
        return 1
    if isinstance(a, int) and isinstance(b, int):
        return 0
    for x, y in ((a, b), (b, a)):
        if isinstance(x, int) and x < 0 and is_natural(y):
            return 0
    return None


def _equal(facts: ShapeFacts, node: Node) -> Terms | None:
    return _broadcast(facts, node, _equal_terms)


def _where(facts: ShapeFacts, node: Node) -> Terms | None:
    condition = facts.integers(operand(node, 0))
    a, b = facts.elements(operand(node, 1)), facts.elements(operand(node, 2))
    if condition is None or a is None or b is None:
        return None
    count = max(len(condition), len(a), len(b))
    if any(len(part) not in (1, count) for part in (condition, a, b)):
        return None
    chosen = [a if condition[i % len(condition)] else b for i in range(count)]
    return tuple(part[i % len(part)] for i, part in enumerate(chosen))


def _constant_of_shape(facts: ShapeFacts, node: Node) -> Terms | None:
    shape = facts.integers(operand(node, 0))
    if shape is None or len(shape) > 1 or math.prod(shape) > MAX_ELEMENTS or min(shape, default=0) < 0:
        return None
    fill = node.attr("value")
    if fill is None:
        return None
    return tuple(fill.array().reshape(-1).tolist()[:1]) * math.prod(shape)


def _expand(facts: ShapeFacts, node: Node) -> Terms | None:
    elements, shape = facts.elements(operand(node, 0)), facts.shape(node.outputs[0])
    if elements is None or shape is None or len(shape) > 1:
        return None
    count = shape[0] if shape else 1
    if not isinstance(count, int) or count > MAX_ELEMENTS or len(elements) not in (1, count):
        return None
    return elements if len(elements) == count else elements * count


def _reduce_prod(facts: ShapeFacts, node: Node) -> Terms | None:
    elements = facts.elements(operand(node, 0))
    axes = () if operand(node, 1) is None else facts.integers(operand(node, 1))
    if elements is None or facts.rank(operand(node, 0)) != 1 or axes not in ((), (0,), (-1,)):
        return None
    if not axes and node.attr("noop_with_empty_axes", 0):
        return None
    total: Term = 1
    for element in elements:
        total = multiply(total, element)
    return (total,)


def _extreme(choose: Callable[[int, int], int]) -> ElementRule:
    def rule(facts: ShapeFacts, node: Node) -> Terms | None:
        if len(node.inputs) != 2:
            return None
        return _broadcast(
            facts,
            node,
            lambda a, b: choose(a, b) if isinstance(a, int) and isinstance(b, int) else a if a == b else None,
        )

    return rule


ELEMENT_RULES: Mapping[str, ElementRule] = {
    "Shape": _shape,
    "Size": _size,
    "Identity": _same,
    "Cast": _cast,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Reshape": _reshape,
    "Flatten": _reshape,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    "Add": _arithmetic(add),
    "Sub": _arithmetic(subtract),
    "Mul": _arithmetic(multiply),
    "Div": _arithmetic(divide),
    "Min": _extreme(min),
    "Max": _extreme(max),
    "Equal": _equal,
    "Where": _where,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "ReduceProd": _reduce_prod,
}
