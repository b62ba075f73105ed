"""Our graphs from ONNX protobuf messages: names become values, structure is checked."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ort_core.errors import InvalidGraph
from ort_core.ir.attributes import Attribute, AttributeKind
from ort_core.ir.graph import Function, Graph, Model, Node, Origin, Value
from ort_core.ir.messages import Message, ModelMessage
from ort_core.ir.proto_scope import (
    AttributeTitle,
    FallbackImports,
    NodeTitle,
    Scope,
    node_title,
    normal_domain,
    read_imports,
    refuse_ambiguous_names,
)
from ort_core.ir.proto_tensors import ExternalResolver, sparse_from_proto, weight_from_proto
from ort_core.ir.proto_types import checked_name, lenient_text, read_entries, type_from_proto, type_to_proto
from ort_core.ir.rewrite import merge_type
from ort_core.ir.shapes import compatible
from ort_core.ir.tensors import WeightRef
from ort_core.ir.types import TensorType, ValueType, describe
from ort_core.limits import Limits
from ort_core.progress import Progress

if TYPE_CHECKING:
    import onnx

KEPT = "ort_core.proto."
"""Prefix of metadata keys that carry protobuf details for which the IR has no field."""

_VALUE_FIELDS = {
    1: "f",
    2: "i",
    3: "s",
    4: "t",
    5: "g",
    6: "floats",
    7: "ints",
    8: "strings",
    9: "tensors",
    10: "graphs",
    11: "sparse_tensor",
    12: "sparse_tensors",
    13: "tp",
    14: "type_protos",
}
_FIELD_NAMES = frozenset(_VALUE_FIELDS.values())
_KINDS = {int(kind): kind for kind in AttributeKind}
_SINGULAR = frozenset(kind for kind in AttributeKind if not kind.name.endswith("S"))


class Reader:
    """Converts one model; holds what every graph of it shares.

    Args:
        weights: what tensors marked with `WEIGHT_KEY` refer to.
        ir_version: of the model; below 4 every initializer is a constant.
        fallback_imports: versions of domains that nothing imports, by domain.
        external: finds the data of other EXTERNAL tensors.
        limits: on operators, nodes, bodies and nesting.
        progress: told of the nodes that are done.

    Attributes:
        functions: the keys of the model's own functions.
    """

    def __init__(
        self,
        weights: Sequence[WeightRef],
        ir_version: int,
        fallback_imports: dict[str, int],
        external: ExternalResolver | None,
        limits: Limits,
        progress: Progress,
    ) -> None:
        self.weights = weights
        self.external = external
        self.ir_version = ir_version
        self.fallback_imports = fallback_imports
        self.limits = limits
        self.progress = progress
        self.nodes = 0
        self.subgraphs = 0
        self.functions: frozenset[tuple[str, str, str]] = frozenset()

    def graph(
        self, proto: onnx.GraphProto, imports: dict[str, int], outer: Scope | None = None, title: str = ""
    ) -> Graph:
        """A graph with everything below it.

        Raises:
            InvalidGraph: a name is dangling or defined twice, the nodes form a cycle, or data is malformed.
        """
        graph = Graph(checked_name(proto.name, title or "the graph"))
        graph.doc = lenient_text(proto.doc_string)
        graph.metadata = read_entries(proto.metadata_props)
        graph.annotations = tuple(proto.quantization_annotation)
        scope = Scope(graph, imports, outer, title or f"graph '{proto.name}'")
        self.limits.check("nesting", scope.depth, scope.title)
        self._interface(proto, scope)
        self._nodes(proto.node, scope)
        infos = {info.name: info for info in proto.value_info}
        for info in proto.output:
            value = scope.find(info.name)
            if value is None:
                raise InvalidGraph(
                    f"output '{info.name}' of {scope.title} is never produced: no node, input or initializer has that "
                    "name. Remove the output or name the value that it stands for."
                )
            if value.graph is graph and not graph.is_input(value):
                _describe(value, info, keep_type=value.const is not None)
            graph.add_output(value)
        _value_infos(infos, scope)
        graph.sort()
        return graph

    def _interface(self, proto: onnx.GraphProto, scope: Scope) -> None:
        graph = scope.graph
        dense = [(t.name, t) for t in proto.initializer]
        sparse = [(t.values.name, t) for t in proto.sparse_initializer]
        constant = {name for name, _ in dense} | {name for name, _ in sparse} if self.ir_version < 4 else set()
        dropped = {}
        for info in proto.input:
            if info.name in constant:
                dropped[info.name] = info
                continue
            value = scope.define(info.name, "an input")
            _describe(value, info)
            if scope.outer is None and not info.HasField("type"):
                raise InvalidGraph(
                    f"input '{info.name}' of {scope.title} has no type. Give it one, for example with "
                    "onnx.helper.make_tensor_value_info."
                )
            graph.add_input(value)
        for name, tensor in (*dense, *sparse):
            where = f"initializer '{name}' of {scope.title}"
            if not name:
                raise InvalidGraph(f"{scope.title} has an initializer without a name. Name it or remove it.")
            const: Any
            if hasattr(tensor, "values"):
                const = sparse_from_proto(tensor, self.weights, where, self.external)
                type_ = TensorType(const.values.element, const.shape)
                source = tensor.values
            else:
                const = weight_from_proto(tensor, self.weights, where, self.external)
                type_ = TensorType(const.element, tuple(const.shape))
                source = tensor
            found = scope.values.get(name)
            value = found if found is not None and found.const is None else scope.define(name, "an initializer")
            if name in dropped:
                _describe(value, dropped[name])
            _check_declared(value.type, type_, where)
            if not graph.is_input(value):
                value.type = type_
            value.const = const
            _keep_tensor_details(value, source)
            graph.add_initializer(value)

    def _nodes(self, protos: Sequence[onnx.NodeProto], scope: Scope) -> None:
        self.nodes += len(protos)
        self.limits.check("nodes", self.nodes, scope.title)
        if self.limits.operators is not None:
            self._check_operators(protos, scope)
        outputs = [[scope.define(n, NodeTitle(p)) if n else None for n in p.output] for p in protos]
        if scope.outer is not None:
            refuse_ambiguous_names(protos, scope)
        for proto, values in zip(protos, outputs, strict=True):
            self.progress.advance()
            scope.graph.add(self.node(proto, scope, values))

    def _check_operators(self, protos: Sequence[onnx.NodeProto], scope: Scope) -> None:
        """Before anything is made of the nodes."""
        for proto in protos:
            domain = normal_domain(proto.domain)
            if (domain, proto.op_type, proto.overload) not in self.functions:
                where = functools.partial("{} of {}".format, NodeTitle(proto), scope.title)
                self.limits.check_operator(domain, proto.op_type, where)

    def node(self, proto: onnx.NodeProto, scope: Scope, outputs: Sequence[Value | None]) -> Node:
        """One node; `outputs` are its values."""
        inputs = []
        for index, name in enumerate(proto.input):
            value = scope.find(name) if name else None
            if name and value is None:
                raise InvalidGraph(
                    f"input {index} of {node_title(proto)} of {scope.title} is '{name}', which no graph input, initializer "
                    "or node defines. Define it or leave the input out."
                )
            inputs.append(value)
        op_type, name, domain = proto.op_type, proto.name, normal_domain(proto.domain)
        title = NodeTitle(proto)
        for text in (op_type, name, domain, proto.overload):
            checked_name(text, title)
        if not op_type:
            raise InvalidGraph(f"{node_title(proto)} of {scope.title} has no op_type. Name its operator.")
        node = Node(
            op_type,
            inputs,
            outputs,
            domain=domain,
            name=name,
            overload=proto.overload,
            origin=Origin(op_type, domain, self._version(domain, scope)),
        )
        node.doc = lenient_text(proto.doc_string)
        node.metadata = read_entries(proto.metadata_props)
        if proto.device_configurations:
            kept = type(proto)(device_configurations=proto.device_configurations)
            node.metadata[KEPT + "node"] = kept.SerializeToString().hex()
        for attribute in proto.attribute:
            key = checked_name(attribute.name, node)
            if key in node.attributes:
                raise InvalidGraph(f"attribute '{key}' of {node} is set twice. Set it once.")
            node.attributes[key] = self.attribute(attribute, node, scope)
        return node

    def _version(self, domain: str, scope: Scope) -> int:
        version = scope.imports.get(domain)
        if version is None:
            version = scope.imports[domain] = self.fallback_imports[domain]
        return version

    def attribute(self, proto: onnx.AttributeProto, owner: Node | str, scope: Scope) -> Attribute:
        """One attribute of `owner`.

        Raises:
            InvalidGraph: the type is missing or does not fit the field that is set.
        """
        where = AttributeTitle(proto, owner)
        kind = _KINDS.get(proto.type)
        if kind is None:
            raise InvalidGraph(
                f"{where} has type {proto.type}, expected one of 1 to 14 (AttributeProto.AttributeType). Set the type."
            )
        if proto.ref_attr_name:
            return Attribute(kind, None, checked_name(proto.ref_attr_name, where))
        field = _VALUE_FIELDS[kind]
        raw = getattr(proto, field)
        if not (proto.HasField(field) if kind in _SINGULAR else len(raw)):
            for other, _ in proto.ListFields():
                if other.name in _FIELD_NAMES:
                    raise InvalidGraph(
                        f"{where} is declared as {kind.name} but sets '{other.name}' in place of '{field}'. "
                        "The model file is damaged; export it again."
                    )
        return Attribute(kind, self._attribute_value(kind, raw, where, owner, scope))

    def _attribute_value(self, kind: AttributeKind, raw: Any, where: object, owner: Node | str, scope: Scope) -> Any:
        if kind in (AttributeKind.FLOAT, AttributeKind.INT, AttributeKind.STRING):
            return raw
        if kind is AttributeKind.TENSOR:
            return weight_from_proto(raw, self.weights, where, self.external)
        if kind is AttributeKind.GRAPH:
            return self._subgraph(raw, where, owner, scope)
        if kind is AttributeKind.SPARSE_TENSOR:
            return sparse_from_proto(raw, self.weights, where, self.external)
        if kind is AttributeKind.TYPE_PROTO:
            return type_from_proto(raw, where)
        if kind is AttributeKind.TENSORS:
            return tuple(weight_from_proto(t, self.weights, where, self.external) for t in raw)
        if kind is AttributeKind.GRAPHS:
            return tuple(self._subgraph(g, f"{where}[{i}]", owner, scope) for i, g in enumerate(raw))
        if kind is AttributeKind.SPARSE_TENSORS:
            return tuple(sparse_from_proto(t, self.weights, where, self.external) for t in raw)
        if kind is AttributeKind.TYPE_PROTOS:
            return tuple(type_from_proto(t, where) for t in raw)
        return tuple(raw)

    def _subgraph(self, proto: onnx.GraphProto, where: object, owner: Node | str, scope: Scope) -> Graph:
        self.subgraphs += 1
        self.limits.check("subgraphs", self.subgraphs, "the model")
        graph = self.graph(proto, scope.imports, scope, f"{where} (graph '{proto.name}')")
        graph.parent = owner if isinstance(owner, Node) else None
        graph.declared_outputs = tuple(type_from_proto(info.type, where) for info in proto.output)
        return graph

    def function(self, proto: onnx.FunctionProto, imports: dict[str, int]) -> Function:
        """A model-local function.

        Raises:
            InvalidGraph: as for `graph`.
        """
        title = f"function '{proto.domain or 'ai.onnx'}::{proto.name}'"
        for text in (proto.domain, proto.name, proto.overload, *proto.attribute):
            checked_name(text, title)
        graph = Graph(proto.name)
        graph.metadata = read_entries(proto.metadata_props)
        scope = Scope(graph, imports, title=title)
        for name in proto.input:
            graph.add_input(scope.define(name, "an input"))
        self._nodes(proto.node, scope)
        for name in proto.output:
            value = scope.values.get(name)
            if value is None:
                raise InvalidGraph(f"output '{name}' of {title} is never produced. Remove it or name the right value.")
            graph.add_output(value, name)
        _value_infos({info.name: info for info in proto.value_info}, scope)
        graph.sort()
        attributes: dict[str, Attribute | None] = dict.fromkeys(proto.attribute)
        for default in proto.attribute_proto:
            attributes[checked_name(default.name, title)] = self.attribute(default, title, scope)
        return Function(
            normal_domain(proto.domain),
            proto.name,
            proto.overload,
            graph,
            attributes,
            lenient_text(proto.doc_string),
            imports,
        )


def read_model(
    proto: onnx.ModelProto | ModelMessage,
    weights: Sequence[WeightRef],
    external: ExternalResolver | None,
    limits: Limits,
    progress: Progress,
) -> Model:
    """See `ort_core.ir.proto.from_proto`."""
    imports = read_imports(proto.opset_import, "the model")
    original = dict(imports)
    fallback = FallbackImports()
    reader = Reader(weights, proto.ir_version, fallback, external, limits, progress)
    for domain in {normal_domain(checked_name(f.domain, "a function's domain")) for f in proto.functions}:
        fallback.setdefault(domain, 1)
    reader.functions = frozenset((normal_domain(f.domain), f.name, f.overload) for f in proto.functions)
    functions: dict[tuple[str, str, str], Function] = {}
    for item in proto.functions:
        where = f"function '{item.domain or 'ai.onnx'}::{item.name}'"
        function = reader.function(item, read_imports(item.opset_import, where) or dict(imports))
        if function.key in functions:
            raise InvalidGraph(f"{where} is defined twice. Remove one, or give them different overloads.")
        functions[function.key] = function
    graph = reader.graph(proto.graph, imports)
    header = proto.header() if isinstance(proto, ModelMessage) else _header(proto)
    return Model(graph, imports, functions, original, header)


def _header(proto: onnx.ModelProto) -> onnx.ModelProto:
    header = type(proto)()
    for field, _ in proto.ListFields():
        if field.name not in ("graph", "functions"):
            _copy_field(header, proto, field.name)
    return header


def _copy_field(target: Any, source: Any, name: str) -> None:
    value = getattr(source, name)
    if hasattr(value, "extend"):
        getattr(target, name).extend(value)
    elif hasattr(value, "CopyFrom"):
        getattr(target, name).CopyFrom(value)
    else:
        setattr(target, name, lenient_text(value) if isinstance(value, bytes) else value)


def _describe(value: Value, info: onnx.ValueInfoProto, *, keep_type: bool = False) -> None:
    """Takes over documentation and, unless `keep_type`, the type of a ValueInfoProto."""
    if info.HasField("type") and not keep_type:
        value.type, known = type_from_proto(info.type, f"value '{info.name}'"), value.type
        if not isinstance(info, Message) and info.type != type_to_proto(value.type):
            value.metadata[KEPT + "type"] = info.type.SerializeToString().hex()
        if known is not None:
            merge_type(value, Value("", known))
    if info.doc_string:
        value.doc = lenient_text(info.doc_string)
    value.metadata.update(read_entries(info.metadata_props))


def _value_infos(infos: dict[str, onnx.ValueInfoProto], scope: Scope) -> None:
    for name, info in infos.items():
        value = scope.values.get(name)
        if value is None or value.producer is None:
            continue
        if value.type is None:
            _describe(value, info)
        else:
            merge_type(value, Value("", type_from_proto(info.type, f"value '{name}'")))


def _check_declared(declared: ValueType | None, actual: TensorType, where: str) -> None:
    if declared is None:
        return
    if (
        not isinstance(declared, TensorType)
        or declared.element is not actual.element
        or not compatible(declared.shape, actual.shape)
    ):
        raise InvalidGraph(
            f"{where} is {describe(actual)}, but the input of that name is declared as {describe(declared)}. "
            "Make them agree."
        )


def _keep_tensor_details(value: Value, tensor: onnx.TensorProto) -> None:
    if tensor.doc_string or tensor.metadata_props:
        kept = type(tensor)(doc_string=lenient_text(tensor.doc_string), metadata_props=tensor.metadata_props)
        value.metadata[KEPT + "tensor"] = kept.SerializeToString().hex()
