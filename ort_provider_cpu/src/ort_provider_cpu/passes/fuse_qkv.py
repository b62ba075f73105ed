"""Products of one operand with several constant matrices, as for query, key and value."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_provider_cpu.passes._emit import fuse
from ort_provider_cpu.passes._product import Product, constant_matrix, product_of


@graph_pass(Level.EXTENDED, order=50)
def fuse_qkv(graph: Graph, ctx: PassContext) -> bool:
    """`x W0 + b0`, `x W1 + b1`, ... with constant matrices and all or no biases -> MultiMatMul."""
    groups: dict[tuple[Value, bool], list[Product]] = {}
    for node in graph.nodes:
        product = product_of(node)
        if product is None or not product.is_plain() or not constant_matrix(product.b):
            continue
        if product.bias is None or (product.bias.is_constant and product.bias.shape == (product.size,)):
            groups.setdefault((product.a, product.bias is not None), []).append(product)
    changed = False
    for (x, biased), members in groups.items():
        if len(members) > 1:
            matrices = [p.b for p in members]
            biases = [p.bias for p in members] if biased else []
            outputs = [p.result for p in members]
            attributes = {"biases": int(biased)}
            changed |= fuse(members[0].root, "MultiMatMul", [x, *matrices, *biases], attributes, outputs=outputs)
    if changed:
        graph.sort()
    return changed
