"""Attention whose batch and heads were merged into one dimension."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_node, graph_of, replace_uses
from ort_core.ir.types import ElementType, TensorType
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._emit import remove_unused
from ort_provider_cpu.passes._heads import transposed
from ort_provider_cpu.passes._match import made_by, nodes_of, rank_of, scaled
from ort_provider_cpu.passes._scores import floored
from ort_provider_cpu.passes._sizes import Size, reshapes_to, size_of_dim, times

_MAX_STEPS = 8


@graph_pass(Level.EXTENDED, order=28)
def unmerge_heads(graph: Graph, ctx: PassContext) -> bool:
    """softmax(Q K' + mask) V of rank 3, [B * H, S, D] reshaped from and to [B, H, S, D] -> the same of rank 4."""
    changed = False
    for node in nodes_of(graph, {"Softmax"}):
        changed |= _unmerge(node)
    if changed:
        graph.sort()
    return changed


def _unmerge(softmax: Node) -> bool:
    weights, logits = softmax.outputs[0], softmax.inputs[0]
    product = only_user(weights)
    if weights is None or weights.element is not ElementType.FLOAT or rank_of(weights) != 3 or product is None:
        return False
    if product.op_type != "MatMul" or product.domain or product.inputs[0] is not weights:
        return False
    split = only_user(product.outputs[0])
    if softmax.attr("axis", -1) not in {-1, 2} or split is None or split.op_type != "Reshape" or split.domain:
        return False
    masked = made_by(logits, "Reshape")
    if masked is not None and only_user(logits) is not softmax:
        return False
    inner = None if masked is None else masked.inputs[0]
    views: list[Node] = []
    unmasked = None if masked is None else _split_scores(inner, views)
    if masked is not None and unmasked is None:
        return False
    scores = logits if unmasked is None else unmasked.inputs[0]
    steps: list[Node] = []
    while scores is not None and scaled(scores.producer) is not None and only_user(scores) is not None:
        assert scores.producer is not None
        steps.append(scores.producer)
        scores = scaled(scores.producer)[0]  # type: ignore[index]
    first = made_by(scores, "MatMul")
    if first is None or scores is None or only_user(scores) is None or first.inputs[1] is None:
        return False
    merged_keys = transposed(first.inputs[1], (0, 2, 1))
    operands = [_before_merge(v) for v in (first.inputs[0], merged_keys, product.inputs[1])]
    query, keys, values = operands
    if query is None or keys is None or values is None:
        return False
    q, k, v = (_sizes(x) for x in (query, keys, values))
    if q[0] is None or q[:2] != k[:2] or q[:2] != v[:2] or not reshapes_to(split, [*q[:3], v[3]]):
        return False
    if unmasked is not None and masked is not None:
        forms = {4: [*q[:3], k[2]], 3: [times(*q[:2]), q[2], k[2]]}
        if not all(reshapes_to(node, forms[rank_of(node.outputs[0]) or 4]) for node in (unmasked, masked, *views)):
            return False
    for view in reversed(views):
        _skip(view)
    _rewrite(softmax, product, split, (query, keys, values), steps, unmasked)
    return True


def _split_scores(value: Value | None, views: list[Node]) -> Node | None:
    """The Reshape to rank 4 of what masks were added to, and nothing else was done with, before `value`.

    Args:
        views: takes the Reshapes from rank 4 to rank 4, or to rank 3 and back, between additions.
    """
    for _ in range(_MAX_STEPS):
        if only_user(value) is None or rank_of(value) not in {3, 4}:
            return None
        if (found := made_by(value, "Reshape")) is not None:
            source = found.inputs[0]
            if only_user(source) is not found or source is None:
                return None
            if rank_of(source) == 3 and made_by(source, "Reshape") is None:
                return found
            views.append(found)
            value = source
            continue
        if value is not None and (raised := floored(value.producer)) is not None:
            value = raised[0]
            continue
        addition = made_by(value, "Add")
        if addition is None:
            return None
        scores = [v for v in addition.inputs if v is not None and _leads_to_scores(v)]
        if len(scores) != 1:
            return None
        value = scores[0]
    return None


def _leads_to_scores(value: Value | None, depth: int = _MAX_STEPS) -> bool:
    node = None if value is None else value.producer
    if node is None or node.domain or depth == 0:
        return False
    if node.op_type == "Add":
        return any(_leads_to_scores(v, depth - 1) for v in node.inputs)
    if (raised := floored(node)) is not None:
        return _leads_to_scores(raised[0], depth - 1)
    if node.op_type == "Reshape" or scaled(node) is not None:
        return any(_leads_to_scores(v, depth - 1) for v in node.inputs[:1])
    return node.op_type == "MatMul"


def _skip(view: Node) -> None:
    """Lets the only user of a Reshape between scores of rank 4 and of rank 3 take its input."""
    source, result = view.inputs[0], view.outputs[0]
    user = only_user(result)
    assert source is not None
    assert user is not None
    user.set_input(user.inputs.index(result), source)
    remove_unused([view])


def _before_merge(value: Value | None) -> Value | None:
    """[B, H, S, D] that a Reshape turned into `value` [B * H, S, D]."""
    node = made_by(value, "Reshape")
    source = None if node is None else node.inputs[0]
    if node is None or source is None or source.shape is None or len(source.shape) != 4:
        return None
    if not isinstance(source.shape[1], int) or not isinstance(source.shape[3], int) or source.shape[1] <= 0:
        return None
    batch, heads, rows, depth = _sizes(source)
    return source if reshapes_to(node, [times(batch, heads), rows, depth]) else None


def _sizes(value: Value) -> list[Size | None]:
    return [size_of_dim(d) for d in value.shape or ()]


def _rewrite(
    softmax: Node,
    product: Node,
    split: Node,
    operands: tuple[Value, Value, Value],
    steps: list[Node],
    unmasked: Node | None,
) -> None:
    graph = graph_of(softmax)
    query, keys, values = operands
    assert query.shape is not None
    assert keys.shape is not None
    assert values.shape is not None
    batch, heads, rows, _ = query.shape
    length = keys.shape[2]
    (turned,) = add_node(graph, "Transpose", [keys], attributes={"perm": (0, 1, 3, 2)}, like=product)
    turned.type = TensorType(ElementType.FLOAT, (batch, heads, keys.shape[3], length))
    (scores,) = add_node(graph, "MatMul", [query, turned], like=product)
    kind = scores.type = TensorType(ElementType.FLOAT, (batch, heads, rows, length))
    for step in reversed(steps):
        source = scaled(step)
        inputs = [scores if source is not None and v is source[0] else v for v in step.inputs]
        (scores,) = add_node(graph, step.op_type, inputs, like=step)
        scores.type = kind
    logits = softmax.inputs[0]
    if unmasked is not None:
        split_scores, merged = unmasked.outputs[0], None if logits is None else logits.producer
        assert split_scores is not None
        assert merged is not None
        assert merged.inputs[0] is not None
        replace_uses(split_scores, scores)
        scores = merged.inputs[0]
    (weights,) = add_node(graph, "Softmax", [scores], attributes={"axis": -1}, like=softmax)
    weights.type = scores.type
    (result,) = add_node(graph, "MatMul", [weights, values], like=product)
    result.type = TensorType(ElementType.FLOAT, (batch, heads, rows, values.shape[3]))
    output = split.outputs[0]
    assert output is not None
    replace_uses(output, result)
    remove_unused([split, *([] if unmasked is None else [unmasked])])
