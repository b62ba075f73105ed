"""The moves that upgrade rules are made of: attributes into inputs, nodes before and after a node, what is known of a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ort_core import errors
from ort_core.errors import InvalidGraph
from ort_core.ir.attributes import AttributeKind
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.rewrite import add_constant, constant_array, graph_of, make_attribute
from ort_core.ir.tensors import WeightRef
from ort_core.ir.types import ElementType, TensorType

INTEGERS = frozenset(t for t in ElementType if t.name.startswith(("INT", "UINT")))
"""Every integer element type."""

_FLOATS = frozenset({ElementType.FLOAT, ElementType.DOUBLE, ElementType.FLOAT16, ElementType.BFLOAT16})


def look(node: Node, name: str, default: Any = None) -> Any:
    """The value of an attribute; refuses one that the caller of a function is to give."""
    if name in node.attributes and node.attributes[name].ref:
        raise refuse(node, f"its attribute '{name}' is an attribute of the function around it.")
    return node.attr(name, default)


def take(node: Node, name: str, default: Any = None) -> Any:
    """As `look`, and removes the attribute."""
    value = look(node, name, default)
    node.attributes.pop(name, None)
    return value


def put(node: Node, **attributes: Any) -> None:
    """Sets attributes from plain Python values."""
    node.attributes.update({name: make_attribute(value) for name, value in attributes.items()})


def constant(node: Node, value: Any, name: str, dtype: Any = np.int64) -> Value:
    """A constant in the graph of `node`."""
    return add_constant(graph_of(node), np.asarray(value, dtype), _name(node, name))


def set_input(node: Node, index: int, value: Value | None) -> None:
    """Sets input `index`, leaving out the inputs between the present last one and it."""
    while len(node.inputs) <= index:
        node.append_input(None)
    node.set_input(index, value)


def input_at(node: Node, index: int) -> Value | None:
    """Input `index`, or None where the node has fewer."""
    return node.inputs[index] if index < len(node.inputs) else None


def attribute_to_input(node: Node, name: str, index: int, dtype: Any = np.int64) -> None:
    """Turns an attribute, where the node has it, into input `index`: a constant, also if a function's caller gives it."""
    attribute = node.attributes.get(name)
    if attribute is not None and attribute.ref:
        del node.attributes[name]
        passed: dict[str, Any] = {f"value_{attribute.kind.name.lower()}": attribute}
        set_input(node, index, emit(node, "Constant", **passed))
    elif attribute is not None:
        set_input(node, index, constant(node, take(node, name), name, dtype))


def emit(node: Node, op_type: str, *inputs: Value | None, graph: Graph | None = None, **attributes: Any) -> Value:
    """A new node on behalf of `node`, in its graph unless another one is given; returns its output."""
    graph = graph_of(node) if graph is None else graph
    output = Value(graph.fresh_name(_name(node, op_type)))
    _add(graph, node, op_type, inputs, [output], attributes, output.name)
    return output


def emit_as(node: Node, output: Value, op_type: str, *inputs: Value | None, **attributes: Any) -> None:
    """A new node on behalf of `node` that produces an existing value."""
    graph = graph_of(node)
    _add(graph, node, op_type, inputs, [output], attributes, graph.fresh_name(_name(node, op_type)))


def _name(node: Node, what: str) -> str:
    return f"{node.name or node.op_type}/{what}"


def _add(
    graph: Graph,
    node: Node,
    op_type: str,
    inputs: Sequence[Value | None],
    outputs: Sequence[Value],
    attributes: Mapping[str, Any],
    name: str,
) -> None:
    kinds = {key: make_attribute(value) for key, value in attributes.items()}
    graph.add(Node(op_type, inputs, outputs, kinds, name=name, origin=node.origin))


def detach_output(node: Node, index: int = 0) -> tuple[Value, Value]:
    """Gives the node a fresh output `index`; returns it and the former one, which has to get a new producer."""
    outer = node.outputs[index]
    if outer is None:
        raise IndexError(f"output {index} of {node} is absent")
    graph = graph_of(node)
    element = element_of(outer)
    inner = Value(graph.fresh_name(outer.name), None if element is None else TensorType(element))
    inner.producer, inner.graph = node, graph
    outer.producer = None
    node.outputs[index] = inner
    return inner, outer


def drop_outputs(node: Node, count: int) -> None:
    """Cuts the outputs after the first `count`; they have no uses."""
    for value in node.outputs[count:]:
        if value is not None:
            value.producer = None
    del node.outputs[count:]


def element_of(value: Value | None) -> ElementType | None:
    """The element type, where it is known."""
    return None if value is None else value.element


def rank_of(value: Value | None) -> int | None:
    """The rank, where it is known."""
    return None if value is None or value.shape is None else len(value.shape)


def fixed(value: Value | None) -> np.ndarray | None:
    """The array behind an initializer or a Constant node, or None."""
    if value is None or value.producer is None:
        return constant_array(value)
    if value.producer.op_type != "Constant" or value.producer.domain:
        return None
    for attribute in value.producer.attributes.values():
        if attribute.kind is AttributeKind.TENSOR and isinstance(attribute.value, WeightRef):
            return attribute.value.array()
        if attribute.kind in (AttributeKind.FLOAT, AttributeKind.FLOATS):
            return np.asarray(attribute.value, np.float32)
        if attribute.kind in (AttributeKind.INT, AttributeKind.INTS):
            return np.asarray(attribute.value, np.int64)
    return None


def scalar_like(node: Node, value: float, like: Value, name: str) -> Value:
    """A scalar constant of the float type of `like`, cast in the graph where that is unknown."""
    element = element_of(like)
    if element is None:
        return emit(node, "CastLike", constant(node, value, name, np.float32), like)
    if element not in _FLOATS:
        raise InvalidGraph(
            f"{node.where()}: got data of type {element.onnx_name}, expected a float type. Cast it first."
        )
    with np.errstate(over="ignore"):
        return constant(node, np.asarray(value).astype(element.dtype), name, element.dtype)


def rank_value(node: Node, value: Value) -> Value:
    """The rank of `value` as an int64 tensor [1]."""
    rank = rank_of(value)
    if rank is not None:
        return constant(node, [rank], "rank")
    return emit(node, "Shape", emit(node, "Shape", value))


def ones(node: Node, count: Value) -> Value:
    """An int64 tensor of `count` (int64 [1]) ones."""
    return emit(node, "ConstantOfShape", count, value=np.ones(1, np.int64))


def reshape(node: Node, value: Value, shape: Value | Sequence[int]) -> Value:
    """`value` in another shape; a zero in a computed `shape` is a size."""
    if isinstance(shape, Value):
        return emit(node, "Reshape", value, shape, allowzero=1)
    return emit(node, "Reshape", value, constant(node, shape, "shape"))


def restore_shape(node: Node, like: Value, index: int = 0) -> None:
    """Makes output `index` of the node come out in the shape of `like`."""
    inner, outer = detach_output(node, index)
    emit_as(node, outer, "Reshape", inner, emit(node, "Shape", like), allowzero=1)


def refuse(node: Node, reason: str) -> errors.NotImplemented:
    """The error for a node that no newer operator expresses."""
    return errors.NotImplemented(
        f"{node.where()} cannot be brought to the opset that ort-core works on: {reason} "
        "Export the model again with a newer opset."
    )


def first_rank_unknown(node: Node) -> bool:
    """For `upgrade(wants=...)`: the first input has no known rank."""
    return bool(node.inputs) and rank_of(node.inputs[0]) is None


def first_element_unknown(node: Node) -> bool:
    """For `upgrade(wants=...)`: the first input has no known element type."""
    return bool(node.inputs) and element_of(node.inputs[0]) is None
