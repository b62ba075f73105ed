"""Layer normalisation written out."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._emit import fuse, ones, row
from ort_provider_cpu.passes._match import SINGLE, as_row, is_closed, last_size, made_by, nodes_of, operands, rank_of
from ort_provider_cpu.passes._norm import inverse_root_mean_square, mean_of, next_row, root_mean_square


@graph_pass(Level.EXTENDED, order=20)
def fuse_layer_norm(graph: Graph, ctx: PassContext) -> bool:
    """`d / sqrt(mean(d^2) + epsilon) * scale + bias` with d = x - mean(x), over the last axis -> LayerNormalization."""
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
        return _fuse_distributed(x, deviation, mean, size)
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


def _fuse_distributed(x: Value, deviation: Value, mean: Node, size: int) -> bool:
    """`x * m + (bias - mean(x) * m)` with m = scale / sqrt(mean(d^2) + epsilon), as Keras writes it."""
    average = mean.outputs[0]
    for use in () if average is None else average.uses[:4]:
        product = use.user
        if not isinstance(product, Node) or product.domain or product.op_type != "Mul" or average is None:
            continue
        factor = operands(product, average)
        found = None if factor is None else _factor(factor, deviation, size)
        shift = only_user(product.outputs[0])
        root = None if shift is None else only_user(shift.outputs[0])
        if factor is None or found is None or shift is None or root is None or shift.outputs[0] is None:
            continue
        if shift.op_type != "Sub" or shift.inputs[1] is not product.outputs[0] or root.op_type != "Add":
            continue
        bias, by_factor = shift.inputs[0], made_by(operands(root, shift.outputs[0]), "Mul")
        if by_factor is None or operands(by_factor, x) is not factor or shift.domain or root.domain:
            continue
        scale, epsilon, nodes = found
        if not as_row(bias, size, rank_of(x)) or bias is None or mean.outputs[0] is None or deviation.producer is None:
            continue
        if not is_closed({*nodes, product, shift, by_factor, mean, deviation.producer}, root):
            continue
        weight, offset = row(root, scale, size), row(root, bias, size)
        if weight is not None and offset is not None:
            attributes = {"axis": -1, "epsilon": epsilon}
            return fuse(root, "LayerNormalization", [x, weight, offset], attributes, domain="")
    return False


def _factor(factor: Value, deviation: Value, size: int) -> tuple[Value, float, set[Node]] | None:
    """`factor` as a row over the root mean square of the deviation: the row, epsilon, and the nodes."""
    product = made_by(factor, "Mul")
    for inverse, scale in () if product is None else (product.inputs, product.inputs[::-1]):
        found = inverse_root_mean_square(inverse, deviation)
        if found is not None and scale is not None and product is not None and as_row(scale, size, rank_of(deviation)):
            return scale, found.epsilon, {*found.nodes, product}
    return None
