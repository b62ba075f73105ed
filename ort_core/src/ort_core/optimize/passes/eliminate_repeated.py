"""Operators that undo or repeat themselves."""

from __future__ import annotations

from ort_core.ir.graph import Graph
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import replace_node

_IDEMPOTENT = frozenset({"Abs", "Ceil", "Floor", "Relu", "Round", "Sign"})
_INVOLUTIONS = frozenset({"BitwiseNot", "Neg", "Not"})


@graph_pass(Level.BASIC, order=60)
def eliminate_repeated(graph: Graph, ctx: PassContext) -> bool:
    """f(f(x)) -> f(x) for Abs, Ceil, Floor, Relu, Round, Sign; f(f(x)) -> x for Not, BitwiseNot, Neg."""
    changed = False
    for node in graph.nodes:
        if node.domain or node.op_type not in _IDEMPOTENT | _INVOLUTIONS or (value := node.inputs[0]) is None:
            continue
        inner = value.producer
        if inner is None or inner.op_type != node.op_type or inner.domain:
            continue
        replace_node(node, [value if node.op_type in _IDEMPOTENT else inner.inputs[0]])
        changed = True
    return changed
