"""Brings a ModelProto to a form in which equal meaning is equal bytes."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

_DATA_FIELDS = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")


def canonical(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if copy.ir_version < 4:
        constants = {t.name for t in copy.graph.initializer}
        inputs = [i for i in copy.graph.input if i.name not in constants]
        del copy.graph.input[:]
        copy.graph.input.extend(inputs)
        copy.ir_version = 4
    for item in copy.opset_import:
        item.domain = _domain(item.domain)
    _graph(copy.graph)
    for function in copy.functions:
        for item in function.opset_import:
            item.domain = _domain(item.domain)
        for attribute in function.attribute_proto:
            _attribute(attribute)
        for node in function.node:
            _node(node)
    return copy


def _domain(domain: str) -> str:
    return "" if domain == "ai.onnx" else domain


def _graph(graph: onnx.GraphProto) -> None:
    graph.SetInParent()
    graph.name = graph.name
    returned = {v.name for v in graph.output}
    produced = {name for node in graph.node for name in node.output}
    infos = [v for v in graph.value_info if v.name in produced - returned and v.HasField("type")]
    infos.sort(key=lambda v: v.name)
    del graph.value_info[:]
    graph.value_info.extend(infos)
    for tensor in graph.initializer:
        _tensor(tensor)
    for sparse in graph.sparse_initializer:
        _tensor(sparse.values)
        _tensor(sparse.indices)
    for node in graph.node:
        _node(node)


def _node(node: onnx.NodeProto) -> None:
    node.domain = _domain(node.domain)
    if not node.domain:
        node.ClearField("domain")
    if not node.name:
        node.ClearField("name")
    if not node.doc_string:
        node.ClearField("doc_string")
    for attribute in node.attribute:
        _attribute(attribute)


def _attribute(attribute: onnx.AttributeProto) -> None:
    attribute.ClearField("doc_string")
    if attribute.type == onnx.AttributeProto.TENSOR and not attribute.ref_attr_name:
        attribute.t.name = ""
        _tensor(attribute.t)
    for tensor in attribute.tensors:
        tensor.name = ""
        _tensor(tensor)
    for sparse in (
        *attribute.sparse_tensors,
        *([attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []),
    ):
        sparse.values.name = sparse.indices.name = ""
        _tensor(sparse.values)
        _tensor(sparse.indices)
    if attribute.HasField("g"):
        _graph(attribute.g)
    for graph in attribute.graphs:
        _graph(graph)


def _tensor(tensor: onnx.TensorProto) -> None:
    if not tensor.name:
        tensor.ClearField("name")
    if not tensor.data_type:
        return
    array = numpy_helper.to_array(tensor)
    if tensor.data_type != onnx.TensorProto.STRING:
        for field in _DATA_FIELDS:
            tensor.ClearField(field)
        tensor.ClearField("data_location")
        tensor.raw_data = np.ascontiguousarray(array).tobytes()
