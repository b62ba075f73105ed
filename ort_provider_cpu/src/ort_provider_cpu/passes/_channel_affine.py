"""Operators that scale and shift channels by constants."""

from __future__ import annotations

import numpy as np

from ort_core.ir.graph import Node, Value
from ort_core.ir.rewrite import constant_array


def batch_norm_affine(node: Node) -> tuple[np.ndarray, np.ndarray] | None:
    """What a BatchNormalization of constants multiplies each channel with and adds to it, in float64."""
    parameters = [constant_array(v) for v in node.inputs[1:5]]
    if node.attr("training_mode", 0) or any(p is None for p in parameters):
        return None
    if any(v is not None and v.is_used for v in node.outputs[1:]):
        return None
    scale, shift, mean, variance = (p.astype(np.float64) for p in parameters if p is not None)
    with np.errstate(all="ignore"):
        factor = scale / np.sqrt(variance + node.attr("epsilon", 1e-5))
    return (factor, shift - mean * factor) if np.all(np.isfinite(factor)) else None


def channel_affine(user: Node, result: Value, channels: int, rank: int) -> tuple[np.ndarray | None, np.ndarray] | None:
    """What `user` multiplies each channel of `result` with (None for 1) and adds to it, in float64.

    Args:
        channels, rank: of `result`.
    """
    if user.op_type == "BatchNormalization":
        return batch_norm_affine(user) if user.inputs[0] is result else None
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
