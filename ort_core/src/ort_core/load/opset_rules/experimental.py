"""Upgrades of operators that left ONNX before opset 10 and that onnxruntime still runs there."""

from __future__ import annotations

from typing import Any

import numpy as np

from ort_core.ir.graph import Node, Value
from ort_core.load.opset_rules.edit import (
    constant,
    emit,
    input_at,
    refuse,
    scalar_like,
    take,
)
from ort_core.load.opset_rules.registry import upgrade


@upgrade("Affine", to=10)
def affine(node: Node) -> None:
    """Computes y = alpha * x + beta."""
    x = _data(node)
    alpha, beta = take(node, "alpha", 1.0), take(node, "beta", 0.0)
    _become(node, "Add", emit(node, "Mul", x, scalar_like(node, alpha, x, "alpha")), scalar_like(node, beta, x, "beta"))


@upgrade("Scale", to=10)
def scale(node: Node) -> None:
    """Computes y = scale * x."""
    x = _data(node)
    _become(node, "Mul", x, scalar_like(node, take(node, "scale", 1.0), x, "scale"))


@upgrade("ScaledTanh", to=10)
def scaled_tanh(node: Node) -> None:
    """Computes y = alpha * tanh(beta * x)."""
    x = _data(node)
    alpha, beta = _required(node, "alpha"), _required(node, "beta")
    inner = emit(node, "Tanh", emit(node, "Mul", x, scalar_like(node, beta, x, "beta")))
    _become(node, "Mul", inner, scalar_like(node, alpha, x, "alpha"))


@upgrade("ParametricSoftplus", to=10)
def parametric_softplus(node: Node) -> None:
    """Computes y = alpha * ln(exp(beta * x) + 1)."""
    x = _data(node)
    alpha, beta = _required(node, "alpha"), _required(node, "beta")
    inner = emit(node, "Softplus", emit(node, "Mul", x, scalar_like(node, beta, x, "beta")))
    _become(node, "Mul", inner, scalar_like(node, alpha, x, "alpha"))


@upgrade("ImageScaler", to=10)
def image_scaler(node: Node) -> None:
    """Computes y = scale * x + bias, with a bias for each channel of [N, C, H, W]."""
    x = _data(node)
    scaled = emit(node, "Mul", x, scalar_like(node, take(node, "scale", 1.0), x, "scale"))
    bias = constant(node, np.reshape(take(node, "bias", ()), (-1, 1, 1)), "bias", np.float32)
    _become(node, "Add", scaled, emit(node, "CastLike", bias, x))


@upgrade("Crop", to=10)
def crop(node: Node) -> None:
    """Cuts the borders of [N, C, H, W], or a window of size `scale` from the left and top border on."""
    x = _data(node)
    border, size = _required(node, "border"), take(node, "scale")
    if len(border) != 4 or (size is not None and len(size) != 2):
        raise refuse(node, f"its border {tuple(border)} must have 4 elements and its scale {size} 2.")
    left, top, right, bottom = border
    start = constant(node, [top, left], "start")
    if size is not None:
        end = constant(node, [top + size[0], left + size[1]], "end")
    else:
        end = emit(node, "Sub", emit(node, "Shape", x, start=2, end=4), constant(node, [bottom, right], "border"))
    _become(node, "Slice", x, start, end, constant(node, [2, 3], "axes"))


@upgrade("DynamicSlice", to=10)
def dynamic_slice(node: Node) -> None:
    """Slice with its bounds as inputs, before Slice had them."""
    node.op_type = "Slice"


def _data(node: Node) -> Value:
    x = input_at(node, 0)
    if x is None:
        raise refuse(node, "its input is absent.")
    return x


def _required(node: Node, name: str) -> Any:
    value = take(node, name)
    if value is None:
        raise refuse(node, f"it lacks the attribute '{name}'.")
    return value


def _become(node: Node, op_type: str, *inputs: Value | None) -> None:
    node.op_type = op_type
    node.attributes.clear()
    node.set_inputs(inputs)
