"""Which nodes always compute the same from the same inputs."""

from __future__ import annotations

from ort_core.ir.graph import Node
from ort_core.ir.rewrite import constant_array

DOMAINS = frozenset({"", "ai.onnx.ml"})
"""Domains whose operators are known; what custom operators and functions do is not."""

_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)


def is_deterministic(node: Node) -> bool:
    """Whether the node is of ONNX's own domains, has no subgraph, and neither draws random numbers nor trains."""
    if node.domain not in DOMAINS or node.overload or node.op_type in _RANDOM:
        return False
    if node.op_type == "Dropout":
        return is_inference_dropout(node)
    return not any(True for _ in node.subgraphs)


def is_inference_dropout(node: Node) -> bool:
    """Whether a Dropout passes its input on: `training_mode` is absent or a constant false."""
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return True
    mode = constant_array(node.inputs[2], 1)
    return mode is not None and not mode.any()
