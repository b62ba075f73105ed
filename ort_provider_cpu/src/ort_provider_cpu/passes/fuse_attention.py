"""Scaled dot-product attention written out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, add_node, graph_of, replace_uses
from ort_core.ir.types import ElementType, TensorType

from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._emit import fuse, like, remove_unused
from ort_provider_cpu.passes._heads import (
    SWAP_HEADS,
    Operand,
    ignores_heads,
    joins_heads,
    key,
    plain,
    split_heads,
    without_repetition,
)
from ort_provider_cpu.passes._match import is_closed, made_by, nodes_of, rank_of, scaled


class Scores(NamedTuple):
    """scale * Q K' + mask, with the nodes that compute it."""

    query: Value
    key: Value
    scale: float
    mask: Value | None
    nodes: frozenset[Node]


@graph_pass(Level.EXTENDED, order=30)
def fuse_attention(graph: Graph, ctx: PassContext) -> bool:
    """softmax(scale * Q K' + mask) V with the splitting, repeating and joining of heads around it -> FusedAttention."""
    changed = False
    for node in nodes_of(graph, {"Softmax"}):
        changed |= _fuse(node)
    if changed:
        graph.sort()
    return changed


def _fuse(softmax: Node) -> bool:
    weights = softmax.outputs[0]
    product = only_user(weights)
    if weights is None or weights.element is not ElementType.FLOAT or rank_of(weights) != 4:
        return False
    if softmax.attr("axis", -1) not in {-1, 3} or product is None or product.domain or product.op_type != "MatMul":
        return False
    scores, value = _scores(softmax.inputs[0]), product.inputs[1]
    if product.inputs[0] is not weights or scores is None or value is None or value is weights:
        return False
    if not is_closed({softmax, *scores.nodes}, product):
        return False
    operands = _operands(scores, value)
    return operands is not None and _emit(product, scores, *operands)


def _scores(value: Value | None) -> Scores | None:
    addition = made_by(value, "Add")
    if addition is None:
        return _products(value, None, set())
    left, right = addition.inputs
    for scores, mask in ((left, right), (right, left)):
        if mask is not None and mask.element is ElementType.FLOAT:
            found = _products(scores, mask, {addition})
            if found is not None and _fits(mask, scores):
                return found
    return None


def _products(value: Value | None, mask: Value | None, nodes: set[Node]) -> Scores | None:
    scale = 1.0
    node = None if value is None else value.producer
    while (step := scaled(node)) is not None and node is not None:
        nodes.add(node)
        value, scale = step[0], scale * step[1]
        node = value.producer
    product = made_by(value, "MatMul")
    if product is None or product.inputs[0] is None or product.inputs[1] is None:
        return None
    query, query_scale = _unscaled(product.inputs[0])
    keys, key_scale = _unscaled(product.inputs[1])
    return Scores(query, keys, scale * query_scale * key_scale, mask, frozenset({*nodes, product}))


def _unscaled(value: Value) -> tuple[Value, float]:
    step = scaled(value.producer) if only_user(value) is not None else None
    return (value, 1.0) if step is None else step


def _fits(mask: Value, scores: Value | None) -> bool:
    """Whether the mask is not known to widen the scores."""
    if scores is None or mask.shape is None or scores.shape is None or len(mask.shape) > len(scores.shape):
        return False
    pairs = zip(reversed(mask.shape), reversed(scores.shape), strict=False)
    return all(m == 1 or m == s or not (isinstance(m, int) and isinstance(s, int)) for m, s in pairs)


def _operands(scores: Scores, value: Value) -> tuple[Operand, Operand, Operand] | None:
    query, keys, values = plain(scores.query), key(scores.key), plain(value)
    if query is None or keys is None or values is None or keys.heads != values.heads:
        return None
    if keys.heads not in {query.heads, 1} or not _depths_known(scores, value):
        return None
    fewer_keys, fewer_values = without_repetition(keys), without_repetition(values)
    if fewer_keys.heads == fewer_values.heads:
        keys, values = fewer_keys, fewer_values
    if keys.layout == "bhsd":
        keys = split_heads(keys)
    return split_heads(query), keys, split_heads(values)


def _depths_known(scores: Scores, value: Value) -> bool:
    query, keys = scores.query.shape, scores.key.shape
    if query is None or keys is None or value.shape is None:
        return False
    return isinstance(query[3], int) and query[3] == keys[2] and isinstance(value.shape[3], int) and query[3] > 0


def _emit(product: Node, scores: Scores, query: Operand, keys: Operand, values: Operand) -> bool:
    result = product.outputs[0]
    assert result is not None
    inputs = [query.value, keys.value, values.value]
    attributes = {
        "scale": scores.scale,
        "num_heads": query.heads,
        "kv_num_heads": keys.heads,
        "q_layout": query.layout,
        "k_layout": keys.layout,
        "v_layout": values.layout,
    }
    if scores.mask is not None:
        inputs.append(scores.mask)
    transpose = only_user(result)
    joined = None if transpose is None else _joined(result, transpose)
    if transpose is None or joined is None:
        return fuse(product, "FusedAttention", inputs, attributes | {"out_layout": "bhsd"})
    reshape = only_user(transpose.outputs[0])
    if reshape is not None and (reshape.domain or reshape.op_type != "Reshape"):
        reshape = None
    attributes["out_layout"] = "bshd"
    if reshape is not None and joins_heads(reshape, joined):
        return fuse(reshape, "FusedAttention", inputs, attributes)
    if not fuse(product, "FusedAttention", inputs, attributes, outputs=[joined]):
        return False
    if reshape is not None and ignores_heads(reshape):
        reshape.set_input(0, joined)
    else:
        _split_again(transpose, joined)
    remove_unused([transpose, product])
    return True


def _joined(result: Value, transpose: Node) -> Value | None:
    """A value for the result as [B, S, H * D], if `transpose` moves the heads behind the sequence."""
    if transpose.domain or transpose.op_type != "Transpose" or tuple(transpose.attr("perm", ())) != SWAP_HEADS:
        return None
    if result.shape is None or len(result.shape) != 4 or result.element is None:
        return None
    batch, heads, length, depth = result.shape
    if not isinstance(heads, int) or not isinstance(depth, int):
        return None
    joined = like(result, f"{result.name}_joined")
    joined.type = TensorType(result.element, (batch, length, heads * depth))
    return joined


def _split_again(transpose: Node, joined: Value) -> None:
    """Gives the users of the transposed result what they expect: [B, S, H, D]."""
    old = transpose.outputs[0]
    assert old is not None
    assert old.shape is not None
    graph = graph_of(transpose)
    shape = add_constant(graph, np.array([0, 0, *old.shape[2:]], np.int64), "shape")
    (split,) = add_node(graph, "Reshape", [joined, shape], like=transpose)
    split.type = old.type
    replace_uses(old, split)
