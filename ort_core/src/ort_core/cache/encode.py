"""A prepared model as a JSON document and a blob; `decode` is the way back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ort_core.cache.types import Numbers, type_to_document
from ort_core.cache.weights import NotStorableError, WeightWriter
from ort_core.ir.attributes import Attribute, AttributeKind, SparseWeight
from ort_core.ir.graph import Function, Graph, Model, Node, Value
from ort_core.ir.tensors import ArrayWeight

if TYPE_CHECKING:
    from ort_core.prepare import Interface, ModelInterface

SINGULAR = {
    AttributeKind.FLOATS: AttributeKind.FLOAT,
    AttributeKind.INTS: AttributeKind.INT,
    AttributeKind.STRINGS: AttributeKind.STRING,
    AttributeKind.TENSORS: AttributeKind.TENSOR,
    AttributeKind.GRAPHS: AttributeKind.GRAPH,
    AttributeKind.SPARSE_TENSORS: AttributeKind.SPARSE_TENSOR,
    AttributeKind.TYPE_PROTOS: AttributeKind.TYPE_PROTO,
}
"""Kinds of attributes that are lists, and the kind of an item."""


def encode(
    model: Model, interface: ModelInterface, given: Mapping[str, ArrayWeight]
) -> tuple[dict[str, Any], list[memoryview]]:
    """The document and the blob of a model.

    Values have no names in it: a graph's inputs, initializers and results are numbered as they come, beginning with the first
    number that the graphs around it leave free, and nodes refer to these numbers.

    Args:
        given: constants that the caller gave, by name.

    Raises:
        NotStorableError: something in the model has no form in a document.
    """
    encoder = _Encoder(WeightWriter(model.sources, given))
    document = encoder.model(model)
    document["interface"] = encoder.interface(interface)
    document["types"] = [type_to_document(t) for t in encoder.types]
    document["operators"] = [*encoder.operators]
    document["weights"] = encoder.weights.documents
    return document, encoder.weights.blob


class _Encoder:
    def __init__(self, weights: WeightWriter) -> None:
        self.weights = weights
        self.types: Any = Numbers()
        self.operators: Any = Numbers()
        self._numbers: dict[Value, int] = {}

    def model(self, model: Model) -> dict[str, Any]:
        return {
            "header": None if model.header is None else _text(model.header.SerializeToString()),
            "opsets": model.opset_imports,
            "original_opsets": model.original_opsets,
            "graph": self._root(model.graph),
            "functions": [self._function(function) for function in model.functions.values()],
        }

    def interface(self, interface: ModelInterface) -> dict[str, Any]:
        def entries(items: Iterable[Interface]) -> list[Any]:
            return [[item.name, self.types[item.type]] for item in items]

        return {
            "inputs": entries(interface.inputs),
            "overridable": entries(interface.overridable),
            "outputs": entries(interface.outputs),
            "results": [[name, self.types[t]] for name, t in interface.result_types.items()],
            "metadata": dataclasses.asdict(interface.metadata),
        }

    def _root(self, graph: Graph) -> dict[str, Any]:
        document = self._graph(graph)
        present = {value.name for inner in graph.graphs() for value in _own_values(inner)}
        document["names"] = sorted(graph.used_names() - present)
        return document

    def _function(self, function: Function) -> dict[str, Any]:
        return {
            "key": function.key,
            "graph": self._root(function.graph),
            "attributes": {k: None if a is None else self._attribute(a) for k, a in function.attributes.items()},
            "doc": function.doc,
            "opsets": function.opset_imports,
        }

    def _graph(self, graph: Graph) -> dict[str, Any]:
        document = {
            "name": graph.name,
            "doc": graph.doc,
            "metadata": graph.metadata,
            "annotations": [_text(a.SerializeToString()) for a in graph.annotations],
            "inputs": [self._value(v) for v in graph.inputs],
            "initializers": [self._initializer(k, v) for k, v in graph.initializers.items()],
            "nodes": [self._node(n) for n in graph.nodes],
            "outputs": [[n, self._use(v)] for n, v in zip(graph.output_names, graph.outputs, strict=True)],
            "declared": None if graph.declared_outputs is None else [self.types[t] for t in graph.declared_outputs],
        }
        for value in _own_values(graph):
            del self._numbers[value]
        return document

    def _initializer(self, name: str, value: Value) -> Any:
        if name != value.name:
            raise NotStorableError(f"initializer '{value.name}' is filed under '{name}'")
        return self._numbers[value] if value in self._numbers else self._value(value)

    def _node(self, node: Node) -> list[Any]:
        kind = (node.op_type, node.domain, node.overload, node.origin)
        inputs = [self._use(v) for v in node.inputs]
        attributes = [[name, *self._attribute(a)] for name, a in node.attributes.items()]
        outputs = [None if v is None else self._value(v) for v in node.outputs]
        return [self.operators[kind], node.name, inputs, attributes, outputs, *_notes(node)]

    def _value(self, value: Value) -> list[Any]:
        if value in self._numbers:
            raise NotStorableError(f"value '{value.name}' is defined twice")
        self._numbers[value] = len(self._numbers)
        const = None if value.const is None else self._const(value.const)
        return [value.name, self.types[value.type], const, *_notes(value)]

    def _use(self, value: Value | None) -> int | None:
        if value is None:
            return None
        number = self._numbers.get(value)
        if number is None:
            raise NotStorableError(f"value '{value.name}' is used where it is not defined")
        return number

    def _attribute(self, attribute: Attribute) -> list[Any]:
        kind, value = attribute.kind, attribute.value
        if value is not None:
            single = SINGULAR.get(kind)
            value = self._item(kind, value) if single is None else [self._item(single, item) for item in value]
        return [int(kind), value, attribute.ref]

    def _item(self, kind: AttributeKind, value: Any) -> Any:
        if kind is AttributeKind.STRING:
            return _text(value)
        if kind is AttributeKind.GRAPH:
            return self._graph(value)
        if kind in (AttributeKind.TENSOR, AttributeKind.SPARSE_TENSOR):
            return self._const(value)
        return self.types[value] if kind is AttributeKind.TYPE_PROTO else value

    def _const(self, const: Any) -> Any:
        if isinstance(const, SparseWeight):
            return [self.weights.number(const.values), self.weights.number(const.indices), [*const.shape]]
        return self.weights.number(const)


def _own_values(graph: Graph) -> dict[Value, None]:
    found = dict.fromkeys(graph.inputs) | dict.fromkeys(graph.initializers.values())
    return found | {value: None for node in graph.nodes for value in node.outputs if value is not None}


def _notes(item: Node | Value) -> list[Any]:
    return [item.doc, item.metadata] if item.doc or item.metadata else []


def _text(data: bytes) -> str:
    return data.decode("latin-1")
