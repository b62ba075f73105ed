"""Consecutive Squeeze and Unsqueeze nodes become one or none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ort_core.ir.graph import Graph, Node
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, constant_array, replace_node

_OPERATORS = frozenset({"Squeeze", "Unsqueeze"})


@graph_pass(Level.BASIC, order=60)
def merge_unsqueezes(graph: Graph, ctx: PassContext) -> bool:
    """Merges two of Squeeze and Unsqueeze with constant axes, where the pair only adds or only removes dimensions."""
    changed = False
    for node in graph.nodes:
        source = node.inputs[0] if _has_axes(node) else None
        inner = source.producer if source is not None else None
        if inner is None or not _has_axes(inner) or (start := inner.inputs[0]) is None:
            continue
        if start.shape is None:
            continue
        dims: list[int] | None = list(range(len(start.shape)))
        for step in (inner, node):
            dims = None if dims is None else _apply(step, dims)
        if dims is None:
            continue
        kept = [d for d in dims if d >= 0]
        if len(kept) == len(dims) == len(start.shape):
            replace_node(node, [start])
        elif len(kept) == len(start.shape):
            _become(graph, node, inner, "Unsqueeze", [axis for axis, d in enumerate(dims) if d < 0])
        elif len(kept) == len(dims):
            _become(graph, node, inner, "Squeeze", sorted(set(range(len(start.shape))) - set(dims)))
        else:
            continue
        changed = True
    return changed


def _has_axes(node: Node) -> bool:
    return node.op_type in _OPERATORS and not node.domain and len(node.inputs) > 1 and node.inputs[1] is not None


def _apply(node: Node, dims: list[int]) -> list[int] | None:
    """The dimensions after `node`, as indices of the original ones and -1 for new ones; None if that is unknown."""
    array = constant_array(node.inputs[1])
    if array is None or array.ndim > 1:
        return None
    axes: Sequence[int] = array.reshape(-1).tolist()
    rank = len(dims) + len(axes) if node.op_type == "Unsqueeze" else len(dims)
    normal = sorted(a + rank if a < 0 else a for a in axes)
    if not normal or len(set(normal)) != len(normal) or not 0 <= normal[0] <= normal[-1] < rank:
        return None
    if node.op_type == "Squeeze":
        return [d for axis, d in enumerate(dims) if axis not in normal]
    out = list(dims)
    for axis in normal:
        out.insert(axis, -1)
    return out


def _become(graph: Graph, node: Node, inner: Node, op_type: str, axes: Sequence[int]) -> None:
    node.op_type = op_type
    node.set_input(1, add_constant(graph, np.array(axes, np.int64), "axes"))
    node.set_input(0, inner.inputs[0])
