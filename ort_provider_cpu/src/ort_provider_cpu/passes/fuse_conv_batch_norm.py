"""Scales and shifts of channels beside a convolution, in its weights."""

from __future__ import annotations

import numpy as np

from ort_core.ir.graph import Graph, Node
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, constant_array
from ort_core.ir.types import ElementType
from ort_provider_cpu.passes._activation import absorb, only_user
from ort_provider_cpu.passes._channel_affine import batch_norm_affine, channel_affine


@graph_pass(Level.EXTENDED, order=20)
def fuse_conv_batch_norm(graph: Graph, ctx: PassContext) -> bool:
    """BatchNormalization, Mul or Add with constants for each channel: s * conv(x, W, B) + t -> conv(x, s * W, s * B + t).

    The same for ConvTranspose. BatchNormalization in front of a convolution without padding: conv(s * x + t, W, B) ->
    conv(x, s * W, W t + B).
    """
    changed = False
    for node in graph.nodes:
        if node.op_type not in {"Conv", "ConvTranspose"} or node.domain or node.graph is not graph:
            continue
        if _has_float_weights(node):
            while _absorb_following(graph, node):
                changed = True
            changed |= node.op_type == "Conv" and _absorb_preceding(graph, node)
    return changed


def _has_float_weights(conv: Node) -> bool:
    weight = conv.inputs[1]
    if weight is None or weight.element is not ElementType.FLOAT or weight.shape is None:
        return False
    bias = conv.inputs[2] if len(conv.inputs) > 2 else None
    return bias is None or bias.is_constant


def _absorb_following(graph: Graph, conv: Node) -> bool:
    result, weight = conv.outputs[0], conv.inputs[1]
    user = only_user(result)
    if user is None or user.domain or weight is None or weight.shape is None or user.inputs[0] is None:
        return False
    if result is None or result.element is not ElementType.FLOAT:
        return False
    group = conv.attr("group", 1)
    is_transposed = conv.op_type == "ConvTranspose"
    channels = weight.shape[1] * group if is_transposed else weight.shape[0]
    affine = channel_affine(user, result, channels, len(weight.shape))
    if affine is None:
        return False
    scale, shift = affine
    if scale is not None:
        kernel = constant_array(weight)
        if kernel is None or len(weight.uses) > 1 or kernel.shape[0] % group:
            return False
        factor = scale.reshape(group, -1).repeat(kernel.shape[0] // group, axis=0) if is_transposed else scale
        folded = kernel.astype(np.float64) * factor.reshape(*factor.shape, *(1,) * (kernel.ndim - factor.ndim))
        conv.set_input(1, add_constant(graph, folded.astype(np.float32), weight.name))
    _set_bias(graph, conv, _bias(conv) * (1.0 if scale is None else scale) + shift, channels)
    absorb(graph, user, result)
    return True


def _absorb_preceding(graph: Graph, conv: Node) -> bool:
    norm = None if conv.inputs[0] is None else conv.inputs[0].producer
    if norm is None or norm.op_type != "BatchNormalization" or norm.domain or norm.inputs[0] is None:
        return False
    if only_user(norm.outputs[0]) is not conv or _may_pad(conv) or norm.outputs[0] is conv.inputs[1]:
        return False
    affine, weight = batch_norm_affine(norm), conv.inputs[1]
    kernel = constant_array(weight)
    if affine is None or kernel is None or weight is None or len(weight.uses) > 1:
        return False
    group = conv.attr("group", 1)
    out_channels, in_channels, *taps = kernel.shape
    if affine[0].size != in_channels * group or out_channels % group:
        return False
    scale, shift = (np.repeat(v.reshape(group, in_channels), out_channels // group, axis=0) for v in affine)
    wide = kernel.astype(np.float64)
    folded = wide * scale.reshape(out_channels, in_channels, *(1,) * len(taps))
    total = _bias(conv) + (wide.sum(axis=tuple(range(2, wide.ndim))) * shift).sum(axis=1)
    conv.set_input(1, add_constant(graph, folded.astype(np.float32), weight.name))
    _set_bias(graph, conv, total, out_channels)
    conv.set_input(0, norm.inputs[0])
    graph.remove(norm)
    return True


def _may_pad(conv: Node) -> bool:
    mode = conv.attr("auto_pad", "NOTSET")
    return mode not in {"NOTSET", "VALID"} or (mode == "NOTSET" and any(conv.attr("pads") or ()))


def _bias(conv: Node) -> np.ndarray | float:
    bias = constant_array(conv.inputs[2]) if len(conv.inputs) > 2 else None
    return 0.0 if bias is None else bias.astype(np.float64)


def _set_bias(graph: Graph, conv: Node, total: np.ndarray | float, channels: int) -> None:
    constant = add_constant(graph, np.broadcast_to(total, (channels,)).astype(np.float32), "bias")
    if len(conv.inputs) > 2:
        conv.set_input(2, constant)
    else:
        conv.append_input(constant)
