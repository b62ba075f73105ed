"""Residual sums and activations in the convolution that they follow."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import make_attribute
from ort_provider_cpu.passes._activation import absorb, activation_attributes, fused_activation, only_user
from ort_provider_cpu.passes._blocked import DOMAIN

_RESIDUAL = 3


@graph_pass(Level.LAYOUT, order=64)
def fuse_blocked_conv(graph: Graph, ctx: PassContext) -> bool:
    """act(BlockedConv(x, W, B) + residual) in one node; StemConv takes an activation only."""
    changed = False
    # The last convolution of a sum takes it, since its operands are there by then.
    for node in reversed(graph.nodes):
        if node.domain == DOMAIN and node.op_type in {"BlockedConv", "StemConv"} and node.graph is graph:
            changed |= _absorb_sum(graph, node) | _absorb_activation(graph, node)
    if changed:
        graph.sort()
    return changed


def _absorb_sum(graph: Graph, conv: Node) -> bool:
    user = only_user(conv.outputs[0])
    if conv.op_type != "BlockedConv" or len(conv.inputs) > _RESIDUAL or "activation" in conv.attributes:
        return False
    if user is None or user.op_type != "Add" or user.domain:
        return False
    other = next(v for v in user.inputs if v is not conv.outputs[0])
    if other is None or other.type is None or conv.outputs[0] is None or other.type != conv.outputs[0].type:
        return False
    if other.is_constant or None in (other.shape or (None,)):
        return False
    while len(conv.inputs) < _RESIDUAL:
        conv.append_input(None)
    conv.append_input(other)
    absorb(graph, user, conv.outputs[0])
    return True


def _absorb_activation(graph: Graph, conv: Node) -> bool:
    user = only_user(conv.outputs[0])
    if user is None or "activation" in conv.attributes:
        return False
    activation = fused_activation(user)
    if activation is None or user.inputs[0] is not conv.outputs[0]:
        return False
    conv.attributes |= {k: make_attribute(v) for k, v in activation_attributes(activation).items()}
    absorb(graph, user, conv.outputs[0])
    return True
