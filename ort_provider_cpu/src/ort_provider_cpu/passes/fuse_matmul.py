"""Matrix products with transpositions, scale, bias, residual sum and activation."""

from __future__ import annotations

from ort_core.ir.graph import Graph
from ort_core.ir.passes import Level, PassContext, graph_pass

from ort_provider_cpu.passes._emit import fuse
from ort_provider_cpu.passes._product import absorb_transposes, absorb_users, product_of


@graph_pass(Level.EXTENDED, order=40)
def fuse_matmul(graph: Graph, ctx: PassContext) -> bool:
    """act(alpha * A' B' + bias + residual) -> FusedMatMul."""
    changed = False
    # Of two products that are added, the later one takes the sum: the other is there by then.
    for node in reversed(graph.nodes):
        product = product_of(node) if node.graph is graph else None
        if product is None:
            continue
        absorb_transposes(product)
        absorb_users(product)
        if product.grown:
            inputs = [product.a, product.b, product.bias, product.residual]
            while inputs[-1] is None:
                inputs.pop()
            changed |= fuse(product.root, "FusedMatMul", inputs, product.attributes())
    if changed:
        graph.sort()
    return changed
