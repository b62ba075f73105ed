"""Convolutions with constant weights in the blocked layout."""

from __future__ import annotations

from typing import Any

from ort_core.errors import InvalidGraph
from ort_core.ir.graph import Graph, Node
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_node, replace_node
from ort_provider_cpu.passes._blocked import (
    DOMAIN,
    blocked_form,
    blocked_type,
    from_blocked,
    is_float,
    to_blocked,
    typed,
)

MAX_STEM_CHANNELS = 8
"""Inputs with so few channels are read as they are."""
MAX_PLAIN_ROWS = 3
"""Groups with so few output channels, and more than twice as many input channels, are computed over plain tensors."""


@graph_pass(Level.LAYOUT, order=60)
def use_blocked_layout(graph: Graph, ctx: PassContext) -> bool:
    """Conv -> FromBlocked(BlockedConv(ToBlocked(x))), or FromBlocked(StemConv(x)) for few input channels."""
    changed = False
    for node in graph.nodes:
        if node.op_type == "Conv" and not node.domain and _is_eligible(node):
            _convert(graph, node)
            changed = True
    if changed:
        graph.sort()
    return changed


def _is_eligible(node: Node) -> bool:
    x, weight, *bias = node.inputs
    if x is None or weight is None or not is_float(x) or not weight.is_constant or weight.shape is None:
        return False
    if any(b is not None and not b.is_constant for b in bias) or x.shape is None or not 3 <= len(x.shape) <= 5:
        return False
    if len(weight.shape) != len(x.shape) or 0 in weight.shape:
        return False
    group: int = node.attr("group", 1)
    out_channels, group_channels = weight.shape[:2]
    if group < 1 or out_channels % group:
        return False
    rows = out_channels // group
    return group == 1 or rows > MAX_PLAIN_ROWS or group_channels <= 2 * rows


def _convert(graph: Graph, node: Node) -> None:
    (x, _), (weight, _) = typed(node.inputs[0]), typed(node.inputs[1])
    output, output_type = typed(node.outputs[0])
    if weight.const is None:
        raise InvalidGraph(f"the weights of {node} are no constant")
    out_channels, group_channels = weight.const.shape[:2]
    channels = group_channels * node.attr("group", 1)
    attributes: dict[str, Any] = dict(node.attributes)
    if channels == group_channels <= MAX_STEM_CHANNELS and blocked_form(x) is None:
        op_type, source = "StemConv", x
    else:
        op_type, source = "BlockedConv", to_blocked(graph, x, channels, node)
        attributes["channels"] = channels
    (blocked,) = add_node(
        graph, op_type, [source, weight, *node.inputs[2:]], domain=DOMAIN, attributes=attributes, like=node
    )
    blocked.type = blocked_type(output_type, out_channels)
    replace_node(node, [from_blocked(graph, blocked, out_channels, output, node)])
