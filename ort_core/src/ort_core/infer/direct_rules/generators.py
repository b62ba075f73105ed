"""Operators that make tensors: ranges, constants and random numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    Output,
    Rule,
    Types,
    check,
    constant,
    element_of,
    family,
    known_shape,
    size,
)
from ort_core.infer.direct_rules.reshaping import shape_input
from ort_core.ir.graph import Node
from ort_core.ir.types import ElementType, TensorType

_EXACT = 1 << 52


def _range(node: Node, types: Types) -> Sequence[Output]:
    bounds = [constant(node, index) for index in range(3)]
    arrays = [array for array in bounds if array is not None]
    if len(arrays) < 3:
        return ((None,),)
    check(all(array.ndim == 0 and array.dtype.name in ("int64", "int32") for array in arrays))
    start, limit, delta = (array.item() for array in arrays)
    check(delta != 0 and max(abs(start), abs(limit), abs(delta)) < _EXACT)
    return ((max(-((start - limit) // delta), 0),),)


def _constant_of_shape(node: Node, types: Types) -> Sequence[Output]:
    fill = node.attr("value")
    check(fill is None or len(fill.shape) == 1)
    element = ElementType.FLOAT if fill is None else fill.element
    if known_shape(types, 0) is None:
        return (TensorType(element),)
    sizes = shape_input(node, types, 0)
    check(min((s for s in sizes if s is not None), default=0) >= 0)
    return (TensorType(element, tuple(sizes)),)


def _like(node: Node, types: Types) -> Sequence[Output]:
    first = types[0]
    check(first is not None)
    code = node.attr("dtype")
    element = first.element if code is None and first is not None else element_of(code)
    return (TensorType(element, known_shape(types, 0)),)


def _eye_like(node: Node, types: Types) -> Sequence[Output]:
    shape = known_shape(types, 0)
    check(shape is None or len(shape) == 2)
    return _like(node, types)


def _random(node: Node, types: Types) -> Sequence[Output]:
    shape = node.attr("shape")
    check(shape is not None)
    return (TensorType(element_of(node.attr("dtype", 1)), tuple(map(size, shape))),)


def _multinomial(node: Node, types: Types) -> Sequence[Output]:
    shape = known_shape(types, 0)
    check(shape is None or len(shape) == 2)
    element = element_of(node.attr("dtype", 6))
    check(element in (ElementType.INT32, ElementType.INT64))
    return (TensorType(element, (None if shape is None else shape[0], size(node.attr("sample_size", 1)))),)


RULES: Mapping[str, Rule] = {
    **family("Bernoulli RandomNormalLike RandomUniformLike", _like),
    **family("RandomNormal RandomUniform", _random),
    "ConstantOfShape": _constant_of_shape,
    "EyeLike": _eye_like,
    "Multinomial": _multinomial,
    "Range": _range,
}
