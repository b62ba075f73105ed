"""Shape nodes moved out of the way of fusions."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_provider_cpu.passes._match import as_row, last_size, nodes_of, rank_of, scalar
from ort_provider_cpu.passes._transposed import POINTWISE

_FIRST_INPUT = frozenset({"LayerNormalization", "RMSNormalization", "Softmax", "LogSoftmax"})


@graph_pass(Level.EXTENDED, order=5)
def sink_shapes(graph: Graph, ctx: PassContext) -> bool:
    """Shape(x) -> Shape(f(x)) where f alone uses x otherwise and keeps its shape, so that x is a mere intermediate result."""
    changed = False
    for node in nodes_of(graph, {"Shape", "Size"}):
        value = node.inputs[0]
        while value is not None and value.graph is graph and (later := _same_shape_later(value)) is not None:
            node.set_input(0, later)
            value = later
            changed = True
    if changed:
        graph.sort()
    return changed


def _same_shape_later(value: Value) -> Value | None:
    """What the only node that uses more of `value` than its shape makes of it, if it has the same shape."""
    uses = value.uses
    users = {use.user for use in uses if not (isinstance(use.user, Node) and use.user.op_type in {"Shape", "Size"})}
    user = users.pop() if len(users) == 1 else None
    if not isinstance(user, Node) or user.graph is not value.graph or user.domain or user.outputs[0] is None:
        return None
    if user.op_type in _FIRST_INPUT:
        others = user.inputs[1:]
        return user.outputs[0] if user.inputs[0] is value and all(v is None or v.is_constant for v in others) else None
    keeps = user.op_type in POINTWISE and all(v is None or v is value or _is_smaller(v, value) for v in user.inputs)
    return user.outputs[0] if keeps else None


def _is_smaller(constant: Value, value: Value) -> bool:
    """Whether a constant is broadcast to any tensor of the shape of `value`."""
    if scalar(constant, rank_of(value)) is not None:
        return True
    size = last_size(value)
    return size is not None and constant.is_constant and as_row(constant, size, rank_of(value))
