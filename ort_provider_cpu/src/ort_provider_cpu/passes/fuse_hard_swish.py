"""HardSwish written out with HardSigmoid or Clip."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_provider_cpu.passes._activation import fused_activation, only_user
from ort_provider_cpu.passes._emit import fuse
from ort_provider_cpu.passes._match import SINGLE, is_closed, near, nodes_of
from ort_provider_cpu.passes._polynomial import Polynomial, arguments, expand, matches

_MAX_STEPS = 3


@graph_pass(Level.EXTENDED, order=12)
def fuse_hard_swish(graph: Graph, ctx: PassContext) -> bool:
    """`x * HardSigmoid(x; 1/6, 1/2)` and `x * Clip(x + 3, 0, 6) / 6` -> HardSwish(x)."""
    changed = False
    for node in nodes_of(graph, {"HardSigmoid", "Clip"}):
        changed |= _fuse(node)
    if changed:
        graph.sort()
    return changed


def _fuse(node: Node) -> bool:
    argument, curve = node.inputs[0], node.outputs[0]
    if argument is None or curve is None or curve.element not in SINGLE:
        return False
    top = _top(node)
    if top is None:
        return False
    for x in arguments(argument):
        inner: set[Node] = {node}
        found = _scaled(expand(argument, [x], inner), node)
        if matches(found, {(1,): top / 6, (0,): top / 2}, curve.element):
            root = _root(x, curve, top, inner)
            return root is not None and fuse(root, "HardSwish", [x], domain="")
    return False


def _top(node: Node) -> float | None:
    """The largest value of the curve, whose smallest must be 0."""
    if node.op_type == "HardSigmoid":
        return 1.0
    bounds = fused_activation(node)
    return bounds.beta if bounds is not None and bounds.alpha == 0 and 0 < bounds.beta < float("inf") else None


def _scaled(argument: Polynomial | None, node: Node) -> Polynomial | None:
    """What is clipped, as a polynomial of x."""
    if argument is None or node.op_type == "Clip":
        return argument
    alpha, beta = node.attr("alpha", 0.2), node.attr("beta", 0.5)
    result = {k: alpha * c for k, c in argument.items()}
    result[0,] = result.get((0,), 0.0) + beta
    return result


def _root(x: Value, curve: Value, top: float, inner: set[Node]) -> Node | None:
    """The node after `curve` that computes x * curve / top."""
    user = only_user(curve)
    for _ in range(_MAX_STEPS):
        if user is None or user.outputs[0] is None:
            return None
        nodes = set(inner)
        product = expand(user.outputs[0], [x, curve], nodes)
        if product is not None and product.keys() == {(1, 1)} and near(product[1, 1], 1 / top, curve.element):
            return user if is_closed(nodes, user) else None
        user = only_user(user.outputs[0])
    return None
