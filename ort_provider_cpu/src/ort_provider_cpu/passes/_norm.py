"""The parts that written-out normalisations share: deviations, root mean squares, scale and bias of the last axis."""

from __future__ import annotations

from typing import NamedTuple

from ort_core.ir.graph import Node, Value
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._match import as_row, made_by, operands, rank_of, reduces_last_axis, scalar


class InverseDeviation(NamedTuple):
    """1 / sqrt(mean(x^2) + epsilon) over the last axis, or its reciprocal.

    Attributes:
        nodes: what computes it from x.
    """

    epsilon: float
    nodes: frozenset[Node]


def mean_of(value: Value | None) -> Node | None:
    """The ReduceMean over the last axis that computes `value`."""
    node = made_by(value, "ReduceMean")
    return node if node is not None and reduces_last_axis(node) else None


def root_mean_square(value: Value | None, x: Value) -> InverseDeviation | None:
    """`value` as sqrt(mean(x^2) + epsilon)."""
    if (root := made_by(value, "Sqrt")) is not None or (
        (root := made_by(value, "Pow")) is not None and scalar(root.inputs[1], rank_of(root.inputs[0])) == 0.5
    ):
        variance, nodes = root.inputs[0], {root}
    else:
        return None
    return _mean_square(variance, x, nodes)


def inverse_root_mean_square(value: Value | None, x: Value) -> InverseDeviation | None:
    """`value` as 1 / sqrt(mean(x^2) + epsilon)."""
    if (node := made_by(value, "Reciprocal")) is not None:
        inner = root_mean_square(node.inputs[0], x)
    elif (node := made_by(value, "Div")) is not None:
        one = scalar(node.inputs[0], rank_of(node.inputs[1])) == 1
        inner = root_mean_square(node.inputs[1], x) if one else None
    elif (node := made_by(value, "Pow")) is not None:
        negative = scalar(node.inputs[1], rank_of(node.inputs[0])) == -0.5
        inner = _mean_square(node.inputs[0], x, set()) if negative else None
    else:
        return None
    return None if inner is None or node is None else InverseDeviation(inner.epsilon, inner.nodes | {node})


def _mean_square(value: Value | None, x: Value, nodes: set[Node]) -> InverseDeviation | None:
    addition = made_by(value, "Add")
    if addition is None:
        return None
    for variance in addition.inputs:
        mean = mean_of(variance)
        other = None if variance is None else operands(addition, variance)
        epsilon = scalar(other, rank_of(variance))
        square = None if mean is None else _square_of(mean.inputs[0], x)
        if mean is not None and square is not None and epsilon is not None and epsilon >= 0:
            return InverseDeviation(epsilon, frozenset({*nodes, addition, mean, square}))
    return None


def _square_of(value: Value | None, x: Value) -> Node | None:
    """The node that computes x^2."""
    if (node := made_by(value, "Pow")) is not None:
        return node if node.inputs[0] is x and scalar(node.inputs[1], rank_of(x)) == 2 else None
    node = made_by(value, "Mul")
    return node if node is not None and node.inputs[0] is x and node.inputs[1] is x else None


class Applied(NamedTuple):
    """A row that a node combines with the result before it: the node, and the row [1, ..., N]."""

    node: Node
    row: Value


def next_row(value: Value | None, op_type: str, size: int) -> Applied | None:
    """The node that is the only user of `value` and multiplies or adds a row of `size` numbers."""
    user = only_user(value)
    if value is None or user is None or user.domain or user.op_type != op_type:
        return None
    other = operands(user, value)
    if other is None or other.element is not value.element or not as_row(other, size, rank_of(value)):
        return None
    return Applied(user, other)


def is_last_axis(node: Node) -> bool:
    """Whether a standard normalisation is over the last axis alone."""
    axis, rank = node.attr("axis", -1), rank_of(node.inputs[0])
    return axis == -1 or (rank is not None and axis == rank - 1)
