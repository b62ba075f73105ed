"""Small models from ONNX text, with inferred types."""

from __future__ import annotations

import onnx
import onnx.parser

from ort_core.infer.custom import CustomInference
from ort_core.infer.shapes import infer_types
from ort_core.ir.graph import Model, Value
from ort_core.ir.proto import from_proto


def parse(text: str, opset: int = 28) -> onnx.ModelProto:
    head = f'<ir_version: 10, opset_import: ["": {opset}, "ai.onnx.ml": 5, "my": 1]>\n'
    return onnx.parser.parse_model(head + text)


def load(text: str, opset: int = 28) -> Model:
    return from_proto(parse(text, opset))


def inferred(text: str, custom: CustomInference | None = None) -> Model:
    model = load(text)
    infer_types(model, custom)
    return model


def value(model: Model, name: str) -> Value:
    """The value of that name in the main graph or any subgraph."""
    for graph in model.graphs():
        for node in graph.nodes:
            for output in node.outputs:
                if output is not None and output.name == name:
                    return output
        for item in (*graph.inputs, *graph.initializers.values()):
            if item.name == name:
                return item
    raise KeyError(name)
