"""Upgrades of normalisations and Dropout: modes that were attributes, outputs for training, parameters per group."""

from __future__ import annotations

import numpy as np

from ort_core.ir.graph import Node, Value
from ort_core.load.opset_rules.edit import (
    constant,
    detach_output,
    drop_outputs,
    emit,
    emit_as,
    fixed,
    look,
    put,
    refuse,
    reshape,
    restore_shape,
    scalar_like,
    take,
)
from ort_core.load.opset_rules.registry import upgrade

_MAX_FOLDED_CHANNELS = 1 << 16


@upgrade("BatchNormalization", to=7)
def batch_norm_test_mode(node: Node) -> None:
    """`is_test` said that only Y is computed."""
    if take(node, "is_test", 0):
        _only_first_output(node)


@upgrade("BatchNormalization", to=9)
def batch_norm_per_activation(node: Node) -> None:
    """With `spatial` 0 each activation had its own statistics: now that is a matrix of as many channels."""
    x, *parameters = node.inputs
    if take(node, "spatial", 1) or x is None:
        return
    if len(node.outputs) > 1:
        raise refuse(node, "it trains with spatial=0.")
    flat = [None if p is None else reshape(node, p, [-1]) for p in parameters]
    node.set_inputs((emit(node, "Flatten", x, axis=1), *flat))
    restore_shape(node, x)


@upgrade("BatchNormalization", to=14)
def batch_norm_training_mode(node: Node) -> None:
    """Asking for the statistics meant training; mean and inverse deviation of the batch are no outputs any more."""
    if not any(value is not None for value in node.outputs[1:]):
        drop_outputs(node, 1)
        return
    put(node, training_mode=1)
    saved = [v if v is not None and v.uses else None for v in node.outputs[3:]]
    drop_outputs(node, 3)
    x = node.inputs[0]
    if x is None or not any(saved):
        return
    channels = reshape(node, x, [0, 0, -1])
    axes = constant(node, [0, 2], "axes")
    mean = emit(node, "ReduceMean", channels, axes)
    centred = emit(node, "Sub", channels, mean)
    variance = emit(node, "ReduceMean", emit(node, "Mul", centred, centred), axes)
    shifted = emit(node, "Add", variance, scalar_like(node, look(node, "epsilon", 1e-5), x, "epsilon"))
    inverse_deviation = emit(node, "Reciprocal", emit(node, "Sqrt", shifted))
    for output, value in zip(saved, (mean, inverse_deviation), strict=False):
        if output is not None:
            emit_as(node, output, "Reshape", value, constant(node, [-1], "shape"))


@upgrade("Dropout", to=7)
def dropout_test_mode(node: Node) -> None:
    """`is_test` said that only the first output is computed."""
    if take(node, "is_test", 0):
        _only_first_output(node)


@upgrade("Dropout", to=10)
def dropout_mask_of_element_type(node: Node) -> None:
    """The mask had the element type of the data."""
    if _has_used_mask(node):
        inner, outer = detach_output(node, 1)
        inner.type = None
        emit_as(node, outer, "CastLike", inner, node.inputs[0])


@upgrade("Dropout", to=12)
def dropout_without_ratio(node: Node) -> None:
    """Inference needs no `ratio`; what the mask marked was the other way round."""
    take(node, "ratio")
    if _has_used_mask(node):
        inner, outer = detach_output(node, 1)
        emit_as(node, outer, "Not", inner)
    else:
        drop_outputs(node, 1)


def _has_used_mask(node: Node) -> bool:
    return len(node.outputs) > 1 and node.outputs[1] is not None and bool(node.outputs[1].uses)


def _only_first_output(node: Node) -> None:
    if not any(v is not None and v.uses for v in node.outputs[1:]):
        drop_outputs(node, 1)


@upgrade("GroupNormalization", to=21)
def group_norm_per_channel(node: Node) -> None:
    """Scale and bias were given per group; now they are given per channel."""
    x, *parameters = node.inputs
    groups = look(node, "num_groups")
    if x is None or groups is None or groups < 1:
        return
    channels = x.shape[1] if x.shape is not None and len(x.shape) > 1 else None
    size: Value | None = None
    for index, parameter in enumerate(parameters, 1):
        array = fixed(parameter)
        if array is not None and isinstance(channels, int) and channels <= _MAX_FOLDED_CHANNELS:
            node.set_input(index, constant(node, np.repeat(array, channels // groups), "scale", array.dtype))
        elif parameter is not None:
            if size is None:
                count = emit(node, "Shape", x, start=1, end=2)
                per_group = emit(node, "Div", count, constant(node, [groups], "groups"))
                size = emit(node, "Concat", constant(node, [groups], "groups"), per_group, axis=0)
            rows = emit(node, "Expand", reshape(node, parameter, [-1, 1]), size)
            node.set_input(index, reshape(node, rows, [-1]))


@upgrade("MeanVarianceNormalization", to=9)
def mean_variance_axes(node: Node) -> None:
    """`across_channels` and `normalize_variance` were flags of onnxruntime's own first version."""
    across, variance = take(node, "across_channels", 0), take(node, "normalize_variance", 1)
    if "axes" in node.attributes:
        return
    axes = (0, 1, 2, 3) if across else (0, 2, 3)
    x = node.inputs[0]
    if variance or x is None:
        put(node, axes=axes)
        return
    node.op_type = "Sub"
    node.set_inputs((x, emit(node, "ReduceMean", x, constant(node, axes, "axes"))))
