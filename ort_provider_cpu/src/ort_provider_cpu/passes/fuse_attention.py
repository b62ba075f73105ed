"""Scaled dot-product attention written out."""

from __future__ import annotations

from dataclasses import replace

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_node, graph_of
from ort_core.ir.types import ElementType, TensorType
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._emit import DOMAIN, fuse
from ort_provider_cpu.passes._heads import (
    SWAP_HEADS,
    Operand,
    joins_heads,
    key,
    plain,
    split_heads,
    transposed,
    without_repetition,
)
from ort_provider_cpu.passes._match import (
    is_closed,
    last_size,
    made_by,
    nodes_of,
    rank_of,
    same_shape,
    scalar,
    scaled,
    sizes_equal,
)
from ort_provider_cpu.passes._scores import Scores, additive_mask, masks_of, scores_of


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
    rank = rank_of(softmax.outputs[0])
    weights, guard = _without_guard(softmax.outputs[0])
    product = only_user(weights)
    if weights is None or weights.element is not ElementType.FLOAT or rank not in {3, 4}:
        return False
    if (
        softmax.attr("axis", -1) not in {-1, rank - 1}
        or product is None
        or product.domain
        or product.op_type != "MatMul"
    ):
        return False
    scores, value = scores_of(softmax.inputs[0]), product.inputs[1]
    if product.inputs[0] is not weights or scores is None or value is None or value is weights:
        return False
    if not is_closed({softmax, *guard, *scores.nodes}, product):
        return False
    if rank == 3:
        return _fuse_single_heads(product, scores, value)
    operands = _operands(scores, value)
    if operands is None:
        return False
    query, keys, values = operands
    query, query_scale = _unscaled(query)
    keys, key_scale = _unscaled(keys)
    return _emit(product, replace(scores, scale=scores.scale * query_scale * key_scale), query, keys, values)


def _without_guard(weights: Value | None) -> tuple[Value | None, tuple[Node, ...]]:
    """What replaces NaN in the weights by 0 (rows without any key), if there is such a node, and the nodes that do it."""
    users = [] if weights is None else [use.user for use in weights.uses[:3]]
    choice = next((u for u in users if isinstance(u, Node) and u.op_type == "Where" and not u.domain), None)
    test = None if choice is None else made_by(choice.inputs[0], "IsNaN")
    if (
        choice is None
        or test is None
        or len(users) != 2
        or test.inputs[0] is not weights
        or choice.inputs[2] is not weights
    ):
        return weights, ()
    return (choice.outputs[0], (choice, test)) if scalar(choice.inputs[1], 3) == 0 else (weights, ())


def _fuse_single_heads(product: Node, scores: Scores, value: Value) -> bool:
    """softmax(scale * Q K' + mask) V of rank 3: heads of their own, which lie as one head of [B, S, D] does."""
    query, keys = scores.query, transposed(scores.key, (0, 2, 1))
    if keys is None or scores.choice is not None or any(rank_of(v) != 3 for v in (query, keys, value)):
        return False
    if last_size(query) is None or last_size(query) != last_size(keys) or last_size(value) is None:
        return False
    if any((rank_of(mask) or 3) > 2 for mask in scores.masks):
        return False
    operands = (Operand(query, "bshd", 1), Operand(keys, "bshd", 1), Operand(value, "bshd", 1))
    return _emit(product, scores, *operands)


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


def _unscaled(operand: Operand) -> tuple[Operand, float]:
    """The operand before it was multiplied by a number ahead of the splitting of heads, and that number."""
    step = scaled(operand.value.producer) if only_user(operand.value) is not None else None
    if step is None or not same_shape(step[0], operand.value):
        return operand, 1.0
    return operand._replace(value=step[0]), step[1]


def _depths_known(scores: Scores, value: Value) -> bool:
    query, keys = scores.query.shape, scores.key.shape
    if query is None or keys is None or value.shape is None:
        return False
    return isinstance(query[3], int) and query[3] == keys[2] and isinstance(value.shape[3], int) and query[3] > 0


def _emit(product: Node, scores: Scores, query: Operand, keys: Operand, values: Operand) -> bool:
    mask = additive_mask(scores)
    inputs = [query.value, keys.value, values.value, *([] if mask is None else [mask])]
    if not _is_aligned(scores, product):
        inputs[:3] = _align(product, inputs, query.layout)
    attributes = {
        "scale": scores.scale,
        "num_heads": query.heads,
        "kv_num_heads": keys.heads,
        "q_layout": query.layout,
        "k_layout": keys.layout,
        "v_layout": values.layout,
        "out_layout": "bshd",
        "out_rank": 4,
    }
    transpose = only_user(product.outputs[0])
    swapped = made_by(None if transpose is None else transpose.outputs[0], "Transpose")
    if swapped is None or swapped.outputs[0] is None or tuple(swapped.attr("perm", ())) != SWAP_HEADS:
        rank = rank_of(product.outputs[0])
        return fuse(
            product, "FusedAttention", inputs, attributes | ({"out_rank": 3} if rank == 3 else {"out_layout": "bhsd"})
        )
    reshape = only_user(swapped.outputs[0])
    if reshape is not None and joins_heads(reshape, swapped.outputs[0]):
        return fuse(reshape, "FusedAttention", inputs, attributes | {"out_rank": 3})
    return fuse(swapped, "FusedAttention", inputs, attributes)


def _is_aligned(scores: Scores, product: Node) -> bool:
    """Whether batches and rows are known to be equal where the products and the mask would broadcast them."""
    query, keys, value = scores.query, scores.key, product.inputs[1]
    if query.shape is None or keys.shape is None or value is None or value.shape is None:
        return False
    if not (sizes_equal(query.shape[0], keys.shape[0]) and sizes_equal(query.shape[0], value.shape[0])):
        return False
    for mask in masks_of(scores):
        batch, rows = (1, 1, 1, 1, *(mask.shape or (None,) * 4))[-4::2]
        if not all(m == 1 or sizes_equal(m, q) for m, q in ((batch, query.shape[0]), (rows, query.shape[-2]))):
            return False
    return True


def _align(product: Node, operands: list[Value], q_layout: str) -> tuple[Value, ...]:
    """The operands with batches and rows broadcast; costs nothing where a run finds them equal."""
    attributes = {"q_layout": q_layout}
    aligned = add_node(
        graph_of(product), "AlignAttention", operands, 3, domain=DOMAIN, attributes=attributes, like=product
    )
    for index, (value, source) in enumerate(zip(aligned, operands, strict=False)):
        shape = list(source.shape or ())
        shape[0] = None
        if index == 0:
            shape[1 if q_layout == "bshd" else 2] = None
        value.type = TensorType(ElementType.FLOAT, tuple(shape))
    return aligned
