"""Moves conversions out of the blocked layout down through the operators that can work in it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, add_node, constant_array, replace_node
from ort_provider_cpu.passes._blocked import (
    BLOCK,
    DOMAIN,
    Blocked,
    add_blocked_node,
    blocked_constant,
    blocked_form,
    blocked_type,
    from_blocked,
    is_float,
    to_blocked,
    typed,
)
from ort_provider_cpu.passes._channel_affine import batch_norm_affine
from ort_provider_cpu.passes._elementwise import PARAMETRIC_UNARY, PLAIN_UNARY

_BINARY = frozenset(["Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu"])


@graph_pass(Level.LAYOUT, order=62)
def sink_from_blocked(graph: Graph, ctx: PassContext) -> bool:
    """op(FromBlocked(x)) -> FromBlocked(op(x)), and ToBlocked(FromBlocked(x)) -> x."""
    changed = False
    for node in graph.nodes:
        if not any(blocked_form(v) for v in node.inputs):
            continue
        if node.domain == DOMAIN and node.op_type == "ToBlocked":
            if (source := blocked_form(node.inputs[0])) is not None:
                replace_node(node, [source.value])
                changed = True
        elif not node.domain and (rule := _RULES.get(node.op_type)) is not None and is_float(node.outputs[0]):
            result = rule(graph, node)
            if result is not None:
                replace_node(node, result)
                changed = True
    for node in reversed(graph.nodes):
        if node.domain == DOMAIN and node.op_type == "FromBlocked" and not any(v and v.is_used for v in node.outputs):
            graph.remove(node)
    if changed:
        graph.sort()
    return changed


def _unary(graph: Graph, node: Node) -> list[Value] | None:
    source = blocked_form(node.inputs[0])
    if source is None:
        return None
    return [add_blocked_node(graph, node, [source.value, *node.inputs[1:]], source.channels)]


def _binary(graph: Graph, node: Node) -> list[Value] | None:
    output = node.outputs[0]
    if output is None or output.shape is None or len(node.inputs) != 2:
        return None
    rank = len(output.shape)
    forms = [blocked_form(v) for v in node.inputs]
    channels = max(form.channels for form in forms if form is not None)
    operands: list[Value] = []
    for value, form in zip(node.inputs, forms, strict=True):
        operand = _operand(graph, node, value, form, rank, channels)
        if operand is None:
            return None
        operands.append(operand)
    return [add_blocked_node(graph, node, operands, channels)]


def _batch_norm(graph: Graph, node: Node) -> list[Value] | None:
    source, value = blocked_form(node.inputs[0]), node.inputs[0]
    affine = batch_norm_affine(node)
    if source is None or value is None or value.shape is None or affine is None:
        return None
    rank = len(value.shape)
    factor, shift = (
        blocked_constant(graph, v.astype(np.float32).reshape(-1, *(1,) * (rank - 2)), rank) for v in affine
    )
    (scaled,) = add_node(graph, "Mul", [source.value, factor], like=node)
    scaled.type = source.value.type
    return [add_blocked_node(graph, node, [scaled, shift], source.channels, op_type="Add", attributes={})]


def _operand(
    graph: Graph, node: Node, value: Value | None, form: Blocked | None, rank: int, channels: int
) -> Value | None:
    if form is not None:
        same_rank = value is not None and value.shape is not None and len(value.shape) == rank
        return form.value if same_rank and form.channels == channels else None
    if value is not None and not value.is_constant:
        return to_blocked(graph, value, channels, node) if _is_pixel(value, rank, channels) else None
    array = constant_array(value, max_bytes=1 << 20)
    if array is None:
        return None
    if array.size > 1 and (array.ndim < rank - 1 or array.shape[-rank + 1] not in {1, channels}):
        return None
    return blocked_constant(graph, array, rank)


def _is_pixel(value: Value, rank: int, channels: int) -> bool:
    """Whether the value is `[N, channels, 1...]`, which costs little to convert."""
    shape = value.shape
    return is_float(value) and shape is not None and len(shape) == rank and shape[1:] == (channels, *(1,) * (rank - 2))


def _concat(graph: Graph, node: Node) -> list[Value] | None:
    output = node.outputs[0]
    if output is None or output.shape is None:
        return None
    forms = [blocked_form(v) for v in node.inputs]
    if node.attr("axis") % len(output.shape) != 1 or any(f is None or f.channels % BLOCK for f in forms):
        return None
    known = [f for f in forms if f is not None]
    return [
        add_blocked_node(graph, node, [f.value for f in known], sum(f.channels for f in known), attributes={"axis": 1})
    ]


def _split(graph: Graph, node: Node) -> list[Value] | None:
    source, value = blocked_form(node.inputs[0]), node.inputs[0]
    if source is None or value is None or value.shape is None or node.attr("axis", 0) % len(value.shape) != 1:
        return None
    sizes = [v.shape[1] if v is not None and v.shape is not None else None for v in node.outputs]
    channels = [s for s in sizes if isinstance(s, int) and s % BLOCK == 0]
    if len(channels) != len(sizes) or sum(channels) != source.channels:
        return None
    parts = add_constant(graph, np.array([c // BLOCK for c in channels], np.int64), "split")
    outputs = add_node(graph, "Split", [source.value, parts], len(channels), attributes={"axis": 1}, like=node)
    results = []
    for output, blocked, count in zip(node.outputs, outputs, channels, strict=True):
        old, plain = typed(output)
        blocked.type = blocked_type(plain, count)
        results.append(from_blocked(graph, blocked, count, old, node))
    return results


def _pool(graph: Graph, node: Node) -> list[Value] | None:
    source = blocked_form(node.inputs[0])
    if source is None or any(v is not None and v.is_used for v in node.outputs[1:]):
        return None
    result = add_blocked_node(
        graph, node, [source.value], source.channels, op_type=f"Blocked{node.op_type}", domain=DOMAIN
    )
    return [result, *[None] * (len(node.outputs) - 1)]  # type: ignore[list-item]


def _pad(graph: Graph, node: Node) -> list[Value] | None:
    source, value = blocked_form(node.inputs[0]), node.inputs[0]
    if source is None or value is None or value.shape is None or len(node.inputs) < 2:
        return None
    rank = len(value.shape)
    amounts = constant_array(node.inputs[1])
    axes_input = node.inputs[3] if len(node.inputs) > 3 else None
    axes = np.arange(rank) if axes_input is None else constant_array(axes_input)
    if amounts is None or axes is None or amounts.size != 2 * axes.size:
        return None
    both = np.zeros((2, rank + 1), np.int64)
    both[:, axes % rank] = amounts.reshape(2, -1)
    if both[:, :2].any():
        return None
    pads = add_constant(graph, both.reshape(-1), "pads")
    return [add_blocked_node(graph, node, [source.value, pads, *node.inputs[2:3]], source.channels)]


def _global_average(graph: Graph, node: Node) -> list[Value] | None:
    source, value = blocked_form(node.inputs[0]), node.inputs[0]
    if source is None or value is None or value.shape is None:
        return None
    if node.op_type == "ReduceMean":
        axes = constant_array(node.inputs[1]) if len(node.inputs) > 1 else None
        rank = len(value.shape)
        if axes is None or sorted(int(a) % rank for a in axes) != list(range(2, rank)) or node.attr("keepdims", 1) != 1:
            return None
    (result,) = add_node(
        graph,
        "BlockedGlobalAveragePool",
        [source.value],
        domain=DOMAIN,
        attributes={"channels": source.channels},
        like=node,
    )
    result.type = typed(node.outputs[0])[1]
    return [result]


def _resize(graph: Graph, node: Node) -> list[Value] | None:
    source, value, output = blocked_form(node.inputs[0]), node.inputs[0], node.outputs[0]
    if source is None or value is None or value.shape is None or output is None or len(value.shape) != 4:
        return None
    if (
        node.attr("axes") is not None
        or node.attr("antialias", 0)
        or node.attr("keep_aspect_ratio_policy", "stretch") != "stretch"
    ):
        return None
    mode = node.attr("mode", "nearest")
    if (
        mode not in {"nearest", "linear"}
        or node.attr("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize"
    ):
        return None
    scales = constant_array(node.inputs[2]) if len(node.inputs) > 2 else None
    sizes = constant_array(node.inputs[3]) if len(node.inputs) > 3 else None
    attributes = {
        k: v for k, v in node.attributes.items() if k in {"mode", "coordinate_transformation_mode", "nearest_mode"}
    }
    extent: dict[str, object] = {}
    if scales is not None and scales.size == 4 and scales[0] == scales[1] == 1:
        extent["scales"] = [float(s) for s in scales[2:]]
    elif sizes is not None and sizes.size == 4 and sizes[1] == source.channels and sizes[0] == value.shape[0]:
        extent["sizes"] = [int(s) for s in sizes[2:]]
    else:
        return None
    return [
        add_blocked_node(
            graph,
            node,
            [source.value],
            source.channels,
            op_type="BlockedResize",
            domain=DOMAIN,
            attributes={**attributes, **extent},
        )
    ]


_RULES: dict[str, Callable[[Graph, Node], list[Value] | None]] = {
    **dict.fromkeys((*PLAIN_UNARY, *PARAMETRIC_UNARY), _unary),
    **dict.fromkeys(_BINARY, _binary),
    "BatchNormalization": _batch_norm,
    "Concat": _concat,
    "Split": _split,
    "MaxPool": _pool,
    "Pad": _pad,
    "AveragePool": _pool,
    "GlobalAveragePool": _global_average,
    "ReduceMean": _global_average,
    "Resize": _resize,
}
