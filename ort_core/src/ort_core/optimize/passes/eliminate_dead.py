"""Nodes and constants that nothing uses vanish."""

from __future__ import annotations

from ort_core.ir.graph import Graph
from ort_core.ir.passes import Level, PassContext, graph_pass


@graph_pass(Level.BASIC, order=90)
def eliminate_dead(graph: Graph, ctx: PassContext) -> bool:
    """Removes nodes none of whose outputs is used, and unused initializers; graph inputs and their defaults stay."""
    changed = False
    for node in reversed(graph.nodes):
        outputs = [value for value in node.outputs if value is not None]
        if outputs and not any(value.is_used for value in outputs):
            graph.remove(node)
            changed = True
    for value in tuple(graph.initializers.values()):
        if not value.is_used and not graph.is_input(value):
            graph.remove_initializer(value)
            changed = True
    return changed
