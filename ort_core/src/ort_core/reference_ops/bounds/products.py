"""Sizes of products of tensors: matrices, Einsum, convolutions, attention, recurrent layers.

Kernels are imported when a rule needs their geometry: constants of most models are folded without.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ort_core.ir.graph import Node
from ort_core.reference_ops.bounds.rules import broadcast_shape, counts, elements


@counts("MatMul", "MatMulInteger")
def matmul(node: Node, a: np.ndarray, b: np.ndarray, *_: Any) -> int:
    """Y [..., M, N] of A [..., M, K] and B [..., K, N]."""
    leading = broadcast_shape(a.shape[:-2], b.shape[:-2])
    return math.prod((*leading, *a.shape[-2:-1], *(b.shape[-1:] if b.ndim > 1 else ())))


@counts("QLinearMatMul")
def qlinear_matmul(node: Node, a: np.ndarray, a_scale: Any, a_zero_point: Any, b: np.ndarray, *_: Any) -> int:
    """As MatMul."""
    return matmul(node, a, b)


@counts("Gemm")
def gemm(node: Node, a: np.ndarray, b: np.ndarray, c: np.ndarray | None = None) -> int:
    """Y [M, N] of A' [M, K] and B' [K, N]."""
    return elements((a.shape[1 if node.attr("transA", 0) else 0], b.shape[0 if node.attr("transB", 0) else 1]))


@counts("Det")
def det(node: Node, x: np.ndarray) -> int:
    """One number for each matrix."""
    return math.prod(x.shape[:-2])


@counts("Einsum")
def einsum(node: Node, *inputs: np.ndarray) -> int:
    """The sizes of the output's labels."""
    from ort_core.reference_ops.kernels.einsum import parse_equation

    equation = parse_equation(node.attr("equation"), [x.ndim for x in inputs])
    sizes: dict[Any, int] = {}
    for labels, x in zip(equation.inputs, inputs, strict=True):
        for label, size in zip(labels, x.shape, strict=True):
            sizes[label] = size if sizes.get(label, 1) == 1 else sizes[label]
    return math.prod(sizes[label] for label in equation.output)


@counts("Conv", "ConvInteger")
def conv(node: Node, x: np.ndarray, w: np.ndarray, *_: Any) -> int:
    """Y [N, M, *out] of X [N, C, *spatial] and W [M, C / group, *kernel]."""
    from ort_core.reference_ops.kernels.windows import sliding_axes

    axes = sliding_axes(
        x.shape[2:], w.shape[2:], node.attr("strides"), node.attr("dilations"), node.attr("pads"),
        node.attr("auto_pad", "NOTSET"),
    )  # fmt: skip
    return elements((x.shape[0], w.shape[0], *(a.out for a in axes)))


@counts("QLinearConv")
def qlinear_conv(node: Node, x: np.ndarray, x_scale: Any, x_zero_point: Any, w: np.ndarray, *_: Any) -> int:
    """As Conv."""
    return conv(node, x, w)


@counts("DeformConv")
def deform_conv(node: Node, x: np.ndarray, w: np.ndarray, offset: np.ndarray, *_: Any) -> int:
    """Y [N, M, *out], `offset` having the sizes out."""
    return elements((x.shape[0], w.shape[0], *offset.shape[2:]))


@counts("ConvTranspose")
def conv_transpose(node: Node, x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> int:
    """Y [N, M, *out] of X [N, C, *spatial] and W [C, M / group, *kernel]."""
    from ort_core.reference_ops.kernels.conv import transposed_sizes

    _, out = transposed_sizes(
        x.shape[2:], w.shape[2:], node.attr("strides"), node.attr("dilations"), node.attr("pads"),
        node.attr("output_padding"), node.attr("output_shape"), node.attr("auto_pad", "NOTSET"),
    )  # fmt: skip
    return elements((x.shape[0], w.shape[1], node.attr("group", 1), *out))


@counts("CausalConvWithState")
def causal_conv_with_state(node: Node, x: np.ndarray, w: np.ndarray, *_: Any) -> tuple[int, int]:
    """Y [B, C, L] and the state [B, C, K - 1]."""
    return x.size, x.shape[0] * x.shape[1] * (w.shape[2] - 1)


@counts("Attention")
def attention(
    node: Node,
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    mask: np.ndarray | None = None,
    past_key: np.ndarray | None = None,
    past_value: np.ndarray | None = None,
    *_: Any,
) -> tuple[int, int, int, int]:
    """Y, the keys and values with those of the past, and the products of queries with keys."""
    if q.ndim == 4:
        batch, heads, queries = q.shape[:3]
        keys, width = k.shape[2], v.shape[3]
    else:
        batch, queries, heads = q.shape[0], q.shape[1], node.attr("q_num_heads")
        keys, width = k.shape[1], v.shape[2] // node.attr("kv_num_heads")
    past = 0 if past_key is None else past_key.size
    past_v = 0 if past_value is None else past_value.size
    rows = batch * heads * queries
    all_keys = keys + (past_key.shape[2] if past_key is not None else 0)
    return rows * width, k.size + past, v.size + past_v, rows * all_keys


@counts("LinearAttention")
def linear_attention(node: Node, q: np.ndarray, k: np.ndarray, v: np.ndarray, *_: Any) -> tuple[int, int]:
    """Y [B, T, Hq * dv] and the state [B, Hkv, dk, dv]."""
    heads = node.attr("kv_num_heads")
    width = v.shape[2] // heads
    return q.shape[0] * q.shape[1] * node.attr("q_num_heads") * width, k.shape[0] * k.shape[2] * width


@counts("FlexAttention", domain="ai.onnx.preview")
def flex_attention(node: Node, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> int:
    """Y [B, Hq, L, dv]."""
    return elements((*q.shape[:-1], v.shape[-1]))


@counts("GRU", "LSTM", "RNN")
def recurrent(node: Node, x: np.ndarray, w: np.ndarray, r: np.ndarray, *_: Any) -> tuple[int, int, int]:
    """Y [T, D, B, H] and the final states [D, B, H]."""
    batch = x.shape[0 if node.attr("layout", 0) else 1]
    state = r.shape[0] * batch * r.shape[2]
    return x.shape[1 if node.attr("layout", 0) else 0] * state, state, state


@counts("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
def loss(node: Node, scores: np.ndarray, target: np.ndarray, *_: Any) -> tuple[int, int]:
    """A loss for each target unless they are reduced, and the logarithms of the probabilities."""
    return target.size if node.attr("reduction", "mean") == "none" else 1, scores.size
