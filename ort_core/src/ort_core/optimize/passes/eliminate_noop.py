"""Operators that change neither contents, type nor shape vanish.

Exactness decides: Add drops a float constant of -0.0 only (+0.0 turns -0.0 into +0.0), Sub one of +0.0 only; Mul, Div and
Pow drop 1. A signalling NaN stays signalling, where the operator would have made it quiet.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from ort_core.infer.shape_facts import ShapeFacts, facts_of, operand
from ort_core.infer.shape_rules import broadcast, resolve_reshape, sliced_axes
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import constant_array, replace_node
from ort_core.optimize.determinism import is_inference_dropout

_MAX_BYTES = 1 << 10

LazyFacts: TypeAlias = Callable[[], ShapeFacts]
Rule: TypeAlias = Callable[[LazyFacts, Node], "Value | None"]


@graph_pass(Level.BASIC, order=50)
def eliminate_noop(graph: Graph, ctx: PassContext) -> bool:
    """Replaces the output of an operator without effect by the input that it equals."""
    changed = False
    facts = functools.partial(facts_of, graph, ctx.memo)
    for node in graph.nodes:
        rule = _RULES.get(node.op_type)
        if rule is None or node.domain or any(a.ref for a in node.attributes.values()):
            continue
        output = node.outputs[0]
        if output is None or any(v is not None and v.is_used for v in node.outputs[1:]):
            continue
        same = rule(facts, node)
        if same is not None and (same.element is None or output.element is None or same.element is output.element):
            replace_node(node, [same, *[None] * (len(node.outputs) - 1)])
            changed = True
    return changed


def _cast(facts: LazyFacts, node: Node) -> Value | None:
    value = node.inputs[0]
    return value if value is not None and value.element is not None and value.element == node.attr("to") else None


def _cast_like(facts: LazyFacts, node: Node) -> Value | None:
    value, like = operand(node, 0), operand(node, 1)
    same = value is not None and like is not None and value.element is not None and value.element is like.element
    return value if same else None


def _dropout(facts: LazyFacts, node: Node) -> Value | None:
    return node.inputs[0] if is_inference_dropout(node) else None


def _transpose(facts: LazyFacts, node: Node) -> Value | None:
    rank = facts().rank(node.inputs[0])
    if rank is None:
        return None
    return node.inputs[0] if list(node.attr("perm", range(rank - 1, -1, -1))) == list(range(rank)) else None


def _single(facts: LazyFacts, node: Node) -> Value | None:
    return node.inputs[0] if len(node.inputs) == 1 else None


def _split(facts: LazyFacts, node: Node) -> Value | None:
    return node.inputs[0] if len(node.outputs) == 1 else None


def _clip(facts: LazyFacts, node: Node) -> Value | None:
    return node.inputs[0] if not node.attributes and all(v is None for v in node.inputs[1:]) else None


def _reshape(facts: LazyFacts, node: Node) -> Value | None:
    known, output = facts(), node.outputs[0]
    shape, target = known.shape(node.inputs[0]), known.elements(operand(node, 1))
    if shape is None or target is None or output is None or len(shape) != len(target):
        return None
    resolved = resolve_reshape(shape, target, node.attr("allowzero", 0) == 1, output)
    return node.inputs[0] if resolved == shape else None


def _flatten(facts: LazyFacts, node: Node) -> Value | None:
    rank = facts().rank(node.inputs[0])
    return node.inputs[0] if rank == 2 and node.attr("axis", 1) in (1, -1) else None


def _expand(facts: LazyFacts, node: Node) -> Value | None:
    known = facts()
    shape = known.shape(node.inputs[0])
    if shape is None:
        return None
    expanded = broadcast([shape, known.elements(operand(node, 1))], node.outputs[0])
    return node.inputs[0] if expanded is not None and tuple(expanded) == shape else None


def _tile(facts: LazyFacts, node: Node) -> Value | None:
    repeats = facts().integers(operand(node, 1))
    return node.inputs[0] if repeats is not None and all(r == 1 for r in repeats) else None


def _slice(facts: LazyFacts, node: Node) -> Value | None:
    axes = sliced_axes(facts(), node)
    return node.inputs[0] if axes is not None and all(axes.values()) else None


def _pad(facts: LazyFacts, node: Node) -> Value | None:
    pads = facts().integers(operand(node, 1))
    return node.inputs[0] if pads is not None and not any(pads) else None


def _neutral(either_side: bool, is_neutral: Callable[[np.ndarray], bool]) -> Rule:
    def rule(facts: LazyFacts, node: Node) -> Value | None:
        for index in (1, 0) if either_side else (1,):
            array = constant_array(operand(node, index), _MAX_BYTES)
            other = operand(node, 1 - index)
            if array is None or other is None or array.dtype == object or not is_neutral(array):
                continue
            if array.ndim == 0 or _keeps_shape(facts(), array.shape, other):
                return other
        return None

    return rule


def _keeps_shape(facts: ShapeFacts, constant: tuple[int, ...], other: Value) -> bool:
    shape = facts.shape(other)
    return (
        shape is not None
        and len(constant) <= len(shape)
        and all(c in (1, d) for c, d in zip(constant[::-1], shape[::-1], strict=False))
    )


def _is_float(array: np.ndarray) -> bool:
    return array.dtype.kind not in "biu" and not array.dtype.name.startswith(("int", "uint"))


def _is_zero_to_add(array: np.ndarray) -> bool:
    return not array.any() and (not _is_float(array) or bool(_negative(array).all()))


def _is_zero_to_subtract(array: np.ndarray) -> bool:
    return not array.any() and (not _is_float(array) or not _negative(array).any())


def _negative(array: np.ndarray) -> np.ndarray:
    return np.signbit(array.astype(np.float64))


def _is_one(array: np.ndarray) -> bool:
    return bool((array == 1).all())


_RULES: Mapping[str, Rule] = {
    "Add": _neutral(True, _is_zero_to_add),
    "And": _neutral(True, lambda array: bool(array.all())),
    "Cast": _cast,
    "CastLike": _cast_like,
    "Clip": _clip,
    "Concat": _single,
    "Div": _neutral(False, _is_one),
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Max": _single,
    "Mean": _single,
    "Min": _single,
    "Mul": _neutral(True, _is_one),
    "Or": _neutral(True, lambda array: not array.any()),
    "Pad": _pad,
    "Pow": _neutral(False, _is_one),
    "Reshape": _reshape,
    "Slice": _slice,
    "Split": _split,
    "Sub": _neutral(False, _is_zero_to_subtract),
    "Tile": _tile,
    "Transpose": _transpose,
}
