"""Patch helpers: every change that a pass makes to a graph goes through these, so that use lists and types stay right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ort_core.errors import InvalidGraph
from ort_core.ir.attributes import Attribute, AttributeKind, SparseWeight
from ort_core.ir.graph import Function, Graph, Model, Node, Value
from ort_core.ir.shapes import merge_shapes
from ort_core.ir.tensors import ArrayWeight, ReleasedWeight, WeightRef
from ort_core.ir.types import ElementType, TensorType


def replace_uses(old: Value, new: Value) -> None:
    """Makes every user of `old` use `new`; what is known of the type of `old` is kept on `new`."""
    if old is new:
        return
    merge_type(new, old)
    for use in old.uses:
        if isinstance(use.user, Graph):
            use.user.set_output(use.slot, new)
        else:
            use.user.set_input(use.slot, new)


def merge_type(value: Value, other: Value) -> None:
    """Adds to the type of `value` what the type of `other` knows more."""
    if value.type is None:
        value.type = other.type
    elif isinstance(value.type, TensorType) and isinstance(other.type, TensorType):
        value.type = TensorType(value.type.element, merge_shapes(value.type.shape, other.type.shape))


def replace_node(node: Node, values: Sequence[Value | None]) -> None:
    """Replaces the outputs of `node` one by one by `values` and removes the node."""
    for old, new in zip(node.outputs, values, strict=True):
        if old is not None and old.uses:
            if new is None:
                raise InvalidGraph(f"output '{old.name}' of {node} is used but has no replacement")
            replace_uses(old, new)
    graph_of(node).remove(node)


def add_node(
    graph: Graph,
    op_type: str,
    inputs: Sequence[Value | None],
    n_outputs: int = 1,
    *,
    domain: str = "",
    attributes: Mapping[str, Any] | None = None,
    like: Node | None = None,
    name: str = "",
) -> tuple[Value, ...]:
    """Appends a node with fresh outputs and returns them; call `graph.sort()` when the rewrite is done.

    Args:
        attributes: plain Python values; the kind follows from the value.
        like: the node it stands for, whose name and origin messages will show.
    """
    base = name or (like.name if like else "") or op_type
    outputs = tuple(
        Value(graph.fresh_name(f"{base}_out{i}" if n_outputs > 1 else f"{base}_out")) for i in range(n_outputs)
    )
    node = Node(
        op_type,
        inputs,
        outputs,
        {k: make_attribute(v) for k, v in (attributes or {}).items() if v is not None},
        domain=domain,
        name=name or (like.name if like else ""),
        origin=like.origin if like else None,
    )
    graph.add(node)
    return outputs


def add_constant(graph: Graph, array: np.ndarray | WeightRef, name: str = "const") -> Value:
    """Adds an initializer with a fresh name."""
    weight: WeightRef = ArrayWeight(np.asarray(array)) if isinstance(array, np.ndarray | np.generic) else array
    value = Value(graph.fresh_name(name), TensorType(weight.element, tuple(weight.shape)))
    value.const = weight
    return graph.add_initializer(value)


def make_constant(value: Value, weight: WeightRef) -> None:
    """Turns the only output of a node into a constant of the same name and removes the node."""
    node = value.producer
    if node is None:
        raise InvalidGraph(f"value '{value.name}' has no producer that a constant could replace")
    graph = graph_of(node)
    node.outputs[node.outputs.index(value)] = None
    value.producer = None
    graph.remove(node)
    value.type = TensorType(weight.element, tuple(weight.shape))
    value.const = weight
    graph.add_initializer(value)


def make_attribute(value: Any) -> Attribute:
    """An `Attribute` whose kind follows from the Python value."""
    if isinstance(value, Attribute):
        return value
    if isinstance(value, Graph):
        return Attribute(AttributeKind.GRAPH, value)
    if isinstance(value, bool | int | np.integer):
        return Attribute(AttributeKind.INT, int(value))
    if isinstance(value, float | np.floating):
        return Attribute(AttributeKind.FLOAT, float(value))
    if isinstance(value, str | bytes):
        return Attribute(AttributeKind.STRING, value.encode() if isinstance(value, str) else value)
    if isinstance(value, np.ndarray):
        return Attribute(AttributeKind.TENSOR, ArrayWeight(value))
    if isinstance(value, WeightRef):
        return Attribute(AttributeKind.TENSOR, value)
    items = tuple(value)
    kinds = {make_attribute(item).kind for item in items}
    if kinds <= {AttributeKind.INT}:
        return Attribute(AttributeKind.INTS, tuple(int(i) for i in items))
    if kinds <= {AttributeKind.INT, AttributeKind.FLOAT}:
        return Attribute(AttributeKind.FLOATS, tuple(float(i) for i in items))
    if kinds == {AttributeKind.STRING}:
        return Attribute(AttributeKind.STRINGS, tuple(make_attribute(i).value for i in items))
    raise TypeError(f"cannot make an ONNX attribute of {value!r}")


def constant_array(value: Value | None, max_bytes: int | None = None) -> np.ndarray | None:
    """The array of a dense constant, or None if `value` is absent, not fixed, sparse, or larger than `max_bytes`."""
    if value is None or value.const is None or isinstance(value.const, SparseWeight) or not value.is_constant:
        return None
    if max_bytes is not None and value.const.nbytes > max_bytes:
        return None
    return value.const.array()


def release_weights(graph: Graph) -> None:
    """Lets go of the data of all constants of `graph`; their types stay."""
    for value in graph.initializers.values():
        if isinstance(value.const, WeightRef):
            value.const = ReleasedWeight(value.const)


def graph_of(node: Node) -> Graph:
    """The graph that holds `node`.

    Raises:
        InvalidGraph: the node was removed.
    """
    if node.graph is None:
        raise InvalidGraph(f"{node} is in no graph")
    return node.graph


def clone_graph(
    source: Graph,
    values: dict[Value, Value],
    *,
    parent: Node | None = None,
    prefix: str = "",
    names: Graph | None = None,
) -> Graph:
    """A deep copy; `values` maps outer values (and receives the inner ones), attribute kinds are shared.

    Args:
        prefix: put before node names.
        names: take value names that are free in this graph's model; None keeps the names.
    """
    graph = Graph(source.name, parent)
    graph.doc, graph.metadata, graph.annotations = source.doc, dict(source.metadata), source.annotations
    graph.declared_outputs = source.declared_outputs
    for value in source.inputs:
        graph.add_input(clone_value(value, values, names))
    for value in source.initializers.values():
        graph.add_initializer(values[value] if value in values else clone_value(value, values, names))
    for node in source.nodes:
        graph.add(clone_node(node, values, prefix=prefix, names=names))
    for name, value in zip(source.output_names, source.outputs, strict=True):
        graph.add_output(values.get(value, value), name)
    return graph


def clone_value(value: Value, values: dict[Value, Value], names: Graph | None = None) -> Value:
    """A copy without producer and uses, entered into `values`."""
    copy = Value(value.name if names is None else names.fresh_name(value.name), value.type)
    copy.const, copy.doc, copy.metadata = value.const, value.doc, dict(value.metadata)
    values[value] = copy
    return copy


def clone_node(
    node: Node,
    values: dict[Value, Value],
    *,
    prefix: str = "",
    names: Graph | None = None,
    attributes: Mapping[str, Attribute] | None = None,
) -> Node:
    """A copy whose inputs are mapped through `values` and whose outputs are new.

    Args:
        attributes: values for the attributes that refer to a function's attributes; refers stay when None.
    """
    inputs = [None if v is None else values.get(v, v) for v in node.inputs]
    outputs = [None if v is None else clone_value(v, values, names) for v in node.outputs]
    copy = Node(
        node.op_type,
        inputs,
        outputs,
        domain=node.domain,
        name=prefix + (node.name or node.op_type) if prefix else node.name,
        overload=node.overload,
        origin=node.origin,
    )
    copy.doc, copy.metadata = node.doc, dict(node.metadata)
    for name, attribute in node.attributes.items():
        if attribute.ref and attributes is not None:
            if attribute.ref in attributes:
                copy.attributes[name] = _clone_attribute(attributes[attribute.ref], copy, {}, "", names, None)
            continue
        copy.attributes[name] = _clone_attribute(attribute, copy, values, prefix, names, attributes)
    return copy


def _clone_attribute(
    attribute: Attribute,
    owner: Node,
    values: dict[Value, Value],
    prefix: str,
    names: Graph | None,
    attributes: Mapping[str, Attribute] | None,
) -> Attribute:
    def body(graph: Graph) -> Graph:
        copy = clone_graph(graph, values, parent=owner, prefix=prefix, names=names)
        if attributes is not None:
            bind_attributes(copy, attributes)
        return copy

    if attribute.kind is AttributeKind.GRAPH and attribute.value is not None:
        return Attribute(attribute.kind, body(attribute.value), attribute.ref)
    if attribute.kind is AttributeKind.GRAPHS and attribute.value is not None:
        return Attribute(attribute.kind, tuple(body(g) for g in attribute.value), attribute.ref)
    return attribute


def bind_attributes(graph: Graph, attributes: Mapping[str, Attribute]) -> None:
    """Replaces references to a function's attributes in `graph` and its subgraphs by their values."""
    for node in graph.walk():
        for name, attribute in list(node.attributes.items()):
            if attribute.ref:
                if attribute.ref in attributes:
                    node.attributes[name] = _clone_attribute(attributes[attribute.ref], node, {}, "", graph, None)
                else:
                    del node.attributes[name]


def inline_function(node: Node, function: Function) -> list[Node]:
    """Replaces a call of `function` by a copy of its body and returns the new nodes.

    Raises:
        InvalidGraph: the call gives more inputs or outputs than the function has.
    """
    graph = graph_of(node)
    body = function.graph
    if len(node.inputs) > len(body.inputs) or len(node.outputs) > len(body.outputs):
        raise InvalidGraph(
            f"{node} calls function {function.domain}::{function.name} with {len(node.inputs)} inputs and "
            f"{len(node.outputs)} outputs; it has {len(body.inputs)} and {len(body.outputs)}"
        )
    bound = {k: v for k, v in function.attributes.items() if v is not None} | node.attributes
    values: dict[Value, Value] = {}
    absent: set[Value] = set()
    for formal, actual in zip(body.inputs, (*node.inputs, *[None] * len(body.inputs)), strict=False):
        if actual is None:
            absent.add(formal)
        else:
            values[formal] = actual
    for value in body.initializers.values():
        graph.add_initializer(clone_value(value, values, graph))
    prefix = f"{node.name or node.op_type}/"
    new_nodes = []
    for inner in body.nodes:
        copy = clone_node(inner, values, prefix=prefix, names=graph, attributes=bound)
        copy.origin = copy.origin or node.origin
        new_nodes.append(graph.add(copy))
    for new in new_nodes:
        _drop_absent(new, absent)
    replace_node(node, [values.get(v) for v in body.outputs[: len(node.outputs)]])
    return new_nodes


def _drop_absent(node: Node, absent: set[Value]) -> None:
    for index, value in enumerate(node.inputs):
        if value in absent:
            node.set_input(index, None)
    for subgraph in node.subgraphs:
        for inner in subgraph.nodes:
            _drop_absent(inner, absent)


def check_invariants(model: Model) -> None:
    """Raises InvalidGraph if use lists, producers, names or the node order are wrong (for debugging and tests)."""
    for graph in model.graphs():
        seen: set[Value] = set(graph.inputs) | set(graph.initializers.values())
        for node in graph.nodes:
            for index, value in enumerate(node.inputs):
                if value is not None and (node, index) not in value.uses:
                    raise InvalidGraph(f"{node} input {index} is missing from the uses of '{value.name}'")
                if value is not None and value.graph is graph and value not in seen:
                    raise InvalidGraph(f"{node} uses '{value.name}' before it is produced")
            for value in node.outputs:
                if value is not None and (value.producer is not node or value.graph is not graph):
                    raise InvalidGraph(f"'{value.name}' does not know its producer {node}")
                if value is not None:
                    seen.add(value)
        for index, value in enumerate(graph.outputs):
            if (graph, index) not in value.uses:
                raise InvalidGraph(f"output {index} of graph '{graph.name}' is missing from the uses of '{value.name}'")


def tensor_type(array: np.ndarray) -> TensorType:
    """The exact type of an array."""
    return TensorType(ElementType.from_dtype(array.dtype), tuple(array.shape))
