"""The scores of attention: products of queries and keys, scaled and masked."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ort_core.ir.graph import Node, Value
from ort_core.ir.rewrite import add_constant, add_node, graph_of
from ort_core.ir.types import ElementType, TensorType
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._match import made_by, rank_of, scalar, scaled

_MAX_MASKS = 3
_SWALLOWS = -1e30
"""A number that stays what it is when any score is added to it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A Where node that keeps scores where `condition` is true (or false, if `inverted`) and has `number` elsewhere."""

    node: Node
    condition: Value
    number: Value
    inverted: bool


@dataclass(frozen=True, slots=True)
class Scores:
    """scale * Q K' + masks, with the nodes that compute it.

    Attributes:
        choice: what of the scores is kept, before the masks are added.
        floor: what the masked scores are raised to, a number that swallows any score.
    """

    query: Value
    key: Value
    scale: float
    nodes: frozenset[Node]
    masks: tuple[Value, ...] = ()
    choice: Choice | None = None
    floor: Value | None = None


def floored(node: Node | None) -> tuple[Value, Value] | None:
    """(x, number) if the node computes max(x, number) with a number that swallows any score."""
    if node is None or node.domain or node.op_type != "Max" or len(node.inputs) != 2:
        return None
    left, right = node.inputs
    for x, number in ((left, right), (right, left)):
        low = scalar(number, rank_of(x))
        if x is not None and number is not None and low is not None and math.isfinite(low) and low <= _SWALLOWS:
            return x, number
    return None


def scores_of(value: Value | None, masks: int = _MAX_MASKS) -> Scores | None:
    """What `value` is the scores of, with at most so many masks."""
    raised = floored(None if value is None else value.producer)
    if raised is not None and value is not None and value.producer is not None:
        found = scores_of(raised[0], masks)
        if found is None or found.floor is not None or not found.masks:
            return None
        return replace(found, floor=raised[1], nodes=found.nodes | {value.producer})
    addition = made_by(value, "Add")
    if addition is None:
        return _chosen(value)
    left, right = addition.inputs
    for scores, mask in ((left, right), (right, left)):
        if masks > 0 and mask is not None and mask.element is ElementType.FLOAT and _fits(mask, scores):
            found = scores_of(scores, masks - 1)
            if found is not None and found.floor is None:
                return replace(found, masks=(*found.masks, mask), nodes=found.nodes | {addition})
    return None


def _chosen(value: Value | None) -> Scores | None:
    node = made_by(value, "Where")
    if node is None:
        return _products(value)
    condition, first, second = node.inputs
    for scores, number, inverted in ((first, second, False), (second, first, True)):
        low = scalar(number, 4)
        if condition is None or number is None or low is None or not low <= _SWALLOWS:
            continue
        found = _products(scores)
        if found is not None and _fits(condition, scores):
            return replace(found, choice=Choice(node, condition, number, inverted), nodes=found.nodes | {node})
    return None


def _products(value: Value | None) -> Scores | None:
    scale = 1.0
    nodes: set[Node] = set()
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
    return Scores(query, keys, scale * query_scale * key_scale, frozenset({*nodes, product}))


def _unscaled(value: Value) -> tuple[Value, float]:
    step = scaled(value.producer) if only_user(value) is not None else None
    return (value, 1.0) if step is None else step


def _fits(mask: Value, scores: Value | None) -> bool:
    """Whether the mask is not known to widen the scores, nor to differ for heads that the scores lack."""
    if scores is None or mask.shape is None or scores.shape is None or len(mask.shape) > len(scores.shape):
        return False
    heads = mask.shape[-3] if len(mask.shape) >= 3 else 1
    pairs = zip(reversed(mask.shape), reversed(scores.shape), strict=False)
    known = all(m in (1, s) or not (isinstance(m, int) and isinstance(s, int)) for m, s in pairs)
    return known and heads in {1, scores.shape[-3]}


def masks_of(scores: Scores) -> list[Value]:
    """The tensors that are broadcast to the scores."""
    return [*scores.masks, *([] if scores.choice is None else [scores.choice.condition])]


def additive_mask(scores: Scores) -> Value | None:
    """The masks as one tensor to add, made of the choice and the masks."""
    masks = [*([] if scores.choice is None else [_chosen_mask(scores.choice)]), *scores.masks]
    if not masks:
        return None
    graph = graph_of(next(iter(scores.nodes)))
    total = masks[0]
    for mask in masks[1:]:
        rank = max(len(v.shape or ()) for v in (total, mask))
        (total,) = add_node(graph, "Add", [total, mask], name="mask")
        total.type = TensorType(ElementType.FLOAT, (None,) * rank)
    if scores.floor is not None:
        kind = total.type
        (total,) = add_node(graph, "Max", [total, scores.floor], name="mask")
        total.type = kind
    return total


def _chosen_mask(choice: Choice) -> Value:
    """0 where scores are kept, the number elsewhere."""
    graph = graph_of(choice.node)
    zero = add_constant(graph, np.zeros((), np.float32), "zero")
    branches = [choice.number, zero] if choice.inverted else [zero, choice.number]
    (mask,) = add_node(graph, "Where", [choice.condition, *branches], like=choice.node)
    mask.type = TensorType(ElementType.FLOAT, choice.condition.shape)
    return mask
