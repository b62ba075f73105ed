"""Recurrent and attention layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    Output,
    Rule,
    Types,
    check,
    family,
    has_input,
    known_shape,
    needed_shape,
    size,
)
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Dim, Shape

_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}


def _recurrent(node: Node, types: Types) -> Sequence[Output]:
    shape, batch_first = known_shape(types, 0), node.attr("layout", 0)
    check(shape is None or len(shape) == 3)
    steps, batch, _ = shape or (None, None, None)
    if batch_first:
        steps, batch = batch, steps
    directions = _DIRECTIONS.get(node.attr("direction", "forward"))
    given: int = node.attr("hidden_size", -1)
    hidden = given if given > 0 else None
    if batch_first:
        last: Shape = (batch, directions, hidden)
        return ((batch, steps, directions, hidden), last, last)
    last = (directions, batch, hidden)
    return ((steps, directions, batch, hidden), last, last)


def _rotary_embedding(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    check(len(shape) in (3, 4) and (len(shape) == 4 or "num_heads" in node.attributes))
    return (shape,)


def _attention(node: Node, types: Types) -> Sequence[Output]:
    """ONNX gives no shape of Y where query and value differ in rank; what it makes of unknown sizes is left to it."""
    query, key, value = (known_shape(types, index) for index in range(3))
    check(all(s is None or len(s) in (3, 4) for s in (query, key, value)))
    past, present = [has_input(node, i) for i in (4, 5)], [_has_output(node, i) for i in (1, 2)]
    check(past[0] == past[1] and present[0] == present[1])
    check(not has_input(node, 6) or not (past[0] or present[0]))
    check(min(node.attr("left_window_size", -1), node.attr("right_window_size", -1)) >= -1)
    heads = [node.attr("q_num_heads"), node.attr("kv_num_heads")]
    check(query is None or len(query) != 4 or heads == [None, None])
    output: Shape | None = None
    length: Dim = None
    if query is not None and len(query) == 3:
        check(None not in heads and min(heads) > 0)
    if query is not None and value is not None and len(query) == len(value):
        if len(query) == 4:
            output, length = (*query[:3], value[3]), value[2]
        else:
            width, length = value[2], value[1]
            check(isinstance(width, int))
            output = (*query[:2], size(width // heads[1] * heads[0]) if isinstance(width, int) else None)
    check(not _has_output(node, 3))
    return (output, *(_present(node, types, length) if present[0] and past[0] else (None, None)))


def _present(node: Node, types: Types, length: Dim) -> Sequence[Output]:
    key, value = known_shape(types, 4), known_shape(types, 5)
    if key is None or value is None:
        return (None, None)
    check(len(key) == len(value) == 4)
    before = key[2]
    if not isinstance(length, int) or not isinstance(before, int) or length < 1:
        return (None, None)
    total = size(length + before)
    return ((*key[:2], total, key[3]), (*value[:2], total, value[3]))


def _has_output(node: Node, index: int) -> bool:
    return index < len(node.outputs) and node.outputs[index] is not None


RULES: Mapping[str, Rule] = {
    **family("GRU LSTM RNN", _recurrent),
    "Attention": _attention,
    "RotaryEmbedding": _rotary_embedding,
}
