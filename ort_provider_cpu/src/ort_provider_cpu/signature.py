"""How nodes are described to the native engine: element types, dimensions, attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ort_core.ir.attributes import AttributeKind
from ort_core.ir.graph import Node, Value
from ort_core.ir.schema import OperatorSignature
from ort_core.ir.types import TensorType, ValueType

PortType: TypeAlias = tuple[int, list[int] | None]
"""An element type (0 for an absent value) and, where the rank is known, the dimensions (-1 for unknown ones)."""

ABSENT: PortType = (0, None)


def port_type(value: Value | None) -> PortType | None:
    """The type of a tensor; None if the value is no tensor or of unknown type."""
    return ABSENT if value is None else type_of_port(value.type)


def type_of_port(type_: ValueType | None) -> PortType | None:
    """A type as the engine takes it; None if it is no tensor's."""
    if not isinstance(type_, TensorType):
        return None
    dims = None if type_.shape is None else [d if isinstance(d, int) else -1 for d in type_.shape]
    return int(type_.element), dims


def mixed_types(node: Node, signature: OperatorSignature) -> str | None:
    """What is wrong if values that the operator wants of one type are of several; bodies of functions may have such nodes."""
    found: dict[str, Value] = {}
    for parameters, values in ((signature.inputs, node.inputs), (signature.outputs, node.outputs)):
        for index, value in enumerate(values):
            if value is None or not parameters:
                continue
            parameter = parameters[min(index, len(parameters) - 1)]
            if parameter.mark == "**" or parameter.type.startswith("="):
                continue
            first = found.setdefault(parameter.type, value)
            if first.element is not value.element:
                return f"'{first.name}' and '{value.name}' are to be of one type, got {first.type} and {value.type}"
    return None


def attribute_values(node: Node, programs: Mapping[str, Any] | None = None) -> dict[str, tuple[str, Any]]:
    """The attributes as name to (kind, value).

    Args:
        programs: the compiled subgraphs by attribute name; None leaves subgraphs out.
    """
    values: dict[str, tuple[str, Any]] = {}
    for name, attribute in node.attributes.items():
        kind, value = attribute.kind, attribute.value
        if kind is AttributeKind.GRAPH:
            if programs is not None:
                values[name] = ("GRAPH", programs[name])
        elif kind is AttributeKind.TENSOR:
            values[name] = ("TENSOR", (value.array(), int(value.element)))
        elif kind in {AttributeKind.STRING, AttributeKind.STRINGS}:
            values[name] = (kind.name, node.attr(name) if kind is AttributeKind.STRING else list(node.attr(name)))
        else:
            values[name] = (kind.name, list(value) if isinstance(value, tuple) else value)
    return values
