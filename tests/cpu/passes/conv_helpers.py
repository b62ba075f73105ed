"""Writes models of convolutions, applies the layout passes to them, and compares levels and providers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from fusion_helpers import floats
from onnx import TensorProto, helper, numpy_helper

import ort_core
from ort_core.ir.graph import Model, Node
from ort_core.ir.rewrite import check_invariants
from ort_core.optimize.pipeline import run_passes
from ort_core.options import GraphOptimizationLevel, SessionOptions
from ort_core.prepare import prepare
from ort_provider_cpu.passes import find_passes

LAYOUT = ("use_blocked_layout", "sink_from_blocked", "fuse_blocked_conv")


class Writer:
    """Collects nodes and constants; `x` is the input."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, array: np.ndarray) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def op(self, op_type: str, *inputs: str, n_outputs: int = 1, **attributes: Any) -> str:
        """Adds a node; returns the name of its first output, `<name>` and then `<name>_1`, `<name>_2`..."""
        name = f"v{len(self.nodes)}"
        outputs = [name, *(f"{name}_{i}" for i in range(1, n_outputs))]
        self.nodes.append(helper.make_node(op_type, inputs, outputs, **attributes))
        return name

    def conv(self, x: str, in_channels: int, out_channels: int, *kernel: int, group: int = 1, **attributes: Any) -> str:
        """A convolution with bias, padded so that a stride of 1 keeps the size."""
        weight = floats(out_channels, in_channels // group, *kernel, seed=len(self.nodes))
        weight /= np.sqrt(weight[0].size)
        attributes.setdefault("pads", [k // 2 for k in kernel] * 2)
        bias = self.constant(floats(out_channels, seed=len(self.nodes)))
        return self.op("Conv", x, self.constant(weight), bias, group=group, **attributes)

    def batch_norm(self, x: str, channels: int, **attributes: Any) -> str:
        parameters = [floats(channels, seed=i) for i in range(3)] + [np.abs(floats(channels, seed=3)) + 0.5]
        return self.op("BatchNormalization", x, *map(self.constant, parameters), **attributes)

    def model(self, shape: Sequence[int | str], *outputs: str, **others: Sequence[int | str]) -> onnx.ModelProto:
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
            for name, dims in {"x": shape, **others}.items()
        ]
        results = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(self.nodes, "g", inputs, results, self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)


def rewritten(proto: onnx.ModelProto, *names: str) -> Model:
    """The model after the core's passes and those of the provider with these names."""
    prepared = prepare(proto.SerializeToString(), SessionOptions())
    chosen = [p for p in find_passes() if p.name in names]
    assert len(chosen) == len(names)
    run_passes(prepared.model, chosen, prepared.passes)
    check_invariants(prepared.model)
    return prepared.model


def op_types(model: Model) -> list[str]:
    return [node.op_type for node in model.graph.nodes]


def node_of(model: Model, op_type: str) -> Node:
    (node,) = (n for n in model.graph.nodes if n.op_type == op_type)
    return node


def assert_same(proto: onnx.ModelProto, feeds: Mapping[str, np.ndarray], tolerance: float = 3e-5) -> None:
    """The CPU provider with all passes gives what the reference provider gives without any."""
    options = SessionOptions()
    options.add_session_config_entry("session.disable_reference_fallback", "1")
    fast = ort_core.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    plain = SessionOptions()
    plain.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    reference = ort_core.InferenceSession(proto.SerializeToString(), plain, providers=["ReferenceExecutionProvider"])
    for left, right in zip(reference.run(None, dict(feeds)), fast.run(None, dict(feeds)), strict=True):
        assert left.shape == right.shape
        np.testing.assert_allclose(right, left, rtol=tolerance, atol=tolerance * max(1.0, np.abs(left).max()))
