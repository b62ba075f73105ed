"""GELU written out with Erf or Tanh."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._emit import fuse
from ort_provider_cpu.passes._match import SINGLE, is_closed, nodes_of
from ort_provider_cpu.passes._polynomial import Polynomial, arguments, expand, matches

_HALF_PLUS: Polynomial = {(1, 0): 0.5, (1, 1): 0.5}
"""x/2 + x*t/2 in (x, t)."""

_INNER: Mapping[str, Polynomial] = {
    "Erf": {(1,): math.sqrt(0.5)},
    "Tanh": {(1,): math.sqrt(2 / math.pi), (3,): math.sqrt(2 / math.pi) * 0.044715},
}
_MAX_STEPS = 4


@graph_pass(Level.EXTENDED, order=10)
def fuse_gelu(graph: Graph, ctx: PassContext) -> bool:
    """x/2 * (1 + erf(x/sqrt(2))) and x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))) -> Gelu(x)."""
    changed = False
    for node in nodes_of(graph, _INNER):
        changed |= _fuse(node)
    if changed:
        graph.sort()
    return changed


def _fuse(node: Node) -> bool:
    argument, curve = node.inputs[0], node.outputs[0]
    if argument is None or curve is None or curve.element not in SINGLE:
        return False
    for x in arguments(argument):
        inner: set[Node] = {node}
        if not matches(expand(argument, [x], inner), _INNER[node.op_type], curve.element):
            continue
        root = _root(x, curve, inner)
        return root is not None and fuse(
            root, "Gelu", [x], {"approximate": "tanh" if node.op_type == "Tanh" else "none"}, domain=""
        )
    return False


def _root(x: Value, curve: Value, inner: set[Node]) -> Node | None:
    """The node after `curve` that completes the formula."""
    user = only_user(curve)
    for _ in range(_MAX_STEPS):
        if user is None or user.outputs[0] is None:
            return None
        nodes = set(inner)
        if matches(expand(user.outputs[0], [x, curve], nodes), _HALF_PLUS, curve.element):
            return user if is_closed(nodes, user) else None
        user = only_user(user.outputs[0])
    return None
