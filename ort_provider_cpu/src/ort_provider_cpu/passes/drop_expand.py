"""Expand before an operator that broadcasts."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_provider_cpu.passes._emit import remove_unused
from ort_provider_cpu.passes._match import made_by, nodes_of

_BROADCASTING = frozenset({"Add", "Sub", "Mul", "Div", "Where", "And", "Or", "Min", "Max", "Pow"})


@graph_pass(Level.EXTENDED, order=4)
def drop_expand(graph: Graph, ctx: PassContext) -> bool:
    """f(Expand(c, Shape(x)), x) -> f(c, x) for operators that broadcast by themselves."""
    changed = False
    for node in nodes_of(graph, _BROADCASTING):
        for slot, value in enumerate(node.inputs):
            expand = made_by(value, "Expand")
            if expand is not None and _follows_operand(expand, node, slot):
                node.set_input(slot, expand.inputs[0])
                remove_unused([expand])
                changed = True
    return changed


def _follows_operand(expand: Node, node: Node, slot: int) -> bool:
    """Whether `expand` broadcasts to the shape of another operand."""
    shape = made_by(expand.inputs[1], "Shape")
    if shape is None or shape.attr("start", 0) != 0 or shape.attr("end") is not None:
        return False
    return any(v is shape.inputs[0] for i, v in enumerate(node.inputs) if i != slot and v is not None)
