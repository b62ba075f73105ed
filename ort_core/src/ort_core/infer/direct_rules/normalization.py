"""Normalization and dropout; `ort_core.infer.replacements` has those that ONNX's inference gets wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    Output,
    Rule,
    Types,
    check,
    family,
    known_shape,
    like_first,
    unify,
    without_shape,
)
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Dim


def _batch_normalization(node: Node, types: Types) -> Sequence[Output]:
    shape = known_shape(types, 0)
    channels: Dim = None
    if shape is not None:
        channels = shape[1] if len(shape) > 1 else 1
    for index in range(1, 5):
        statistics = known_shape(types, index)
        if statistics is not None:
            check(len(statistics) == 1)
            channels = unify(channels, statistics[0])
    check(len(node.outputs) == (3 if node.attr("training_mode", 0) else 1))
    return (shape, (channels,), (channels,))


def _dropout(node: Node, types: Types) -> Sequence[Output]:
    check(not known_shape(types, 1) and not known_shape(types, 2))
    return (known_shape(types, 0),) * 2


RULES: Mapping[str, Rule] = {
    **family("InstanceNormalization LpNormalization LRN", like_first),
    "BatchNormalization": _batch_normalization,
    "Dropout": _dropout,
    "GroupNormalization": without_shape,
}
