"""Mish written out with Tanh and Softplus."""

from __future__ import annotations

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._emit import fuse
from ort_provider_cpu.passes._match import SINGLE, is_closed, made_by, nodes_of, operands
from ort_provider_cpu.passes._polynomial import expand


@graph_pass(Level.EXTENDED, order=13)
def fuse_mish(graph: Graph, ctx: PassContext) -> bool:
    """`x * tanh(softplus(x))` -> Mish(x), with softplus as Softplus or as log(1 + exp(x))."""
    changed = False
    for node in nodes_of(graph, {"Tanh"}):
        changed |= _fuse(node)
    if changed:
        graph.sort()
    return changed


def _fuse(node: Node) -> bool:
    curve = node.outputs[0]
    root = only_user(curve)
    if curve is None or curve.element not in SINGLE or root is None or root.domain or root.op_type != "Mul":
        return False
    x = operands(root, curve)
    inner = {node}
    if x is None or _softplus_of(node.inputs[0], inner) is not x or not is_closed(inner, root):
        return False
    return fuse(root, "Mish", [x], domain="")


def _softplus_of(value: Value | None, inner: set[Node]) -> Value | None:
    if (node := made_by(value, "Softplus")) is not None:
        inner.add(node)
        return node.inputs[0]
    log = made_by(value, "Log")
    total = None if log is None else log.inputs[0]
    addition = made_by(total, "Add")
    if log is None or total is None or addition is None:
        return None
    for exponential in (made_by(v, "Exp") for v in addition.inputs):
        result = None if exponential is None else exponential.outputs[0]
        if exponential is None or result is None:
            continue
        if expand(total, [result], inner) == {(1,): 1.0, (0,): 1.0}:
            inner |= {log, exponential}
            return exponential.inputs[0]
    return None
