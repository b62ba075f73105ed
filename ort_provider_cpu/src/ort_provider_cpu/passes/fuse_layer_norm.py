"""Layer normalisation written out."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass

from ort_provider_cpu.passes._emit import fuse, ones, row
from ort_provider_cpu.passes._match import SINGLE, is_closed, last_size, nodes_of, operands
from ort_provider_cpu.passes._norm import inverse_root_mean_square, mean_of, next_row, root_mean_square


@graph_pass(Level.EXTENDED, order=20)
def fuse_layer_norm(graph: Graph, ctx: PassContext) -> bool:
    """d / sqrt(mean(d^2) + epsilon) * scale + bias with d = x - mean(x), over the last axis -> LayerNormalization."""
    changed = False
    for node in nodes_of(graph, {"Sub"}):
        changed |= _fuse(node)
    if changed:
        graph.sort()
    return changed


def _fuse(difference: Node) -> bool:
    x, deviation = difference.inputs[0], difference.outputs[0]
    mean = mean_of(difference.inputs[1])
    size = last_size(x)
    if x is None or deviation is None or mean is None or mean.inputs[0] is not x or size is None or size == 0:
        return False
    if deviation.element not in SINGLE:
        return False
    twins = _twins(difference, mean)
    normal = _normalised([d for t in twins if (d := t.outputs[0]) is not None])
    if normal is None:
        return False
    end, epsilon, nodes = normal
    inner = {*nodes, *twins, mean}
    scale = next_row(end.outputs[0], "Mul", size)
    bias = next_row(end.outputs[0] if scale is None else scale.node.outputs[0], "Add", size)
    inner |= {end, *(a.node for a in (scale, bias) if a is not None)}
    root = bias.node if bias is not None else scale.node if scale is not None else end
    if not is_closed(inner, root):
        return False
    factor = ones(root, size, x) if scale is None else row(root, scale.row, size)
    shift = None if bias is None else row(root, bias.row, size)
    if factor is None or (bias is not None and shift is None):
        return False
    inputs = [x, factor] if shift is None else [x, factor, shift]
    return fuse(root, "LayerNormalization", inputs, {"axis": -1, "epsilon": epsilon}, domain="")


def _twins(difference: Node, mean: Node) -> list[Node]:
    """All nodes that compute x - mean(x): old exporters write it twice."""
    result = mean.outputs[0]
    users = [use.user for use in result.uses] if result is not None else []
    same = [u for u in users if isinstance(u, Node) and u.op_type == "Sub" and u.inputs == difference.inputs]
    return same if len(same) <= 2 else [difference]


def _normalised(deviations: list[Value]) -> tuple[Node, float, frozenset[Node]] | None:
    """The node that divides a deviation by its root mean square, with epsilon and the nodes between."""
    for deviation in deviations:
        for use in deviation.uses[:4]:
            user = use.user
            if not isinstance(user, Node) or user.domain or user.op_type not in {"Div", "Mul"}:
                continue
            for squared in deviations:
                if user.op_type == "Div":
                    found = root_mean_square(user.inputs[1], squared) if user.inputs[0] is deviation else None
                else:
                    found = inverse_root_mean_square(operands(user, deviation), squared)
                if found is not None:
                    return user, found.epsilon, found.nodes
    return None
