"""Upgrades of element-wise operators: limited broadcasting, bounds and types that were attributes."""

from __future__ import annotations

import numpy as np

from ort_core.errors import InvalidGraph
from ort_core.ir.graph import Node
from ort_core.ir.types import ElementType
from ort_core.load.opset_rules.edit import (
    INTEGERS,
    constant,
    detach_output,
    element_of,
    emit,
    emit_as,
    first_element_unknown,
    first_rank_unknown,
    look,
    ones,
    put,
    rank_of,
    rank_value,
    reshape,
    scalar_like,
    set_input,
    take,
)
from ort_core.load.opset_rules.registry import upgrade

_FLOAT_MAX = float(np.finfo(np.float32).max)


@upgrade("Reshape", to=5)
@upgrade(
    *("Abs", "Add", "BatchNormalization", "Ceil", "Clip", "Div", "Dropout", "Elu", "Exp", "Floor", "HardSigmoid"),
    *("InstanceNormalization", "LeakyRelu", "Log", "Max", "Mean", "Min", "Mul", "Neg", "PRelu", "Reciprocal", "Relu"),
    *("Selu", "Sigmoid", "Sqrt", "Sub", "Sum", "Tanh"),
    to=6,
)
def drop_consumed_inputs(node: Node) -> None:
    """`consumed_inputs` was a hint about memory."""
    take(node, "consumed_inputs")


@upgrade(
    *("Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub", "Xor"),
    to=7,
    wants=lambda node: "axis" in node.attributes and any(rank_of(v) is None for v in node.inputs),
)
def align_second_operand(node: Node) -> None:
    """`axis` was where the dimensions of B lie in A; now they are the last ones, so B gets trailing ones."""
    broadcast, axis = take(node, "broadcast", 0), take(node, "axis")
    a, b = node.inputs
    if not broadcast or axis in (None, -1) or a is None or b is None:
        return
    rank_a, rank_b = rank_of(a), rank_of(b)
    if rank_a is not None and rank_b is not None:
        trailing = rank_a - rank_b - (axis + rank_a if axis < 0 else axis)
        if trailing > 0:
            node.set_input(1, emit(node, "Unsqueeze", b, constant(node, range(rank_b, rank_b + trailing), "axes")))
        return
    after_axis = constant(node, [-axis], "axis") if axis < 0 else rank_value(node, a)
    taken = rank_value(node, b) if axis < 0 else emit(node, "Add", rank_value(node, b), constant(node, [axis], "axis"))
    count = emit(node, "Max", emit(node, "Sub", after_axis, taken), constant(node, [0], "zero"))
    node.set_input(1, reshape(node, b, emit(node, "Concat", emit(node, "Shape", b), ones(node, count), axis=0)))


@upgrade("Gemm", to=7)
def drop_gemm_broadcast(node: Node) -> None:
    """C is always broadcast."""
    take(node, "broadcast")


@upgrade("PRelu", to=7, wants=first_rank_unknown)
def align_slope(node: Node) -> None:
    """A slope per channel was a vector; now it is broadcast, so it gets a dimension for each one after the channels."""
    x, slope = node.inputs
    if x is None or slope is None or rank_of(slope) not in (None, 1) or slope.shape == (1,):
        return
    rank = rank_of(x)
    if rank is None:
        extra = emit(node, "Sub", rank_value(node, x), constant(node, [2], "two"))
        extra = emit(node, "Max", extra, constant(node, [0], "zero"))
        shape = emit(node, "Concat", constant(node, [-1], "channels"), ones(node, extra), axis=0)
        node.set_input(1, emit(node, "Reshape", slope, shape))
    elif rank > 2:
        node.set_input(1, reshape(node, slope, [-1] + [1] * (rank - 2)))


@upgrade("Selu", to=6)
def keep_selu_defaults(node: Node) -> None:
    """The default coefficients were rounded to four decimals."""
    put(node, alpha=look(node, "alpha", 1.6732), gamma=look(node, "gamma", 1.0507))


@upgrade("Cast", to=6)
def cast_to_by_number(node: Node) -> None:
    """`to` was the name of a type."""
    name = take(node, "to", "")
    if name.upper() not in ElementType.__members__:
        raise InvalidGraph(
            f"{node.where()} casts to '{name}', which is no element type. Set `to` to a TensorProto type."
        )
    put(node, to=int(ElementType[name.upper()]))


@upgrade("Clip", to=11, wants=first_element_unknown)
def clip_bounds_to_inputs(node: Node) -> None:
    """`min` and `max` become inputs; a bound at the limit of float says nothing."""
    low, high = take(node, "min", -_FLOAT_MAX), take(node, "max", _FLOAT_MAX)
    x = node.inputs[0]
    if x is None:
        return
    if low > -_FLOAT_MAX:
        set_input(node, 1, scalar_like(node, low, x, "min"))
    if high < _FLOAT_MAX:
        set_input(node, 2, scalar_like(node, high, x, "max"))


@upgrade("Erf", to=13)
def compute_integer_erf_in_double(node: Node) -> None:
    """Integer inputs are no longer allowed."""
    if element_of(node.inputs[0]) in INTEGERS:
        _compute_in_double(node)


@upgrade("ReduceLogSum", "ReduceLogSumExp", to=28, wants=first_element_unknown)
def compute_integer_logarithm_in_double(node: Node) -> None:
    """Integer inputs are no longer allowed; an unknown type may be one."""
    if element_of(node.inputs[0]) in INTEGERS | {None}:
        _compute_in_double(node)


def _compute_in_double(node: Node) -> None:
    x = node.inputs[0]
    if x is None:
        return
    node.set_input(0, emit(node, "Cast", x, to=int(ElementType.DOUBLE)))
    inner, outer = detach_output(node)
    inner.type = None
    emit_as(node, outer, "CastLike", inner, x)
