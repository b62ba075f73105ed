"""Finds and instantiates the operator classes of `onnx.reference`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ort_core.ir.graph import Attribute, AttributeKind, Node
from ort_core.ir.proto_tensors import sparse_to_proto, weight_to_proto
from ort_core.ir.proto_types import type_to_proto

if TYPE_CHECKING:
    import onnx
    from onnx.reference.op_run import OpRun

_MODULES = {
    "": "onnx.reference.ops",
    "ai.onnx.ml": "onnx.reference.ops.aionnxml",
    "ai.onnx.preview": "onnx.reference.ops.aionnx_preview",
    "ai.onnx.preview.training": "onnx.reference.ops.aionnx_preview_training",
}

DOMAINS = frozenset(_MODULES)
"""The domains that `onnx.reference` knows."""


@functools.cache
def find_class(op_type: str, domain: str, opset: int) -> type[OpRun] | None:
    """The class that computes an operator, or None if `onnx.reference` has none or expands a function body."""
    import importlib

    from onnx.reference.op_run import OpRun

    load_op = importlib.import_module(_MODULES[domain]).load_op
    try:
        found = load_op(domain, op_type, opset)
    except (NotImplementedError, RuntimeError, AssertionError, TypeError, ValueError):
        return None
    return found if isinstance(found, type) and issubclass(found, OpRun) else None


def make_run(node: Node, op_class: type[OpRun], opsets: Mapping[str, int]) -> Callable[..., Any]:
    """The class's computation with the attributes of `node` bound, to be called with the inputs."""
    from onnx.reference.ops._op import OpRunBinary, OpRunUnary

    instance = op_class(
        node_to_proto(node),
        {"log": _no_log, "opsets": dict(opsets), "verbose": 0, "new_ops": None},
    )
    if isinstance(instance, OpRunUnary | OpRunBinary):
        return instance._run
    attributes = {name: getattr(instance, name) for name in instance.attributes_names_}
    return functools.partial(instance._run, **attributes) if attributes else instance._run


def _no_log(pattern: str, *args: object) -> None:
    pass


def node_to_proto(node: Node) -> onnx.NodeProto:
    """The NodeProto of a node without subgraphs; values have their graph names."""
    import onnx

    proto = onnx.NodeProto(
        op_type=node.op_type,
        domain=node.domain,
        name=node.name,
        input=["" if v is None else v.name for v in node.inputs],
        output=["" if v is None else v.name for v in node.outputs],
    )
    for name, attribute in node.attributes.items():
        _fill(proto.attribute.add(name=name, type=int(attribute.kind)), attribute)
    return proto


def _fill(proto: onnx.AttributeProto, attribute: Attribute) -> None:
    value = attribute.value
    if attribute.kind is AttributeKind.FLOAT:
        proto.f = value
    elif attribute.kind is AttributeKind.INT:
        proto.i = value
    elif attribute.kind is AttributeKind.STRING:
        proto.s = value
    elif attribute.kind is AttributeKind.FLOATS:
        proto.floats.extend(value)
    elif attribute.kind is AttributeKind.INTS:
        proto.ints.extend(value)
    elif attribute.kind is AttributeKind.STRINGS:
        proto.strings.extend(value)
    elif attribute.kind is AttributeKind.TENSOR:
        proto.t.CopyFrom(weight_to_proto(value))
    elif attribute.kind is AttributeKind.TENSORS:
        proto.tensors.extend(weight_to_proto(v) for v in value)
    elif attribute.kind is AttributeKind.SPARSE_TENSOR:
        proto.sparse_tensor.CopyFrom(sparse_to_proto(value))
    elif attribute.kind is AttributeKind.TYPE_PROTO:
        proto.tp.CopyFrom(type_to_proto(value))
    else:
        raise ValueError(f"attribute kind {attribute.kind.name} has no place in an operator without subgraphs")
