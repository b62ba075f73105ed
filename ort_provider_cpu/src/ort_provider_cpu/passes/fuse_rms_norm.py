"""Root-mean-square normalisation written out."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_provider_cpu.passes._emit import fuse, ones, row
from ort_provider_cpu.passes._match import SINGLE, is_closed, last_size, nodes_of
from ort_provider_cpu.passes._norm import InverseDeviation, inverse_root_mean_square, next_row, root_mean_square


@graph_pass(Level.EXTENDED, order=21)
def fuse_rms_norm(graph: Graph, ctx: PassContext) -> bool:
    """`x / sqrt(mean(x^2) + epsilon) * scale` over the last axis -> RMSNormalization."""
    changed = False
    for node in nodes_of(graph, {"Mul", "Div"}):
        changed |= _fuse(node)
    if changed:
        graph.sort()
    return changed


def _fuse(node: Node) -> bool:
    left, right = node.inputs
    pairs = [(left, right)] if node.op_type == "Div" else [(left, right), (right, left)]
    for x, factor in pairs:
        size = last_size(x)
        if x is None or x.element not in SINGLE or not size:
            continue
        invert = root_mean_square if node.op_type == "Div" else inverse_root_mean_square
        found: InverseDeviation | None = invert(factor, x)
        if found is None:
            continue
        scale = next_row(node.outputs[0], "Mul", size)
        root = node if scale is None else scale.node
        if not is_closed({*found.nodes, node}, root):
            return False
        weight = ones(root, size, x) if scale is None else row(root, scale.row, size)
        attributes = {"axis": -1, "epsilon": found.epsilon}
        return weight is not None and fuse(root, "RMSNormalization", [x, weight], attributes, domain="")
    return False
