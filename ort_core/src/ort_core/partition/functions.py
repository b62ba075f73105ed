"""Bodies of functions: model-local ones, and those that ONNX defines for an operator."""

from __future__ import annotations

import functools
from typing import Any

from ort_core.ir.graph import ONNX_DOMAIN, Function, Model, Node, Value
from ort_core.ir.schema import operator_schema

_WRONG_BODIES = frozenset({(ONNX_DOMAIN, "Bernoulli")})
"""Operators that must not be expanded: ONNX's body of Bernoulli draws ones with probability 1 - x."""


def function_of(node: Node, model: Model) -> Function | None:
    """The function that `node` calls, or whose body defines its operator; None if there is none.

    An operator's body that depends on the input types is available only once all of them are known.
    """
    local = model.functions.get((node.domain, node.op_type, node.overload))
    if local is not None:
        return local
    opset = model.opset_imports.get(node.domain)
    schema: Any = None if opset is None else operator_schema(node.op_type, node.domain, opset)
    if schema is None or opset is None or (node.domain, node.op_type) in _WRONG_BODIES:
        return None
    if schema.has_function:
        return _fixed_body(node.op_type, node.domain, opset)
    if schema.has_context_dependent_function:
        return _typed_body(schema, node)
    return None


@functools.cache
def _fixed_body(op_type: str, domain: str, opset: int) -> Function:
    schema: Any = operator_schema(op_type, domain, opset)
    version = max(schema.function_opset_versions)
    return _normalized(schema.get_function_with_opset_version(version), schema)


def _typed_body(schema: Any, node: Node) -> Function | None:
    from ort_core.ir.proto import node_to_proto
    from ort_core.ir.proto_types import type_to_proto

    types = []
    for value in node.inputs:
        if value is not None and value.type is None:
            return None
        types.append(type_to_proto(None if value is None else value.type).SerializeToString())
    version = max(schema.context_dependent_function_opset_versions)
    body = schema.get_context_dependent_function_with_opset_version(
        version, node_to_proto(node).SerializeToString(), types
    )
    return _normalized(body, schema) if body else None


def _normalized(body: bytes, schema: Any) -> Function:
    """The body at the common opset; attributes get the defaults that the operator's schema gives them."""
    import onnx

    from ort_core.ir.proto import from_proto
    from ort_core.load.opset import normalize_opset

    function = onnx.FunctionProto.FromString(body)
    function.domain, function.name = schema.domain or "ai.onnx", schema.name
    outputs = list(function.output)
    computed = {*function.input, *(name for node in function.node for name in node.output)}
    function.output[:] = [name for name in outputs if name in computed]
    defaults = {name: attribute.default_value for name, attribute in schema.attributes.items()}
    given = [name for name in function.attribute if name in defaults and defaults[name].type]
    function.attribute_proto.extend(defaults[name] for name in given)
    for name in given:
        function.attribute.remove(name)
    proto = onnx.ModelProto(ir_version=onnx.IR_VERSION)
    proto.opset_import.extend(function.opset_import)
    proto.functions.append(function)
    model = normalize_opset(from_proto(proto))
    (result,) = model.functions.values()
    _restore_outputs(result, outputs)
    return result


def _restore_outputs(function: Function, names: list[str]) -> None:
    """Gives every output its place; those that the body does not compute for this call become values without producer."""
    graph = function.graph
    computed = dict(zip(graph.output_names, graph.outputs, strict=True))
    for name in names[len(computed) :]:
        graph.add_output(Value(name))
    for index, name in enumerate(names):
        graph.set_output(index, computed.get(name) or Value(name))
    graph.output_names[:] = names
