"""The scores of attention: products of queries and keys, scaled and masked."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ort_core.ir.graph import Node, Value
from ort_core.ir.rewrite import add_constant, add_node, graph_of
from ort_core.ir.types import ElementType, TensorType
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._match import made_by, scalar, scaled

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
    """scale * Q K' + mask, with the nodes that compute it.

    Attributes:
        choice: what of the scores is kept, before the mask is added.
    """

    query: Value
    key: Value
    scale: float
    nodes: frozenset[Node]
    mask: Value | None = None
    choice: Choice | None = None


def scores_of(value: Value | None) -> Scores | None:
    """What `value` is the scores of."""
    addition = made_by(value, "Add")
    if addition is None:
        return _chosen(value)
    left, right = addition.inputs
    for scores, mask in ((left, right), (right, left)):
        if mask is not None and mask.element is ElementType.FLOAT:
            found = _chosen(scores)
            if found is not None and _fits(mask, scores):
                return replace(found, mask=mask, nodes=found.nodes | {addition})
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
    return [v for v in (scores.mask, None if scores.choice is None else scores.choice.condition) if v is not None]


def additive_mask(scores: Scores) -> Value | None:
    """The mask as one tensor to add, made of the choice and the mask."""
    choice = scores.choice
    if choice is None:
        return scores.mask
    graph = graph_of(choice.node)
    zero = add_constant(graph, np.zeros((), np.float32), "zero")
    branches = [choice.number, zero] if choice.inverted else [zero, choice.number]
    (mask,) = add_node(graph, "Where", [choice.condition, *branches], like=choice.node)
    mask.type = TensorType(ElementType.FLOAT, choice.condition.shape)
    if scores.mask is None:
        return mask
    (total,) = add_node(graph, "Add", [mask, scores.mask], like=choice.node)
    rank = max(len(v.shape or ()) for v in (mask, scores.mask))
    total.type = TensorType(ElementType.FLOAT, (None,) * rank)
    return total
