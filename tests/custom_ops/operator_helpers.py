"""Nodes and models for operators written in Python."""

from __future__ import annotations

import numpy as np
import onnx.parser

import ort_core as ort
from ort_core.custom_ops.spec import KernelRequest
from ort_core.ir.attributes import Attribute
from ort_core.ir.graph import Node, Value
from ort_core.ir.types import ElementType, TensorType

DOMAIN = "test.ops"
FLOAT, INT64, STRING = ElementType.FLOAT, ElementType.INT64, ElementType.STRING


def tensor(element=FLOAT, *shape):
    """A tensor type; without sizes one of unknown rank."""
    return TensorType(element, shape or None)


def node_of(op, inputs=(), n_outputs=1, **attributes):
    """A node that calls an operator; inputs are types, Values, or None."""
    values = [v if isinstance(v, Value) or v is None else Value(f"x{i}", v) for i, v in enumerate(inputs)]
    encoded = {
        k: v if isinstance(v, Attribute) else operator_of(op).signature.attributes[k].encode(v)
        for k, v in attributes.items()
    }
    outputs = [Value(f"y{i}") for i in range(n_outputs)]
    return Node(operator_of(op).name, values, outputs, encoded, domain=DOMAIN, name="the_node")


def operator_of(op):
    return getattr(op, "__ort_custom_op__", op)


def types_of(node):
    return [None if v is None else v.type for v in node.inputs]


def reason(op, inputs=(), n_outputs=1, **attributes):
    """Why an operator declines a node."""
    node = node_of(op, inputs, n_outputs, **attributes)
    return operator_of(op).decline_reason(node, types_of(node))


def infer(op, *inputs, n_outputs=1, **attributes):
    """The output types of a node, its only one bare."""
    node = node_of(op, inputs, n_outputs, **attributes)
    found = operator_of(op).infer(node, types_of(node))
    return found[0] if n_outputs == 1 else list(found)


def bind(op, *inputs, n_outputs=1, constants=None, **attributes):
    """The kernel of a node."""
    node = node_of(op, inputs, n_outputs, **attributes)
    return operator_of(op).bind(KernelRequest(node, constants or {}, {})).fn


def text_model(text, opset=21, version=1):
    """The bytes of a model from ONNX text; `ops` is the test operators' domain."""
    text = text.replace("ops.", f"{DOMAIN}.")
    head = f'<ir_version: 10, opset_import: ["": {opset}, "{DOMAIN}": {version}]>\n'
    return onnx.parser.parse_model(head + text).SerializeToString()


def session(text, *operators, version=1, **settings):
    options = ort.SessionOptions()
    for operator in operators:
        options.register_custom_ops(operator)
    return ort.InferenceSession(text_model(text, version=version), options, **settings)


def strings(*items):
    return np.array(items, object)
