"""Sizes of outputs that are made from attributes and scalars."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ort_core.ir.graph import Node
from ort_core.reference_ops.bounds.rules import counts, elements, scalar, total_bytes


@total_bytes("Constant")
def constant(node: Node) -> int:
    """The bytes of the value, or 8 for each number of a list."""
    (value,) = (a.value for a in node.attributes.values())
    return int(getattr(value, "nbytes", 8 * len(value) if isinstance(value, tuple) else 8))


@counts("ConstantOfShape")
def constant_of_shape(node: Node, shape: np.ndarray) -> int:
    """The shape given."""
    return elements(shape.tolist())


@counts("RandomNormal", "RandomUniform")
def random_of_shape(node: Node) -> int:
    """The shape in the attribute."""
    return elements(node.attr("shape"))


@counts("Multinomial")
def multinomial(node: Node, x: np.ndarray) -> int:
    """Y [B, sample_size]."""
    return elements((x.shape[0], node.attr("sample_size", 1)))


@counts("Range")
def range_(node: Node, start: np.ndarray, limit: np.ndarray, delta: np.ndarray) -> int:
    """The steps from start to limit."""
    if start.dtype.kind in "iu":
        return max(0, -((scalar(start) - scalar(limit)) // scalar(delta)))
    first, last, step = (float(v.reshape(-1)[0]) for v in (start, limit, delta))
    return max(0, math.ceil((last - first) / step) + 1)


@counts("OneHot")
def one_hot(node: Node, indices: np.ndarray, depth: np.ndarray, *_: Any) -> int:
    """A vector of `depth` for each index."""
    return indices.size * scalar(depth)


@counts("BlackmanWindow", "HammingWindow", "HannWindow")
def window(node: Node, size: np.ndarray) -> int:
    """The size given."""
    return scalar(size)


@counts("MelWeightMatrix")
def mel_weight_matrix(node: Node, num_mel_bins: np.ndarray, dft_length: np.ndarray, *_: Any) -> int:
    """Y [dft_length / 2 + 1, num_mel_bins]."""
    return (scalar(dft_length) // 2 + 1) * scalar(num_mel_bins)
