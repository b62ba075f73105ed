"""A prepared model from the document and the blob that `encode` made, without importing onnx.

An entry that was made to mislead gives an exception or some model of the same kind, never a reference to a value that is
not in scope or to bytes outside the sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ort_core.cache.encode import SINGULAR
from ort_core.cache.types import type_from_document
from ort_core.ir.attributes import Attribute, AttributeKind, SparseWeight
from ort_core.ir.graph import Function, Graph, Model, Node, Origin, Value
from ort_core.ir.tensors import WeightRef
from ort_core.ir.types import ValueType
from ort_core.metadata import ModelMetadata
from ort_core.prepare import Interface, ModelInterface

_KINDS = {int(kind): kind for kind in AttributeKind}
_CONSTANTS = (AttributeKind.TENSOR, AttributeKind.SPARSE_TENSOR)


def decode(document: dict[str, Any], weights: Sequence[WeightRef]) -> tuple[Model, ModelInterface]:
    """The model and its interface.

    Args:
        weights: what `read_weights` gives for the document.

    Raises:
        Exception: of any kind, where the document is none that `encode` made.
    """
    decoder = _Decoder(document, weights)
    model, interface = decoder.model(document), decoder.interface(document["interface"])
    _check_interface(model.graph, interface)
    return model, interface


class StoredModel(Model):
    """A model whose header is parsed when somebody asks for it: that needs onnx."""

    __slots__ = ("_header",)
    _header: Any

    @property
    def header(self) -> Any:
        """The `onnx.ModelProto` without graph and functions."""
        if isinstance(self._header, bytes):
            import onnx

            self._header = onnx.ModelProto.FromString(self._header)
        return self._header

    @header.setter
    def header(self, value: Any) -> None:
        self._header = value


class _Decoder:
    def __init__(self, document: dict[str, Any], weights: Sequence[WeightRef]) -> None:
        self._weights = weights
        self._types = [type_from_document(t) for t in document["types"]]
        self._operators = [
            (_text(op_type), _text(domain), _text(overload), None if origin is None else _origin(*origin))
            for op_type, domain, overload, origin in document["operators"]
        ]
        self._values: list[Value] = []

    def model(self, document: dict[str, Any]) -> Model:
        header = document["header"]
        graph = self._root(document["graph"])
        functions = [self._function(f) for f in document["functions"]]
        return StoredModel(
            graph,
            _versions(document["opsets"]),
            {f.key: f for f in functions},
            _versions(document["original_opsets"]),
            None if header is None else _data(header),
        )

    def interface(self, document: dict[str, Any]) -> ModelInterface:
        def entries(items: Iterable[Any]) -> tuple[Interface, ...]:
            return tuple(Interface(_text(name), self._type(number)) for name, number in items)

        return ModelInterface(
            entries(document["inputs"]),
            entries(document["overridable"]),
            entries(document["outputs"]),
            {name: self._type(number) for name, number in document["results"]},
            ModelMetadata(**document["metadata"]),
        )

    def _root(self, document: dict[str, Any]) -> Graph:
        graph = self._graph(document)
        graph.used_names().update(map(_text, document["names"]))
        return graph

    def _function(self, document: dict[str, Any]) -> Function:
        domain, name, overload = map(_text, document["key"])
        graph = self._root(document["graph"])
        given = document["attributes"]
        attributes = {k: None if a is None else self._attribute(a) for k, a in given.items()}
        opsets = _versions(document["opsets"])
        return Function(domain, name, overload, graph, attributes, _text(document["doc"]), opsets)

    def _graph(self, document: dict[str, Any]) -> Graph:
        first = len(self._values)
        graph = Graph(_text(document["name"]))
        graph.doc, graph.metadata = _notes(document["doc"], document["metadata"])
        if document["annotations"]:
            import onnx

            graph.annotations = tuple(onnx.TensorAnnotation.FromString(_data(a)) for a in document["annotations"])
        for item in document["inputs"]:
            graph.add_input(self._value(item))
        for item in document["initializers"]:
            value = self._use(item) if isinstance(item, int) else self._value(item)
            if value is None or value.const is None or (value.graph is not graph and value.graph is not None):
                raise ValueError("an initializer has no data here")
            graph.add_initializer(value)
        for item in document["nodes"]:
            graph.add(self._node(item))
        for name, number in document["outputs"]:
            value = self._use(number)
            if value is None:
                raise ValueError(f"output '{name}' is absent")
            graph.add_output(value, _text(name))
        if document["declared"] is not None:
            graph.declared_outputs = tuple(self._type(number) for number in document["declared"])
        del self._values[first:]
        return graph

    def _node(self, document: list[Any]) -> Node:
        operator, name, inputs, attributes, outputs, *notes = document
        op_type, domain, overload, origin = self._operators[operator]
        used = [self._use(number) for number in inputs]
        named = {_text(key): self._attribute(rest) for key, *rest in attributes}
        made = [None if item is None else self._value(item) for item in outputs]
        node = Node(op_type, used, made, named, domain=domain, name=_text(name), overload=overload, origin=origin)
        if notes:
            node.doc, node.metadata = _notes(*notes)
        return node

    def _value(self, document: list[Any]) -> Value:
        name, type_, const, *notes = document
        value = Value(_text(name), self._type(type_))
        if const is not None:
            value.const = self._const(const)
        if notes:
            value.doc, value.metadata = _notes(*notes)
        self._values.append(value)
        return value

    def _use(self, number: int | None) -> Value | None:
        return None if number is None else self._values[_index(number)]

    def _type(self, number: int) -> ValueType | None:
        return self._types[_index(number)]

    def _attribute(self, document: list[Any]) -> Attribute:
        code, value, ref = document
        kind = _KINDS[code]
        if value is not None:
            single = SINGULAR.get(kind)
            value = self._item(kind, value) if single is None else tuple(self._item(single, item) for item in value)
        return Attribute(kind, value, _text(ref))

    def _item(self, kind: AttributeKind, value: Any) -> Any:
        if kind is AttributeKind.STRING:
            return _data(value)
        if kind is AttributeKind.GRAPH:
            return self._graph(value)
        if kind in _CONSTANTS:
            return self._const(value)
        if kind is AttributeKind.TYPE_PROTO:
            return self._type(value)
        if not isinstance(value, int | float):
            raise ValueError(f"{value!r} is no {kind.name}")
        return value

    def _const(self, document: Any) -> WeightRef | SparseWeight:
        if isinstance(document, list):
            values, indices, shape = document
            return SparseWeight(self._weights[_index(values)], self._weights[_index(indices)], tuple(shape))
        return self._weights[_index(document)]


def _index(number: int) -> int:
    if number < 0:
        raise ValueError(f"{number} is no place in a list")
    return number


def _text(item: Any) -> str:
    if type(item) is not str:
        raise ValueError(f"{item!r} is no text")
    return item


def _data(text: str) -> bytes:
    return text.encode("latin-1")


def _notes(doc: Any, metadata: dict[Any, Any]) -> tuple[str, dict[str, str]]:
    return _text(doc), {_text(key): _text(value) for key, value in metadata.items()}


def _versions(opsets: dict[Any, Any]) -> dict[str, int]:
    return {_text(domain): _version(version) for domain, version in opsets.items()}


def _version(item: Any) -> int:
    if type(item) is not int:
        raise ValueError(f"{item!r} is no version")
    return item


def _origin(op_type: Any, domain: Any, opset: Any) -> Origin:
    return Origin(_text(op_type), _text(domain), _version(opset))


def _check_interface(graph: Graph, interface: ModelInterface) -> None:
    given = [v.name for v in graph.inputs if v.const is None]
    overridable = [v.name for v in graph.inputs if v.const is not None]
    if given != [i.name for i in interface.inputs] or overridable != [i.name for i in interface.overridable]:
        raise ValueError("the inputs are not those of the graph")
    if graph.output_names != [o.name for o in interface.outputs] or [*interface.result_types] != graph.output_names:
        raise ValueError("the outputs are not those of the graph")
