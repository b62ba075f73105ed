"""Operators that work element by element."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    Output,
    Rule,
    Types,
    broadcast,
    check,
    element_of,
    family,
    known_shape,
    like_first,
    needed_shape,
    normal_axis,
    unify,
)
from ort_core.ir.graph import Node
from ort_core.ir.types import ElementType, TensorType


def _broadcasting(node: Node, types: Types) -> Sequence[Output]:
    return (broadcast([needed_shape(types, i) for i in range(len(types))]),)


def _along_axis(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    normal_axis(node.attr("axis", -1), len(shape))
    return (shape,)


def _cast(node: Node, types: Types) -> Sequence[Output]:
    return (TensorType(element_of(node.attr("to")), known_shape(types, 0)),)


def _bit_cast(node: Node, types: Types) -> Sequence[Output]:
    element = element_of(node.attr("to"))
    source = types[0]
    check(source is not None and source.element in _NUMBERS and element in _NUMBERS)
    check(source is not None and source.element.bits == element.bits)
    return (TensorType(element, known_shape(types, 0)),)


def _swiglu(node: Node, types: Types) -> Sequence[Output]:
    gate, linear = needed_shape(types, 0), needed_shape(types, 1)
    check(len(gate) == len(linear))
    return (tuple(unify(a, b) for a, b in zip(gate, linear, strict=True)),)


_NUMBERS = frozenset(
    {
        ElementType.FLOAT,
        ElementType.DOUBLE,
        ElementType.FLOAT16,
        ElementType.INT8,
        ElementType.INT16,
        ElementType.INT32,
        ElementType.INT64,
        ElementType.UINT8,
        ElementType.UINT16,
        ElementType.UINT32,
        ElementType.UINT64,
        ElementType.BOOL,
    }
)

RULES: Mapping[str, Rule] = {
    **family(
        "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot CastLike Ceil Celu Clip Cos Cosh CumProd CumSum Elu Erf Exp Floor "
        "Gelu HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not PRelu Reciprocal Relu Round Selu Shrink "
        "Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu",
        like_first,
    ),
    **family(
        "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min "
        "Mod Mul Or Pow Sub Sum Where Xor",
        _broadcasting,
    ),
    **family("Hardmax LogSoftmax Softmax", _along_axis),
    "BitCast": _bit_cast,
    "Cast": _cast,
    "SwiGLU": _swiglu,
}
