"""Shape arithmetic: what is provable of sizes is computed once or not at all."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from ort_core.infer.element_rules import ELEMENT_RULES
from ort_core.infer.shape_facts import ShapeFacts, Terms, new_facts, operand
from ort_core.infer.terms import DIMENSION, Symbol, monomial
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, make_constant, replace_uses
from ort_core.ir.tensors import ArrayWeight
from ort_core.ir.types import ElementType

_DTYPES = {ElementType.INT64: np.int64, ElementType.BOOL: np.bool_}


@graph_pass(Level.BASIC, order=25)
def simplify_shapes(graph: Graph, ctx: PassContext) -> bool:
    """Makes known sizes constants, equal sizes one value, and the target of a Reshape constant where 0 and -1 can say it."""
    facts = new_facts(graph, ctx.memo)
    changed = False
    seen: dict[Hashable, Value] = {}
    for node in graph.nodes:
        if node.domain or any(a.ref for a in node.attributes.values()):
            continue
        if node.op_type == "Shape":
            changed |= _measure_earlier(node, facts)
        if node.op_type in ELEMENT_RULES and len(node.outputs) == 1:
            changed |= _simplify_elements(graph, node, facts, seen)
        if node.op_type == "Reshape" and node in graph:
            changed |= _simplify_target(graph, node, facts)
    return changed


def _measure_earlier(node: Node, facts: ShapeFacts) -> bool:
    """Shape(f(x)) -> Shape(x) where f keeps the shape, so that f need not be computed for it."""
    shape = facts.shape(node.inputs[0])
    first = next((term for term in shape or () if not isinstance(term, int)), None)
    if not isinstance(first, Symbol) or first.kind != DIMENSION or first.value is node.inputs[0]:
        return False
    if facts.shape(first.value) != shape:
        return False
    node.set_input(0, first.value)
    return True


def _simplify_elements(graph: Graph, node: Node, facts: ShapeFacts, seen: dict[Hashable, Value]) -> bool:
    value = node.outputs[0]
    elements = facts.elements(value)
    if value is None or elements is None or not value.is_used or value.element not in _DTYPES:
        return False
    shape = facts.shape(value)
    if shape is None or len(shape) > 1:
        return False
    known = facts.integers(value)
    if known is not None:
        make_constant(value, ArrayWeight(np.array(known, _DTYPES[value.element]).reshape((len(known),) * len(shape))))
        return True
    first = seen.setdefault((value.element, len(shape), elements), value)
    if first is value:
        return False
    replace_uses(value, first)
    return True


def _simplify_target(graph: Graph, node: Node, facts: ShapeFacts) -> bool:
    """Makes the target of a Reshape a constant, where every size is known, the input's own, or the only one left."""
    target_value = operand(node, 1)
    if target_value is None or target_value.is_constant or node.attr("allowzero", 0):
        return False
    source, target = facts.shape(node.inputs[0]), facts.elements(target_value)
    if source is None or target is None:
        return False
    sizes = _constant_target(source, target)
    if sizes is None:
        return False
    node.set_input(1, add_constant(graph, np.array(sizes, np.int64), "shape"))
    return True


def _constant_target(source: Terms, target: Terms) -> list[int] | None:
    sizes: list[int | None] = []
    for axis, term in enumerate(target):
        if isinstance(term, int):
            sizes.append(term)
        else:
            sizes.append(0 if axis < len(source) and source[axis] == term else None)
    if None in sizes:
        if sizes.count(None) > 1 or any(isinstance(s, int) and s <= 0 for s in sizes):
            return None
        if monomial(source) != monomial(target):
            return None
    return [-1 if s is None else s for s in sizes]
