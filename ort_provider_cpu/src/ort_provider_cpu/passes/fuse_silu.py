"""SiLU (Swish) written out with Sigmoid."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._emit import fuse
from ort_provider_cpu.passes._match import SINGLE, is_closed, nodes_of, operands
from ort_provider_cpu.passes._polynomial import expand


@graph_pass(Level.EXTENDED, order=11)
def fuse_silu(graph: Graph, ctx: PassContext) -> bool:
    """`x * Sigmoid(a * x)` -> Swish(x, alpha=a)."""
    changed = False
    for node in nodes_of(graph, {"Sigmoid"}):
        changed |= _fuse(node)
    if changed:
        graph.sort()
    return changed


def _fuse(node: Node) -> bool:
    argument, curve = node.inputs[0], node.outputs[0]
    root = only_user(curve)
    if argument is None or curve is None or curve.element not in SINGLE:
        return False
    if root is None or root.domain or root.op_type != "Mul":
        return False
    x = operands(root, curve)
    inner = {node}
    found = None if x is None else expand(argument, [x], inner)
    if x is None or found is None or found.keys() != {(1,)} or not is_closed(inner, root):
        return False
    return fuse(root, "Swish", [x], {"alpha": found[1,]}, domain="")
