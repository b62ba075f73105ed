"""A small model that holds every place where a tensor may be, above and below the size that is cut out."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LARGE = 400


def floats(name: str, count: int = LARGE, seed: int = 0) -> onnx.TensorProto:
    return numpy_helper.from_array(np.random.default_rng(seed).standard_normal(count).astype(np.float32), name)


def typed(name: str, data_type: int, values: list[float], dims: tuple[int, ...] | None = None) -> onnx.TensorProto:
    return helper.make_tensor(name, data_type, dims or (len(values),), values)


def info(name: str, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def everywhere() -> onnx.ModelProto:
    """Large and small constants as initializers, sparse initializers, attributes, in subgraphs and in a function."""
    branch = helper.make_graph(
        [helper.make_node("Add", ["x", "inner"], ["t"])], "then", [], [info("t", LARGE)], [floats("inner", seed=1)]
    )
    other = helper.make_graph(
        [helper.make_node("Constant", [], ["e"], value=floats("", seed=2))], "else", [], [info("e", LARGE)]
    )
    function = helper.make_function(
        "my",
        "Shift",
        ["a"],
        ["b"],
        [helper.make_node("Constant", [], ["k"], value=floats("", seed=3)), helper.make_node("Add", ["a", "k"], ["b"])],
        [helper.make_opsetid("", 21)],
    )
    sparse = helper.make_sparse_tensor(
        floats("sparse", seed=4), numpy_helper.from_array(np.arange(LARGE) * 2), [LARGE * 3]
    )
    custom = helper.make_node("Custom", ["y3"], ["y4"], domain="my")
    custom.attribute.extend(
        [
            onnx.AttributeProto(
                name="many", type=onnx.AttributeProto.TENSORS, tensors=[floats("", 3), floats("", seed=5)]
            ),
            onnx.AttributeProto(name="sparse", type=onnx.AttributeProto.SPARSE_TENSOR, sparse_tensor=sparse),
            onnx.AttributeProto(name="sparses", type=onnx.AttributeProto.SPARSE_TENSORS, sparse_tensors=[sparse]),
            onnx.AttributeProto(name="graphs", type=onnx.AttributeProto.GRAPHS, graphs=[branch]),
        ]
    )
    nodes = [
        helper.make_node("If", ["c"], ["y1"], name="choose", then_branch=branch, else_branch=other),
        helper.make_node("Shift", ["y1"], ["y2"], domain="my"),
        helper.make_node("Add", ["y2", "raw"], ["y3"], name="add"),
        custom,
    ]
    rng = np.random.default_rng(9)
    initializers = [
        floats("raw", seed=6),
        floats("small", 4),
        numpy_helper.from_array(np.array(True), "c"),
        typed("float_data", TensorProto.FLOAT, rng.standard_normal(LARGE).tolist()),
        typed("double_data", TensorProto.DOUBLE, rng.standard_normal(LARGE).tolist(), (20, LARGE // 20)),
        typed("complex", TensorProto.COMPLEX64, (rng.standard_normal(LARGE) + 1j).tolist()),
        typed("int64_data", TensorProto.INT64, rng.integers(-(1 << 62), 1 << 62, LARGE).tolist()),
        typed("int32_data", TensorProto.INT32, rng.integers(-(1 << 31), 1 << 31, LARGE).tolist()),
        typed("int8", TensorProto.INT8, rng.integers(-128, 128, LARGE * 3).tolist()),
        typed("uint8", TensorProto.UINT8, rng.integers(0, 256, LARGE * 3).tolist()),
        typed("bool", TensorProto.BOOL, rng.integers(0, 2, LARGE * 3).tolist()),
        typed("uint64_data", TensorProto.UINT64, rng.integers(0, 1 << 63, LARGE).tolist()),
        typed("uint32", TensorProto.UINT32, rng.integers(0, 1 << 32, LARGE).tolist()),
        typed("float16", TensorProto.FLOAT16, rng.standard_normal(LARGE * 2).tolist()),
        typed("int4", TensorProto.INT4, rng.integers(-8, 8, LARGE * 6 + 1).tolist()),
        typed("strings", TensorProto.STRING, [b"word"] * LARGE),
    ]
    graph = helper.make_graph(
        nodes, "main", [info("x", LARGE)], [info("y4", LARGE)], initializers, sparse_initializer=[sparse]
    )
    return helper.make_model(
        graph,
        functions=[function],
        ir_version=10,
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("my", 1)],
    )
