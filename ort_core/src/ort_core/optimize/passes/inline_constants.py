"""Constant nodes become initializers."""

from __future__ import annotations

from ort_core.infer.constants import constant_weight, dense_size_bytes, densify
from ort_core.ir.attributes import SparseWeight
from ort_core.ir.graph import Graph
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import make_constant
from ort_core.ir.tensors import ArrayWeight


@graph_pass(Level.BASIC, order=10)
def inline_constants(graph: Graph, ctx: PassContext) -> bool:
    """Turns each Constant node into an initializer of the same name; sparse ones become dense if they are small enough."""
    changed = False
    for node in graph.nodes:
        if node.op_type != "Constant" or node.domain or (value := node.outputs[0]) is None:
            continue
        weight = constant_weight(node)
        if isinstance(weight, SparseWeight):
            if dense_size_bytes(weight) > ctx.max_fold_bytes:
                continue
            weight = ArrayWeight(densify(weight, node.where()), weight.values.element)
        if weight is not None:
            make_constant(value, weight)
            changed = True
    return changed
