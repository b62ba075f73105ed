"""Matrix products with transpositions, scale, bias, residual sum and activation."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import graph_of, replace_uses
from ort_provider_cpu.passes._emit import align, fuse, remove_unused
from ort_provider_cpu.passes._product import Product, absorb_transposes, absorb_users, product_of


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
            changed |= _emit(product)
    if changed:
        graph.sort()
    return changed


def _emit(product: Product) -> bool:
    a, residual, root = product.a, product.residual, product.root
    if residual is not None and product.total is not None:
        a, residual = align(root, a, residual, product.total)
    inputs = [a, product.b, product.bias, residual]
    while inputs[-1] is None:
        inputs.pop()
    if product.view is None:
        return fuse(root, "FusedMatMul", inputs, product.attributes())
    source, viewed = product.view.inputs[0], product.view.outputs[0]
    assert source is not None
    assert viewed is not None
    result = Value(graph_of(root).fresh_name(f"{source.name}_fused"), source.type)
    if not fuse(root, "FusedMatMul", inputs, product.attributes(), outputs=[result]):
        return False
    product.view.set_input(0, result)
    replace_uses(product.result, viewed)
    remove_unused([root, *([] if source.producer is None else [source.producer])])
    return True
