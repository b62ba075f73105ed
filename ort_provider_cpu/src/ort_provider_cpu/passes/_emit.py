"""Putting a fused node into the graph, if the engine has a kernel for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ort_core.ir.graph import Node, Value
from ort_core.ir.rewrite import add_constant, add_node, constant_array, graph_of, make_attribute
from ort_core.ir.types import TensorType
from ort_provider_cpu import _native
from ort_provider_cpu.signature import PortType, attribute_values, port_type

DOMAIN = "ort.cpu"
"""The domain of the operators that exist in this provider only."""


def has_kernel(node: Node, inputs: Sequence[Value | None], outputs: Sequence[Value | None]) -> bool:
    """Whether the engine takes `node` (whose own inputs and outputs are not looked at) with these values."""
    given = _port_types(inputs)
    made = _port_types(outputs)
    if given is None or made is None:
        return False
    codes = [code for code, _ in made]
    return _native.decline_reason(node.domain, node.op_type, attribute_values(node), given, codes) is None


def _port_types(values: Sequence[Value | None]) -> list[PortType] | None:
    types = [port_type(v) for v in values]
    return None if any(t is None for t in types) else [t for t in types if t is not None]


def fuse(
    root: Node,
    op_type: str,
    inputs: Sequence[Value | None],
    attributes: Mapping[str, Any] | None = None,
    *,
    domain: str = DOMAIN,
    outputs: Sequence[Value | None] | None = None,
) -> bool:
    """Makes one node compute what `root` (and others, if `outputs` says so) computed; what nobody uses then goes.

    Args:
        outputs: values that the new node takes over from their producers, new values, or None for outputs that are not
            wanted; by default the first output of `root`.

    Returns:
        False, with the graph unchanged, if the engine has no kernel for the node; inputs that were made for it go.
    """
    taken = [root.outputs[0]] if outputs is None else list(outputs)
    kinds = {name: make_attribute(value) for name, value in (attributes or {}).items() if value is not None}
    node = Node(op_type, (), (), kinds, domain=domain, name=root.name, origin=root.origin)
    node.doc, node.metadata = root.doc, dict(root.metadata)
    if not has_kernel(node, inputs, taken):
        remove_unused([v.producer for v in inputs if v is not None and v.producer is not None])
        return False
    graph = graph_of(root)
    node.set_inputs(inputs)
    former = [v.producer for v in taken if v is not None and v.producer is not None]
    for value in taken:
        if value is not None and value.producer is not None:
            value.producer.outputs[value.producer.outputs.index(value)] = None
        if value is not None:
            value.producer = node
    node.outputs = taken
    graph.add(node)
    remove_unused(dict.fromkeys(former))
    return True


def remove_unused(nodes: Iterable[Node]) -> None:
    """Removes those nodes whose results nobody uses, and what only they needed."""
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if node.graph is None or any(v is not None and v.is_used for v in node.outputs):
            continue
        sources = [v.producer for v in node.inputs if v is not None and v.producer is not None]
        graph_of(node).remove(node)
        pending += dict.fromkeys(sources)


def align(root: Node, a: Value, b: Value, total: Value) -> tuple[Value, Value]:
    """The two with their leading dimensions broadcast to those of `total`; costs nothing where a run finds them equal."""
    if not (isinstance(a.type, TensorType) and isinstance(b.type, TensorType) and isinstance(total.type, TensorType)):
        raise TypeError(f"'{total.name}' is no sum of tensors")
    outputs = add_node(graph_of(root), "BroadcastLeading", [a, b], 2, domain=DOMAIN, like=root)
    for value, source in zip(outputs, (a, b), strict=True):
        leading = (total.shape or (None,))[:-1]
        value.type = TensorType(total.type.element, (*leading, (source.shape or (None,))[-1]))
    return outputs[0], outputs[1]


def row(root: Node, value: Value, size: int) -> Value | None:
    """`value` of shape [1, ..., size] as a vector [size]: itself, or another constant; None where it would take a node."""
    if value.shape == (size,):
        return value
    array = constant_array(value)
    return None if array is None else add_constant(graph_of(root), array.reshape(size), value.name)


def ones(root: Node, size: int, value: Value) -> Value:
    """A constant vector of ones of the element type of `value`."""
    if not isinstance(value.type, TensorType):
        raise TypeError(f"'{value.name}' is no tensor")
    return add_constant(graph_of(root), np.ones(size, value.type.element.dtype), "ones")
