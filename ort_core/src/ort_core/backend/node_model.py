"""A model of one node, made from the values that the node is to run on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ort_core.convert import to_runtime_value
from ort_core.errors import InvalidArgument
from ort_core.ir.proto_types import type_to_proto
from ort_core.values import RuntimeValue, type_of

if TYPE_CHECKING:
    import onnx


def make_node_model(
    node: onnx.NodeProto, inputs: Sequence[Any], outputs_info: Sequence[tuple[Any, Any]] | None, opset: int | None
) -> tuple[onnx.ModelProto, list[RuntimeValue]]:
    """The model, and the values of its inputs.

    Args:
        inputs: one for each name in `node.input`, of which those without a name are ignored, or one for each that has one.
        outputs_info: dtype and shape of each output, where known.
        opset: of the node's domain; None for the newest one that ort-core knows.

    Raises:
        InvalidArgument: the number of values or of outputs is wrong, or a value is none of ONNX's.
    """
    from onnx import helper

    feed = _named_values(node, inputs)
    outputs = [name for name in node.output if name]
    if outputs_info is not None and len(outputs_info) != len(outputs):
        raise InvalidArgument(
            f"outputs_info describes {len(outputs_info)} outputs, {node.op_type} has {len(outputs)}: {', '.join(outputs)}"
        )
    graph = helper.make_graph([node], node.name or node.op_type, [], [])
    for name, value in feed.items():
        graph.input.add(name=name).type.CopyFrom(type_to_proto(type_of(value)))
    for index, name in enumerate(outputs):
        if outputs_info is None:
            graph.output.add(name=name)
        else:
            dtype, shape = outputs_info[index]
            graph.output.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), shape))
    imports = [helper.make_opsetid(domain, version) for domain, version in _imports(node, opset).items()]
    return helper.make_model(graph, opset_imports=imports), list(feed.values())


def _named_values(node: onnx.NodeProto, inputs: Sequence[Any]) -> dict[str, RuntimeValue]:
    names = [name for name in node.input if name]
    if len(inputs) == len(node.input):
        inputs = [value for name, value in zip(node.input, inputs, strict=True) if name]
    if len(inputs) != len(names):
        raise InvalidArgument(
            f"run_node got {len(inputs)} values, {node.op_type} has {len(names)} inputs: {', '.join(names) or 'none'}"
        )
    return {name: to_runtime_value(value, None, name) for name, value in zip(names, inputs, strict=True)}


def _imports(node: onnx.NodeProto, opset: int | None) -> dict[str, int]:
    from ort_core.ir.schema import operator_schema
    from ort_core.load.opset import CANONICAL_OPSETS

    domain = "" if node.domain == "ai.onnx" else node.domain
    newest = CANONICAL_OPSETS.get(domain, 1)
    schema = operator_schema(node.op_type, domain, newest)
    if schema is not None and schema.deprecated:
        newest = schema.since_version - 1
    return {"": CANONICAL_OPSETS[""], domain: newest if opset is None else opset}
