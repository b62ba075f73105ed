"""Operators that reduce dimensions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    Output,
    Rule,
    Types,
    UnknownRankError,
    elements,
    family,
    has_elements,
    needed_shape,
    normal_axis,
)
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Shape


def _reduce(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    given = elements(node, 1, "axes") if has_elements(node, 1, "axes") else []
    if given is None:
        raise UnknownRankError
    if not given and node.attr("noop_with_empty_axes", 0):
        return (shape,)
    axes = {normal_axis(axis, len(shape)) for axis in given} or range(len(shape))
    return (_reduced(shape, axes, node),)


def _arg_reduce(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    return (_reduced(shape, (normal_axis(node.attr("axis", 0), len(shape)),), node),)


def _reduced(shape: Shape, axes: Collection[int], node: Node) -> Shape:
    if node.attr("keepdims", 1):
        return tuple(1 if axis in axes else d for axis, d in enumerate(shape))
    return tuple(d for axis, d in enumerate(shape) if axis not in axes)


RULES: Mapping[str, Rule] = {
    **family("ArgMax ArgMin", _arg_reduce),
    **family(
        "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare",
        _reduce,
    ),
}
