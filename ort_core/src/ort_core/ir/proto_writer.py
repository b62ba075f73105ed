"""ONNX protobuf messages from our graphs: values get names that are unique and interfaces keep theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ort_core.errors import InvalidGraph
from ort_core.ir.attributes import Attribute, AttributeKind, SparseWeight
from ort_core.ir.graph import Function, Graph, Model, Node, Value
from ort_core.ir.messages import header_proto
from ort_core.ir.proto_reader import KEPT
from ort_core.ir.proto_scope import read_imports
from ort_core.ir.proto_tensors import TensorStore, sparse_to_proto, weight_to_proto
from ort_core.ir.proto_types import type_from_proto, type_to_proto

if TYPE_CHECKING:
    import onnx


_MIN_IR_VERSION = 4


class Writer:
    """Converts one model.

    Args:
        store: where the data of large constants goes; without it the messages hold it.
    """

    def __init__(self, store: TensorStore | None = None) -> None:
        self.store = store
        self.names: dict[Value, str] = {}
        self.taken: set[str] = set()

    def model(self, model: Model) -> onnx.ModelProto:
        """See `ort_core.ir.proto.to_proto`."""
        import onnx

        proto = onnx.ModelProto()
        if model.header is not None:
            proto.CopyFrom(header_proto(model.header))
        proto.ir_version = max(proto.ir_version, _MIN_IR_VERSION) if proto.ir_version else onnx.IR_VERSION
        if read_imports(proto.opset_import, "the model") != model.opset_imports:
            del proto.opset_import[:]
            _write_imports(proto.opset_import, model.opset_imports)
        self.graph(proto.graph, model.graph)
        for function in model.functions.values():
            Writer(self.store).function(proto.functions.add(), function, model.opset_imports)
        return proto

    def graph(self, proto: onnx.GraphProto, graph: Graph, *, nested: bool = False) -> None:
        """Fills `proto`; the names of outer graphs are those already in `names`."""
        proto.name = graph.name
        if graph.doc:
            proto.doc_string = graph.doc
        _write_metadata(proto.metadata_props, graph.metadata)
        before = set(self.taken) if nested else set()
        results = self._name_nested(graph) if nested else self._name_interface(graph)
        for value in graph.inputs:
            self._value_info(proto.input.add(), value)
        for value in graph.initializers.values():
            self._initializer(proto, value, top=not nested)
        self._nodes(proto, graph, results)
        for value, name in zip(graph.outputs, results, strict=True):
            self._value_info(proto.output.add(), value, name)
        self._value_infos(proto, graph, results)
        proto.quantization_annotation.extend(a for a in graph.annotations if a.tensor_name in self.taken)
        if nested:
            self.taken = before

    def function(self, proto: onnx.FunctionProto, function: Function, imports: dict[str, int]) -> None:
        """Fills `proto`; `imports` are those of the model. Initializers of the body become Constant nodes."""
        proto.name = function.name
        proto.domain = function.domain
        if function.overload:
            proto.overload = function.overload
        if function.doc:
            proto.doc_string = function.doc
        _write_metadata(proto.metadata_props, function.graph.metadata)
        _write_imports(proto.opset_import, function.opset_imports or imports)
        for name, default in function.attributes.items():
            if default is None:
                proto.attribute.append(name)
            else:
                self.attribute(proto.attribute_proto.add(), name, default)
        results = self._name_interface(function.graph)
        proto.input.extend(self.names[v] for v in function.graph.inputs)
        proto.output.extend(results)
        for value in function.graph.initializers.values():
            sparse = isinstance(value.const, SparseWeight)
            attribute = Attribute(AttributeKind.SPARSE_TENSOR if sparse else AttributeKind.TENSOR, value.const)
            node = proto.node.add(op_type="Constant", output=[self.names[value]])
            self.attribute(node.attribute.add(), "sparse_value" if sparse else "value", attribute)
        self._nodes(proto, function.graph, results)
        self._value_infos(proto, function.graph, ())

    def node(self, proto: onnx.NodeProto, node: Node) -> None:
        """Fills `proto`."""
        import onnx

        kept = node.metadata.get(KEPT + "node")
        if kept:
            proto.MergeFrom(onnx.NodeProto.FromString(bytes.fromhex(kept)))
        proto.op_type = node.op_type
        for field in ("domain", "name", "overload"):
            if text := getattr(node, field):
                setattr(proto, field, text)
        if node.doc:
            proto.doc_string = node.doc
        _write_metadata(proto.metadata_props, node.metadata)
        proto.input.extend("" if v is None else self.names.get(v, v.name) for v in node.inputs)
        proto.output.extend("" if v is None else self.names.get(v, v.name) for v in node.outputs)
        for name, attribute in node.attributes.items():
            self.attribute(proto.attribute.add(), name, attribute)

    def attribute(self, proto: onnx.AttributeProto, name: str, attribute: Attribute) -> None:
        """Fills `proto`."""
        proto.name = name
        kind, value = attribute.kind, attribute.value
        proto.type = int(kind)  # type: ignore[assignment]
        if attribute.ref:
            proto.ref_attr_name = attribute.ref
        elif kind is AttributeKind.FLOAT:
            proto.f = value
        elif kind is AttributeKind.INT:
            proto.i = value
        elif kind is AttributeKind.STRING:
            proto.s = value
        elif kind is AttributeKind.TENSOR:
            proto.t.CopyFrom(weight_to_proto(value, store=self.store))
        elif kind is AttributeKind.GRAPH:
            self.graph(proto.g, value, nested=True)
        elif kind is AttributeKind.SPARSE_TENSOR:
            proto.sparse_tensor.CopyFrom(sparse_to_proto(value, store=self.store))
        elif kind is AttributeKind.TYPE_PROTO:
            proto.tp.CopyFrom(type_to_proto(value))
        elif kind is AttributeKind.TENSORS:
            proto.tensors.extend(weight_to_proto(v, store=self.store) for v in value)
        elif kind is AttributeKind.GRAPHS:
            for graph in value:
                self.graph(proto.graphs.add(), graph, nested=True)
        elif kind is AttributeKind.SPARSE_TENSORS:
            proto.sparse_tensors.extend(sparse_to_proto(v, store=self.store) for v in value)
        elif kind is AttributeKind.TYPE_PROTOS:
            proto.type_protos.extend(type_to_proto(v) for v in value)
        else:
            getattr(proto, kind.name.lower()).extend(value)

    def _nodes(self, proto: onnx.GraphProto | onnx.FunctionProto, graph: Graph, results: Sequence[str]) -> None:
        for node in graph.nodes:
            self.node(proto.node.add(), node)
        for value, name in zip(graph.outputs, results, strict=True):
            if self.names.get(value, value.name) != name:
                proto.node.add(op_type="Identity", input=[self.names.get(value, value.name)], output=[name])

    def _name_interface(self, graph: Graph) -> list[str]:
        """Names the values of a graph whose inputs and outputs have fixed names; returns the latter."""
        owners: dict[str, Value] = {}
        for value in graph.inputs:
            if owners.setdefault(value.name, value) is not value:
                raise InvalidGraph(f"two inputs of graph '{graph.name}' are called '{value.name}'. Rename one.")
        outputs: dict[str, Value] = {}
        for name, value in zip(graph.output_names, graph.outputs, strict=True):
            if outputs.setdefault(name, value) is not value or owners.get(name, value) is not value:
                raise InvalidGraph(
                    f"two values of the interface of graph '{graph.name}' are called '{name}'. Rename one."
                )
        self.taken.update(owners, outputs)
        own = _own_values(graph)
        same = [(n, v) for n, v in outputs.items() if v.name == n]
        renamed = [(n, v) for n, v in outputs.items() if v.name != n]
        for value in graph.inputs:
            self.names[value] = value.name
        for name, value in (*same, *renamed):
            if value in own:
                self.names.setdefault(value, name)
        self._name_rest(own)
        return list(graph.output_names)

    def _name_nested(self, graph: Graph) -> list[str]:
        """Names the values of a subgraph, avoiding the names of outer graphs; returns the names of its outputs."""
        own = dict.fromkeys(graph.inputs) | _own_values(graph)
        self._name_rest(own)
        return [
            self.names[v] if v in own else self._free(n) for n, v in zip(graph.output_names, graph.outputs, strict=True)
        ]

    def _name_rest(self, values: Iterable[Value]) -> None:
        for value in values:
            if value not in self.names:
                self.names[value] = self._free(value.name)

    def _free(self, name: str) -> str:
        base = name = name or "value"
        number = 0
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return name

    def _value_info(self, proto: onnx.ValueInfoProto, value: Value, name: str | None = None) -> None:
        import onnx

        proto.name = self.names[value] if name is None else name
        if value.type is not None or KEPT + "type" in value.metadata:
            proto.type.CopyFrom(type_to_proto(value.type))
            kept = value.metadata.get(KEPT + "type")
            if kept is not None:
                original = onnx.TypeProto.FromString(bytes.fromhex(kept))
                if type_from_proto(original) == value.type:
                    proto.type.CopyFrom(original)
        if value.doc:
            proto.doc_string = value.doc
        _write_metadata(proto.metadata_props, value.metadata)

    def _value_infos(self, proto: onnx.GraphProto | onnx.FunctionProto, graph: Graph, results: Sequence[str]) -> None:
        returned = set(results)
        for node in graph.nodes:
            for value in node.outputs:
                if value is None or self.names[value] in returned:
                    continue
                if value.type is not None or value.doc or value.metadata:
                    self._value_info(proto.value_info.add(), value)

    def _initializer(self, proto: onnx.GraphProto, value: Value, *, top: bool) -> None:
        import onnx

        name = self.names[value]
        if isinstance(value.const, SparseWeight):
            sparse = proto.sparse_initializer.add()
            sparse.CopyFrom(sparse_to_proto(value.const, name, store=self.store))
            tensor = sparse.values
        elif value.const is not None:
            tensor = proto.initializer.add()
            tensor.CopyFrom(
                weight_to_proto(value.const, name, store=self.store, place="initializer" if top else "nested")
            )
        else:
            raise InvalidGraph(f"initializer '{value.name}' of graph '{proto.name}' has no data. Give it a constant.")
        kept = value.metadata.get(KEPT + "tensor")
        if kept is not None:
            tensor.MergeFrom(onnx.TensorProto.FromString(bytes.fromhex(kept)))


def _own_values(graph: Graph) -> dict[Value, None]:
    """Initializers and node outputs, in order."""
    own = dict.fromkeys(v for v in graph.initializers.values() if not graph.is_input(v))
    for node in graph.nodes:
        own.update(dict.fromkeys(v for v in node.outputs if v is not None))
    return own


def _write_imports(target: Any, imports: dict[str, int]) -> None:
    for domain, version in imports.items():
        target.add(domain=domain, version=version)


def _write_metadata(target: Any, metadata: dict[str, str]) -> None:
    for key, value in metadata.items():
        if not key.startswith(KEPT):
            target.add(key=key, value=value)
