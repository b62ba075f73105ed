"""A Reshape needs not what shape its input was given before."""

from __future__ import annotations

from ort_core.infer.shape_facts import operand
from ort_core.ir.graph import Graph, Node
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import constant_array

_KEEPING_ELEMENTS = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Flatten"})


@graph_pass(Level.BASIC, order=60)
def merge_reshapes(graph: Graph, ctx: PassContext) -> bool:
    """Reshape(f(x), s) -> Reshape(x, s) for f of Reshape, Squeeze, Unsqueeze, Flatten, if s copies no size of f(x)."""
    changed = False
    for node in graph.nodes:
        if node.op_type != "Reshape" or node.domain or not _copies_nothing(node):
            continue
        source = node.inputs[0]
        while (
            source is not None
            and (inner := source.producer) is not None
            and inner.op_type in _KEEPING_ELEMENTS
            and not inner.domain
        ):
            source = inner.inputs[0]
        if source is not None and source is not node.inputs[0]:
            node.set_input(0, source)
            changed = True
    return changed


def _copies_nothing(node: Node) -> bool:
    target = constant_array(operand(node, 1))
    if target is None or ((allow_zero := node.attributes.get("allowzero")) is not None and allow_zero.ref):
        return False
    return node.attr("allowzero", 0) == 1 or bool((target != 0).all())
