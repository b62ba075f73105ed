"""If nodes with a constant condition become the branch that is taken."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import clone_node, clone_value, constant_array, replace_node


@graph_pass(Level.BASIC, order=45)
def inline_constant_if(graph: Graph, ctx: PassContext) -> bool:
    """If(true, then, else) -> the nodes of `then`."""
    changed = False
    for node in graph.nodes:
        if node.op_type != "If" or node.domain:
            continue
        condition = constant_array(node.inputs[0], 1)
        branch = None
        if condition is not None and condition.size == 1:
            branch = node.attr("then_branch" if condition.item() else "else_branch")
        if isinstance(branch, Graph) and len(branch.outputs) == len(node.outputs):
            _inline(graph, node, branch)
            changed = True
    if changed:
        graph.sort()
    return changed


def _inline(graph: Graph, node: Node, branch: Graph) -> None:
    values: dict[Value, Value] = {}
    for value in branch.initializers.values():
        graph.add_initializer(clone_value(value, values, graph))
    for inner in branch.nodes:
        copy = clone_node(inner, values, names=graph)
        copy.origin = copy.origin or node.origin
        graph.add(copy)
    replace_node(node, [values.get(v, v) for v in branch.outputs])
