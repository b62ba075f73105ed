"""Scales and shifts of channels that follow a convolution, in its weights."""

from __future__ import annotations

import numpy as np

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, constant_array
from ort_core.ir.types import ElementType
from ort_provider_cpu.passes._activation import absorb, only_user


@graph_pass(Level.EXTENDED, order=20)
def fuse_conv_batch_norm(graph: Graph, ctx: PassContext) -> bool:
    """BatchNormalization, Mul or Add with constants for each channel: s * conv(x, W, B) + t -> conv(x, s * W, s * B + t)."""
    changed = False
    for node in graph.nodes:
        if node.op_type == "Conv" and not node.domain and node.graph is graph:
            while _absorb(graph, node):
                changed = True
    return changed


def _absorb(graph: Graph, conv: Node) -> bool:
    result, weight = conv.outputs[0], conv.inputs[1]
    user = only_user(result)
    if user is None or user.domain or weight is None or weight.element is not ElementType.FLOAT or weight.shape is None:
        return False
    if result is None or result.element is not ElementType.FLOAT or user.inputs[0] is None:
        return False
    affine = _affine(user, result, weight.shape[0], len(weight.shape))
    bias = conv.inputs[2] if len(conv.inputs) > 2 else None
    if affine is None or (bias is not None and not bias.is_constant):
        return False
    scale, shift = affine
    if scale is not None:
        kernel = constant_array(weight)
        if kernel is None or len(weight.uses) > 1:
            return False
        folded = kernel.astype(np.float64) * scale.reshape(-1, *(1,) * (kernel.ndim - 1))
        conv.set_input(1, add_constant(graph, folded.astype(np.float32), weight.name))
    old = constant_array(bias)
    total = (0.0 if old is None else old.astype(np.float64)) * (1.0 if scale is None else scale) + shift
    constant = add_constant(graph, np.broadcast_to(total, weight.shape[:1]).astype(np.float32), "bias")
    if len(conv.inputs) > 2:
        conv.set_input(2, constant)
    else:
        conv.append_input(constant)
    absorb(graph, user, result)
    return True


def _affine(user: Node, result: Value, channels: int, rank: int) -> tuple[np.ndarray | None, np.ndarray] | None:
    """What `user` multiplies each channel with (None for 1) and adds to it, in float64."""
    if user.op_type == "BatchNormalization":
        parameters = [constant_array(v) for v in user.inputs[1:5]]
        if user.inputs[0] is not result or user.attr("training_mode", 0) or any(p is None for p in parameters):
            return None
        if any(v is not None and v.is_used for v in user.outputs[1:]):
            return None
        scale, shift, mean, variance = (p.astype(np.float64) for p in parameters if p is not None)
        factor = scale / np.sqrt(variance + user.attr("epsilon", 1e-5))
        return (factor, shift - mean * factor) if np.all(np.isfinite(factor)) else None
    if user.op_type not in {"Mul", "Add"} or len(user.inputs) != 2:
        return None
    other = user.inputs[1] if user.inputs[0] is result else user.inputs[0]
    constant = constant_array(other)
    if constant is None or constant.dtype != np.float32:
        return None
    vector = _per_channel(constant, channels, rank)
    if vector is None:
        return None
    return (vector, np.zeros(1)) if user.op_type == "Mul" else (None, vector)


def _per_channel(constant: np.ndarray, channels: int, rank: int) -> np.ndarray | None:
    """The constant as one number for each channel, if it does not vary over batch and space nor widen the result."""
    if constant.ndim > rank:
        return None
    full = constant.reshape((1,) * (rank - constant.ndim) + constant.shape)
    if full.shape[0] != 1 or any(d != 1 for d in full.shape[2:]) or full.shape[1] not in {1, channels}:
        return None
    return np.broadcast_to(full.reshape(-1).astype(np.float64), (channels,))
