"""Consecutive Transpose nodes become one."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import make_attribute, replace_node


@graph_pass(Level.BASIC, order=60)
def merge_transposes(graph: Graph, ctx: PassContext) -> bool:
    """Transpose(Transpose(x, p), q) -> Transpose(x, p[q]), or x if that is the identity."""
    changed = False
    for node in graph.nodes:
        inner = node.inputs[0].producer if _is_transpose(node) and node.inputs[0] is not None else None
        if inner is None or not _is_transpose(inner) or inner.inputs[0] is None:
            continue
        permutations = _permutations(inner, node)
        if permutations is None:
            continue
        first, second = permutations
        merged = [first[axis] for axis in second]
        if merged == list(range(len(merged))):
            replace_node(node, [inner.inputs[0]])
        else:
            node.attributes["perm"] = make_attribute(merged)
            node.set_input(0, inner.inputs[0])
        changed = True
    return changed


def _is_transpose(node: Node) -> bool:
    return node.op_type == "Transpose" and not node.domain and not any(a.ref for a in node.attributes.values())


def _permutations(first: Node, second: Node) -> tuple[list[int], list[int]] | None:
    given = [node.attr("perm") for node in (first, second)]
    rank = next((len(p) for p in given if p is not None), None)
    shape = None if second.outputs[0] is None else second.outputs[0].shape
    if rank is None and shape is not None:
        rank = len(shape)
    if rank is None:
        return None
    full = [list(reversed(range(rank))) if p is None else list(p) for p in given]
    if any(sorted(p) != list(range(rank)) for p in full):
        return None
    return full[0], full[1]
