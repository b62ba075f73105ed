"""The residual sum before a normalisation."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.types import ElementType
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._emit import align, fuse, row
from ort_provider_cpu.passes._match import as_row, last_size, likely_same_shape, made_by, nodes_of, rank_of, same_shape
from ort_provider_cpu.passes._norm import is_last_axis


@graph_pass(Level.EXTENDED, order=60)
def fuse_skip_norm(graph: Graph, ctx: PassContext) -> bool:
    """norm(x + bias + residual) -> SkipLayerNormalization(x, residual, scale, shift, bias), which also gives the sum."""
    changed = False
    for node in nodes_of(graph, {"LayerNormalization", "RMSNormalization"}):
        changed |= _fuse(node)
    if changed:
        graph.sort()
    return changed


def _fuse(norm: Node) -> bool:
    total, scale = norm.inputs[:2]
    shift = norm.inputs[2] if len(norm.inputs) > 2 else None
    addition = made_by(total, "Add")
    size = last_size(total)
    if total is None or scale is None or addition is None or size is None or total.element is not ElementType.FLOAT:
        return False
    if not is_last_axis(norm) or any(v is not None and v.is_used for v in norm.outputs[1:]):
        return False
    if any(v is not None and v.shape != (size,) for v in (scale, shift)) or addition.graph is not norm.graph:
        return False
    left, right = addition.inputs
    if left is None or right is None or left.is_constant or right.is_constant:
        return False
    if last_size(left) != size or not likely_same_shape(left, right):
        return False
    x, residual, bias = _without_bias(left, right, size)
    outputs = [norm.outputs[0]]
    if only_user(total) is None:
        outputs.append(total)
    attributes = {"epsilon": norm.attr("epsilon", 1e-5), "simplified": int(norm.op_type == "RMSNormalization")}
    if not same_shape(left, right):
        x, residual = align(norm, x, residual, total)
    inputs = [x, residual, scale, shift, bias]
    while inputs[-1] is None:
        inputs.pop()
    return fuse(norm, "SkipLayerNormalization", inputs, attributes, outputs=outputs)


def _without_bias(left: Value, right: Value, size: int) -> tuple[Value, Value, Value | None]:
    """The operands of the sum, with a constant vector that one of them adds taken out."""
    for value, other in ((left, right), (right, left)):
        inner = made_by(value, "Add")
        if inner is None or only_user(value) is None:
            continue
        for x, bias in (inner.inputs, inner.inputs[::-1]):
            if x is None or bias is None or not bias.is_constant or not as_row(bias, size, rank_of(x)):
                continue
            vector = row(inner, bias, size)
            if vector is not None and last_size(x) == size and rank_of(x) == rank_of(other):
                return x, other, vector
    return left, right, None
