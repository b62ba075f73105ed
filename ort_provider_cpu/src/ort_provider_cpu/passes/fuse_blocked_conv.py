"""Residual sums and activations in the convolution that they follow."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import make_attribute
from ort_provider_cpu.passes._activation import absorb, activation_attributes, fused_activation, only_user
from ort_provider_cpu.passes._blocked import DOMAIN
from ort_provider_cpu.passes._extents import Extents

_RESIDUAL = 3


@graph_pass(Level.LAYOUT, order=64)
def fuse_blocked_conv(graph: Graph, ctx: PassContext) -> bool:
    """act(BlockedConv(x, W, B) + residual) in one node; StemConv takes an activation only.

    Activations are taken through BlockedDepthToSpace too, which only moves pixels.
    """
    changed = False
    extents = Extents()
    # The last convolution of a sum takes it, since its operands are there by then.
    for node in reversed(graph.nodes):
        if node.domain == DOMAIN and node.op_type in {"BlockedConv", "StemConv"} and node.graph is graph:
            changed |= _absorb_sum(graph, node, extents) | _absorb_activation(graph, node)
    if changed:
        graph.sort()
    return changed


def _absorb_sum(graph: Graph, conv: Node, extents: Extents) -> bool:
    user = only_user(conv.outputs[0])
    if conv.op_type != "BlockedConv" or len(conv.inputs) > _RESIDUAL or "activation" in conv.attributes:
        return False
    if user is None or user.op_type != "Add" or user.domain:
        return False
    other = next(v for v in user.inputs if v is not conv.outputs[0])
    if other is None or conv.outputs[0] is None or other.is_constant or other is conv.outputs[0]:
        return False
    if not _same_size(other, conv.outputs[0], extents):
        return False
    while len(conv.inputs) < _RESIDUAL:
        conv.append_input(None)
    conv.append_input(other)
    absorb(graph, user, conv.outputs[0])
    return True


def _same_size(x: Value, y: Value, extents: Extents) -> bool:
    if x.element is not y.element or x.shape is None or y.shape is None or len(x.shape) != len(y.shape):
        return False
    if x.shape == y.shape and None not in x.shape:
        return True
    return x.shape[1] == y.shape[1] is not None and x.shape[-1] == y.shape[-1] and extents.of(x) == extents.of(y)


def _absorb_activation(graph: Graph, conv: Node) -> bool:
    result = conv.outputs[0]
    user = only_user(result)
    if user is not None and user.op_type == "BlockedDepthToSpace" and user.domain == DOMAIN:
        result = user.outputs[0]
        user = only_user(result)
    if user is None or "activation" in conv.attributes:
        return False
    activation = fused_activation(user)
    if activation is None or user.inputs[0] is not result:
        return False
    conv.attributes |= {k: make_attribute(v) for k, v in activation_attributes(activation).items()}
    absorb(graph, user, result)
    return True
