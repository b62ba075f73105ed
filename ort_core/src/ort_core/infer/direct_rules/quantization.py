"""Quantization and its inverse; the products and convolutions of quantized tensors are with the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import Output, Rule, Types, check, element_of, known_shape
from ort_core.ir.graph import Node
from ort_core.ir.types import ElementType, TensorType


def _quantize(node: Node, types: Types) -> Sequence[Output]:
    zero_point = types[2] if len(types) > 2 else None
    code = node.attr("output_dtype", 0)
    if zero_point is not None:
        check(code in (0, zero_point.element))
        element = zero_point.element
    else:
        element = element_of(code) if code else ElementType.UINT8
    return (TensorType(element, known_shape(types, 0)),)


def _dequantize(node: Node, types: Types) -> Sequence[Output]:
    scale, code = types[1], node.attr("output_dtype", 0)
    check(scale is not None)
    element = element_of(code) if code or scale is None else scale.element
    return (TensorType(element, known_shape(types, 0)),)


def _dynamic_quantize(node: Node, types: Types) -> Sequence[Output]:
    return (known_shape(types, 0), (), ())


RULES: Mapping[str, Rule] = {
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": _dynamic_quantize,
    "QuantizeLinear": _quantize,
}
