"""Transposed convolutions as convolutions whose channels become adjacent pixels."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ort_core.ir.graph import Graph, Node
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, add_node, constant_array, replace_node
from ort_core.ir.types import TensorType
from ort_provider_cpu.passes._blocked import BLOCK, DOMAIN, from_blocked, is_float, to_blocked, typed

MAX_WASTE = 2.0
"""Products of the convolution for each of the transposed one."""


class _Axis(NamedTuple):
    """One dimension: output pixels `stride * j + r` come from `taps` input pixels; so many are cut off."""

    kernel: int
    stride: int
    taps: int
    begin: int
    end: int


@graph_pass(Level.LAYOUT, order=58)
def split_conv_transpose(graph: Graph, ctx: PassContext) -> bool:
    """ConvTranspose -> FromBlocked(BlockedDepthToSpace(ToBlocked(Conv(x)))), with channels for each phase of the strides."""
    changed = False
    for node in graph.nodes:
        if node.op_type == "ConvTranspose" and not node.domain and node.graph is graph:
            changed |= _convert(graph, node)
    if changed:
        graph.sort()
    return changed


def _convert(graph: Graph, node: Node) -> bool:
    x, weight, *rest = node.inputs
    bias = rest[0] if rest else None
    if not is_float(x) or not is_float(node.outputs[0]) or (bias is not None and not bias.is_constant):
        return False
    axes = _axes(node)
    kernel = constant_array(weight) if axes is not None else None
    if axes is None or kernel is None or _waste(axes, kernel) > MAX_WASTE:
        return False
    (source, source_type), (output, plain) = typed(x), typed(node.outputs[0])
    phases, channels = math.prod(a.stride for a in axes), kernel.shape[1]
    padded = math.ceil(channels / BLOCK) * BLOCK
    biases = np.zeros((phases, padded), np.float32)
    if (array := constant_array(bias)) is not None:
        biases[:, :channels] = array
    (wide,) = add_node(
        graph,
        "Conv",
        [
            source,
            add_constant(graph, _phase_weights(kernel, axes, padded), "phases"),
            add_constant(graph, biases.reshape(-1), "bias"),
        ],
        attributes={"kernel_shape": [a.taps for a in axes], "pads": [a.taps - 1 for a in axes] * 2},
        like=node,
    )
    spatial = (source_type.shape or ())[2:]
    sizes = [d + a.taps - 1 if isinstance(d, int) else None for d, a in zip(spatial, axes, strict=True)]
    wide.type = TensorType(plain.element, ((source_type.shape or (None,))[0], phases * padded, *sizes))
    (blocked,) = add_node(
        graph,
        "BlockedDepthToSpace",
        [to_blocked(graph, wide, phases * padded, node)],
        domain=DOMAIN,
        attributes={
            "blocks": [a.stride for a in axes],
            "begins": [a.begin for a in axes],
            "ends": [a.end for a in axes],
        },
        like=node,
    )
    blocked.type = TensorType(plain.element, _blocked_shape(plain, padded))
    replace_node(node, [from_blocked(graph, blocked, channels, output, node)])
    return True


def _blocked_shape(plain: TensorType, padded: int) -> tuple[int | str | None, ...] | None:
    return None if plain.shape is None else (plain.shape[0], padded // BLOCK, *plain.shape[2:], BLOCK)


def _axes(node: Node) -> list[_Axis] | None:
    """How each dimension is split; None for attributes that are not handled."""
    x, weight = node.inputs[:2]
    if x is None or weight is None or x.shape is None or weight.shape is None or not 3 <= len(x.shape) <= 5:
        return None
    rank = len(x.shape) - 2
    if len(weight.shape) != rank + 2 or 0 in weight.shape or node.attr("group", 1) != 1:
        return None
    if (
        node.attr("auto_pad", "NOTSET") != "NOTSET"
        or node.attr("output_shape")
        or any(d != 1 for d in node.attr("dilations") or ())
    ):
        return None
    strides = list(node.attr("strides") or [1] * rank)
    pads = list(node.attr("pads") or [0] * 2 * rank)
    added = list(node.attr("output_padding") or [0] * rank)
    if len(strides) != rank or len(pads) != 2 * rank or len(added) != rank or min(pads) < 0:
        return None
    axes = []
    for i, (size, kernel) in enumerate(zip(x.shape[2:], weight.shape[2:], strict=True)):
        # One input pixel gives the same whatever the stride.
        stride = kernel if size == 1 else strides[i]
        taps = -(-kernel // stride)
        axes.append(_Axis(kernel, stride, taps, pads[i], stride * taps - kernel - added[i] + pads[rank + i]))
    return axes if all(a.end >= 0 for a in axes) else None


def _waste(axes: list[_Axis], kernel: np.ndarray) -> float:
    padding = math.ceil(kernel.shape[1] / BLOCK) * BLOCK / kernel.shape[1]
    return math.prod((a.taps * a.stride / a.kernel for a in axes), start=padding)


def _phase_weights(kernel: np.ndarray, axes: list[_Axis], padded: int) -> np.ndarray:
    """Weights `[C, OC, kernel...]` as `[phases * padded, C, taps...]`, zero where a phase has fewer taps."""
    rank = len(axes)
    full = np.zeros((kernel.shape[0], padded, *(a.taps * a.stride for a in axes)), np.float32)
    full[(slice(None), slice(kernel.shape[1]), *(slice(a.kernel) for a in axes))] = kernel
    split = full.reshape(kernel.shape[0], padded, *(n for a in axes for n in (a.taps, a.stride)))
    taps, phases = range(2, 2 + 2 * rank, 2), range(3, 3 + 2 * rank, 2)
    flipped = np.flip(split.transpose(*phases, 1, 0, *taps), axis=tuple(range(rank + 2, 2 * rank + 2)))
    return np.ascontiguousarray(flipped.reshape(-1, kernel.shape[0], *(a.taps for a in axes)))
