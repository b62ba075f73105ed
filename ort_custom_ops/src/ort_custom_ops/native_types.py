"""Nodes and types as the native host takes them (see `_native.pyi`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ort_core.custom_ops.spec import KernelRequest
from ort_core.ir.attributes import Attribute, AttributeKind
from ort_core.ir.graph import Node, Value
from ort_core.ir.types import MapType, OptionalType, SequenceType, SparseTensorType, TensorType, ValueType
from ort_custom_ops import _native


def native_type(type_: ValueType | None) -> _native.Type:
    """A type as a tuple; None stays None."""
    if type_ is None:
        return None
    if isinstance(type_, TensorType):
        return ("tensor", int(type_.element), type_.shape)
    if isinstance(type_, SparseTensorType):
        return ("sparse_tensor", int(type_.element), type_.shape)
    if isinstance(type_, MapType):
        return ("map", native_type(type_.value), int(type_.key))
    kind = {SequenceType: "sequence", OptionalType: "optional"}[type(type_)]
    return (kind, native_type(type_.element))


def native_attributes(node: Node) -> list[_native.Attribute]:
    """The attributes of a node."""
    return [(name, int(attribute.kind), _value(attribute)) for name, attribute in node.attributes.items()]


def native_node(request: KernelRequest, since_version: int) -> _native.Node:
    """What a kernel may ask about its node."""
    node = request.node
    return (
        node.name,
        node.op_type,
        node.domain,
        since_version,
        [_port(value, request.constants.get(index)) for index, value in enumerate(node.inputs)],
        [_port(value, None) for value in node.outputs],
        native_attributes(node),
        dict(_entries(request.config.items())),
    )


def _port(value: Value | None, constant: Any) -> _native.Port:
    if value is None:
        return ("", None, None)
    return (value.name, native_type(value.type), constant)


def _entries(items: Iterable[tuple[Any, Any]]) -> Iterable[tuple[str, str]]:
    return ((str(key), str(value)) for key, value in items)


def _value(attribute: Attribute) -> Any:
    if attribute.kind is AttributeKind.TENSOR:
        return attribute.value.array()
    readable = attribute.kind in (
        AttributeKind.FLOAT,
        AttributeKind.INT,
        AttributeKind.STRING,
        AttributeKind.FLOATS,
        AttributeKind.INTS,
        AttributeKind.STRINGS,
    )
    return attribute.value if readable else None
