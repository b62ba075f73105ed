"""Shape nodes moved out of the way of fusions."""

from __future__ import annotations

import numpy as np

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, add_node
from ort_core.ir.types import ElementType, TensorType
from ort_provider_cpu.passes._elementwise import POINTWISE
from ort_provider_cpu.passes._emit import remove_unused
from ort_provider_cpu.passes._match import as_row, integers, last_size, made_by, nodes_of, rank_of, scalar

_FIRST_INPUT = frozenset({"LayerNormalization", "RMSNormalization", "Softmax", "LogSoftmax"})


@graph_pass(Level.EXTENDED, order=5)
def sink_shapes(graph: Graph, ctx: PassContext) -> bool:
    """Shape(x) -> Shape(f(x)) where f alone uses x otherwise and keeps its shape, so that x is a mere intermediate result.

    A dimension of a transposed tensor is taken from what was transposed.
    """
    changed = False
    for node in nodes_of(graph, {"Gather"}):
        changed |= _before_transpose(graph, node)
    for node in nodes_of(graph, {"Shape", "Size"}):
        value = node.inputs[0]
        while value is not None and value.graph is graph and (later := _same_shape_later(value)) is not None:
            node.set_input(0, later)
            value = later
            changed = True
    if changed:
        graph.sort()
    return changed


def _before_transpose(graph: Graph, gather: Node) -> bool:
    """Gather(Shape(Transpose(x)), i) -> Gather(Shape(x), perm[i])."""
    shape, index = made_by(gather.inputs[0], "Shape"), integers(gather.inputs[1])
    turned = None if shape is None else made_by(shape.inputs[0], "Transpose")
    if shape is None or turned is None or index is None or len(index) != 1 or gather.attr("axis", 0) != 0:
        return False
    source, rank = turned.inputs[0], rank_of(turned.outputs[0])
    if source is None or rank is None or shape.attr("start", 0) != 0 or shape.attr("end") is not None:
        return False
    if turned.graph is not graph or shape.graph is not graph or not -rank <= index[0] < rank:
        return False
    perm = turned.attr("perm", tuple(reversed(range(rank))))
    position = np.full((1,) * (rank_of(gather.inputs[1]) or 0), perm[index[0]], np.int64)
    (dims,) = add_node(graph, "Shape", [source], like=shape)
    dims.type = TensorType(ElementType.INT64, (rank,))
    gather.set_input(1, add_constant(graph, position, "axis"))
    gather.set_input(0, dims)
    remove_unused([shape])
    return True


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
