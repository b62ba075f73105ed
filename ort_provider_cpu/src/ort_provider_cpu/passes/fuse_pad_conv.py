"""Zero padding in the convolution that follows it."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import constant_array, make_attribute
from ort_provider_cpu.passes._activation import only_user


@graph_pass(Level.EXTENDED, order=21)
def fuse_pad_conv(graph: Graph, ctx: PassContext) -> bool:
    """Conv(Pad(x, spatial zeros)) -> Conv(x) with larger pads."""
    changed = False
    for node in graph.nodes:
        if node.op_type == "Pad" and not node.domain:
            changed |= _absorb(graph, node)
    return changed


def _absorb(graph: Graph, pad: Node) -> bool:
    conv = only_user(pad.outputs[0])
    x = pad.inputs[0]
    if conv is None or conv.op_type != "Conv" or conv.domain or conv.inputs[0] is not pad.outputs[0]:
        return False
    if x is None or x.shape is None or pad.attr("mode", "constant") != "constant":
        return False
    if conv.attr("auto_pad", "NOTSET") != "NOTSET":
        return False
    rank = len(x.shape)
    pads = _spatial_pads(pad, rank)
    if pads is None:
        return False
    old = conv.attr("pads") or (0,) * len(pads)
    if len(old) != len(pads):
        return False
    conv.attributes["pads"] = make_attribute([int(a) + int(b) for a, b in zip(old, pads, strict=True)])
    conv.set_input(0, x)
    graph.remove(pad)
    return True


def _spatial_pads(pad: Node, rank: int) -> list[int] | None:
    """The pads of the spatial axes, starts then ends; None if others are padded, some are negative, or not by zeros."""
    amounts = constant_array(pad.inputs[1]) if len(pad.inputs) > 1 else None
    fill = pad.inputs[2] if len(pad.inputs) > 2 else None
    axes_input = pad.inputs[3] if len(pad.inputs) > 3 else None
    value, axes = constant_array(fill), constant_array(axes_input)
    if amounts is None or (fill is not None and (value is None or value.size != 1 or value.reshape(-1)[0] != 0)):
        return None
    if axes_input is not None and axes is None:
        return None
    chosen = list(range(rank)) if axes is None else [int(a) % rank for a in axes]
    if amounts.size != 2 * len(chosen) or len(set(chosen)) != len(chosen) or (amounts < 0).any():
        return None
    starts, ends = [0] * rank, [0] * rank
    for i, axis in enumerate(chosen):
        starts[axis], ends[axis] = int(amounts[i]), int(amounts[i + len(chosen)])
    if any(starts[:2]) or any(ends[:2]):
        return None
    return starts[2:] + ends[2:]
