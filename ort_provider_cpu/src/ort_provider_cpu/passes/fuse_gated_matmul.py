"""Gated products of one operand with two matrices, as in SwiGLU."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_provider_cpu.passes._activation import FusedActivation, activation_attributes, fused_activation
from ort_provider_cpu.passes._emit import fuse
from ort_provider_cpu.passes._match import is_closed, nodes_of
from ort_provider_cpu.passes._product import Product, constant_matrix, product_of


@graph_pass(Level.EXTENDED, order=38)
def fuse_gated_matmul(graph: Graph, ctx: PassContext) -> bool:
    """act(x Wgate) * (x Wup) with constant matrices of one shape -> GatedMatMul(x, Wgate, Wup)."""
    changed = False
    for node in nodes_of(graph, {"Mul"}):
        left, right = node.inputs
        changed |= _fuse(node, left, right) or _fuse(node, right, left)
    if changed:
        graph.sort()
    return changed


def _fuse(root: Node, gate: Value | None, other: Value | None) -> bool:
    up = product_of(None if other is None else other.producer)
    curve = None if gate is None else gate.producer
    if up is None or curve is None or not _is_plain(up) or up.root is curve:
        return False
    activation = fused_activation(curve)
    inner = {up.root, curve}
    if activation is None:
        activation = FusedActivation("none")
        down = product_of(curve)
    else:
        source = curve.inputs[0]
        down = product_of(None if source is None else source.producer)
    if down is None or down.root is up.root or not _is_plain(down) or down.a is not up.a or down.b.shape != up.b.shape:
        return False
    if not is_closed({*inner, down.root}, root):
        return False
    return fuse(root, "GatedMatMul", [up.a, down.b, up.b], activation_attributes(activation, "activation_"))


def _is_plain(product: Product) -> bool:
    return product.is_plain() and product.bias is None and constant_matrix(product.b)
