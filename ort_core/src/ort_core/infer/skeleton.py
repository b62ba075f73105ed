"""The reduced ONNX model that type inference runs on, and the types read back from it.

Every value of the model, in whatever scope, gets a name of its own, so that names lead back to values. Constants that
inference has no use for (over `STRIP_BYTES`) become inputs of the main graph, small ones initializers, and Constant
nodes vanish. Shapes that nothing checks when the model runs, those declared for node outputs and for inputs of subgraphs, are
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ort_core.infer.constants import constant_type, constant_weight
from ort_core.infer.refine import without_shapes
from ort_core.ir.attributes import Attribute, AttributeKind, SparseWeight
from ort_core.ir.graph import Function, Graph, Model, Node, Value
from ort_core.ir.proto_tensors import STRIP_BYTES
from ort_core.ir.proto_types import type_from_proto, type_to_proto
from ort_core.ir.tensors import WeightRef
from ort_core.ir.types import ElementType, TensorType, ValueType

if TYPE_CHECKING:
    import onnx

CUSTOM_DOMAIN = "ort_core.infer"
CUSTOM_OP = "Custom"
CUSTOM_INDEX = "index"
_UNBOUND_DEFAULTS = {"MeanVarianceNormalization": ("axes", (0, 2, 3))}
"""Attributes without which ONNX's inference fails, because the operator's function body refers to them."""


class Skeleton:
    """The reduced model of `model`.

    Attributes:
        proto: the model to infer on.
        nodes: every node in it, when `named`.
        custom: the nodes whose operator ONNX does not know.
        values: the value that a name stands for.

    Args:
        is_custom: whether ONNX's inference does not know a node's operator.
        named: give every node its index in `nodes` as its name, which error messages then show.
    """

    def __init__(self, model: Model, is_custom: Callable[[Node], bool], *, named: bool = False) -> None:
        import onnx

        self.proto = onnx.ModelProto(ir_version=onnx.IR_VERSION)
        self.nodes: list[Node] = []
        self.custom: list[Node] = []
        self.values: dict[str, Value] = {}
        self._names: dict[Value, str] = {}
        self._protos: dict[Graph, onnx.GraphProto] = {}
        self._constants: dict[Value, ValueType] = {}
        self._is_custom = is_custom
        self._named = named
        self._outer: onnx.GraphProto | None = self.proto.graph
        self._imports(self.proto.opset_import, model.opset_imports)
        self.proto.graph.name = "g"
        for value in model.graph.inputs:
            self.proto.graph.input.add(name=self._name(value), type=type_to_proto(checked_at_run(value.type)))
        self._contents(self.proto.graph, model.graph)
        self._outer = None
        for function in model.functions.values():
            self._function(function, model.opset_imports)

    def _imports(self, target: Any, imports: Mapping[str, int]) -> None:
        for domain, version in imports.items():
            target.add(domain=domain, version=version)
        target.add(domain=CUSTOM_DOMAIN, version=1)

    def _name(self, value: Value) -> str:
        name = self._names.get(value)
        if name is None:
            name = self._names[value] = str(len(self._names))
            self.values[name] = value
        return name

    def _contents(self, proto: onnx.GraphProto, graph: Graph) -> None:
        self._protos[graph] = proto
        for value in graph.initializers.values():
            if value.is_constant:
                self._constant(proto, value, value.const)
        for node in graph.nodes:
            if (output := node.outputs[0] if _is_constant(node) else None) is not None:
                self._constant(proto, output, constant_weight(node))
            else:
                self._add_node(proto.node, node)

    def _add_node(self, protos: Any, node: Node) -> None:
        true = self._true(protos.add()) if _loops_unconditionally(node) else ""
        proto = protos.add()
        self._node(proto, node)
        if true:
            proto.input[:] = [*([*proto.input, ""])[:1], true, *proto.input[2:]]

    def _true(self, proto: onnx.NodeProto) -> str:
        """A condition for a Loop without one: onnx would give the body's condition no type."""
        name = f"true_{len(self._names)}"
        self._names[Value(name)] = name
        proto.op_type = "Constant"
        proto.output.append(name)
        attribute = proto.attribute.add(name="value", type=int(AttributeKind.TENSOR))
        attribute.t.data_type, attribute.t.raw_data = int(ElementType.BOOL), b"\x01"
        return name

    def _constant(self, proto: onnx.GraphProto, value: Value, weight: WeightRef | SparseWeight | None) -> None:
        if weight is None:
            return
        name = self._name(value)
        self._constants[value] = constant_type(weight)
        if not isinstance(weight, SparseWeight) and (_is_small(weight) or self._outer is None):
            proto.initializer.append(_tensor(weight, name))
        elif self._outer is not None:
            self._outer.input.add(name=name, type=type_to_proto(self._constants[value]))

    def _node(self, proto: onnx.NodeProto, node: Node) -> None:
        name_of = self._name
        proto.input.extend(["" if v is None else name_of(v) for v in node.inputs])
        proto.output.extend(["" if v is None else name_of(v) for v in node.outputs])
        if self._named:
            proto.name = str(len(self.nodes))
            self.nodes.append(node)
        if self._is_custom(node):
            proto.op_type = CUSTOM_OP
            proto.domain = CUSTOM_DOMAIN
            proto.attribute.add(name=CUSTOM_INDEX, type=int(AttributeKind.INT), i=len(self.custom))
            self.custom.append(node)
            return
        proto.op_type = node.op_type
        if node.domain:
            proto.domain = node.domain
        if node.overload:
            proto.overload = node.overload
        if node.op_type in _UNBOUND_DEFAULTS and not node.domain:
            name, axes = _UNBOUND_DEFAULTS[node.op_type]
            if name not in node.attributes:
                proto.attribute.add(name=name, type=int(AttributeKind.INTS), ints=axes)
        for name, attribute in node.attributes.items():
            self._attribute(proto.attribute.add(name=name, type=int(attribute.kind)), attribute)

    def _attribute(self, proto: onnx.AttributeProto, attribute: Attribute) -> None:
        kind, value = attribute.kind, attribute.value
        if attribute.ref:
            proto.ref_attr_name = attribute.ref
        elif kind is AttributeKind.INT:
            proto.i = value
        elif kind is AttributeKind.INTS:
            proto.ints.extend(value)
        elif kind is AttributeKind.FLOAT:
            proto.f = value
        elif kind is AttributeKind.STRING:
            proto.s = value
        elif kind is AttributeKind.FLOATS:
            proto.floats.extend(value)
        elif kind is AttributeKind.STRINGS:
            proto.strings.extend(value)
        elif kind is AttributeKind.GRAPH:
            self._subgraph(proto.g, value)
        elif kind is AttributeKind.GRAPHS:
            for graph in value:
                self._subgraph(proto.graphs.add(), graph)
        elif kind is AttributeKind.TENSOR:
            proto.t.CopyFrom(_tensor(value))
        elif kind is AttributeKind.TENSORS:
            proto.tensors.extend(_tensor(v) for v in value)
        elif kind is AttributeKind.TYPE_PROTO:
            proto.tp.CopyFrom(type_to_proto(value))
        elif kind is AttributeKind.TYPE_PROTOS:
            proto.type_protos.extend(type_to_proto(v) for v in value)

    def _subgraph(self, proto: onnx.GraphProto, graph: Graph) -> None:
        proto.name = "g"
        for value in graph.inputs:
            proto.input.add(name=self._name(value))
        self._contents(proto, graph)
        returned: set[Value] = set()
        for value in graph.outputs:
            name = self._name(value)
            if value.graph is not graph or value in returned or not _is_computed(value):
                copy = f"{name}_{len(returned)}_{len(proto.output)}"
                proto.node.add(op_type="Identity", input=[name], output=[copy])
                name = copy
            returned.add(value)
            proto.output.add(name=name)

    def _function(self, function: Function, imports: Mapping[str, int]) -> None:
        proto = self.proto.functions.add(name=function.name, domain=function.domain)
        if function.overload:
            proto.overload = function.overload
        self._imports(proto.opset_import, function.opset_imports or imports)
        for name, default in function.attributes.items():
            if default is None:
                proto.attribute.append(name)
            else:
                self._attribute(proto.attribute_proto.add(name=name, type=int(default.kind)), default)
        graph = function.graph
        proto.input.extend(self._name(v) for v in graph.inputs)
        for value in graph.initializers.values():
            if value.const is not None and not isinstance(value.const, SparseWeight):
                node = proto.node.add(op_type="Constant", output=[self._name(value)])
                tensor = _tensor(value.const)
                node.attribute.add(name="value", type=int(AttributeKind.TENSOR), t=tensor)
        for inner in graph.nodes:
            self._add_node(proto.node, inner)
        returned: set[Value] = set()
        for value in graph.outputs:
            name = self._name(value)
            if value in returned or not _is_computed(value):
                copy = f"{name}_{len(proto.output)}"
                proto.node.add(op_type="Identity", input=[name], output=[copy])
                name = copy
            returned.add(value)
            proto.output.append(name)

    def hint(self, types: Mapping[Value, ValueType]) -> None:
        """Tells the next run what is known of values that nodes compute."""
        for value, type_ in types.items():
            proto = None if value.graph is None else self._protos.get(value.graph)
            if proto is not None:
                proto.value_info.add(name=self._name(value), type=type_to_proto(type_))

    def read(self, inferred: onnx.ModelProto) -> dict[Value, ValueType]:
        """The types that inference found, by value."""
        found = dict(self._constants)
        known: dict[bytes, ValueType | None] = {}
        pending = [(inferred.graph, True)]
        while pending:
            graph, is_main = pending.pop()
            infos = [graph.value_info] if is_main else [graph.value_info, graph.input, graph.output]
            for info in (info for group in infos for info in group):
                value = self.values.get(info.name)
                if value is None:
                    continue
                data = info.type.SerializeToString()
                if data not in known:
                    known[data] = type_from_proto(info.type, f"value '{value.name}'")
                type_ = known[data]
                if type_ is not None:
                    found[value] = type_
            for node in graph.node:
                for attribute in node.attribute:
                    if attribute.HasField("g"):
                        pending.append((attribute.g, False))
                    pending.extend((g, False) for g in attribute.graphs)
        return found


def _is_computed(value: Value) -> bool:
    producer = value.producer
    return producer is not None and not _is_constant(producer)


def _is_constant(node: Node) -> bool:
    return node.op_type == "Constant" and not node.domain and node.outputs[0] is not None


def _is_small(weight: WeightRef) -> bool:
    return weight.nbytes <= STRIP_BYTES and weight.element is not ElementType.STRING


def _tensor(weight: WeightRef, name: str = "") -> onnx.TensorProto:
    """A TensorProto whose data is left out unless it is small."""
    import onnx

    kind, dims = int(weight.element), weight.shape
    if _is_small(weight):
        return onnx.TensorProto(data_type=kind, dims=dims, name=name, raw_data=bytes(weight.view()))
    proto = onnx.TensorProto(data_type=kind, dims=dims, name=name, data_location=onnx.TensorProto.EXTERNAL)
    proto.external_data.add(key="location", value="stripped")
    return proto


def checked_at_run(type_: ValueType | None) -> ValueType | None:
    """What is checked of the declared type of a graph input when it is fed: of a container, not the shapes in it."""
    return type_ if isinstance(type_, TensorType) else without_shapes(type_)


def _loops_unconditionally(node: Node) -> bool:
    return node.op_type == "Loop" and not node.domain and (len(node.inputs) < 2 or node.inputs[1] is None)
