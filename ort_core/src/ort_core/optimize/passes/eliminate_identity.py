"""Identity nodes vanish."""

from __future__ import annotations

from ort_core.ir.graph import Graph
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import replace_node


@graph_pass(Level.BASIC, order=20)
def eliminate_identity(graph: Graph, ctx: PassContext) -> bool:
    """Identity(x) -> x, for tensors, sequences and optionals, also at the outputs of the graph."""
    changed = False
    for node in graph.nodes:
        if node.op_type == "Identity" and not node.domain and node.inputs[0] is not None:
            replace_node(node, [node.inputs[0]])
            changed = True
    return changed
