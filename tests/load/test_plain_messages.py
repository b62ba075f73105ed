"""Models that are read without onnx are read as with it, and what is odd in any way is left to onnx."""

import random
import subprocess
import sys

import onnx
import pytest
from google.protobuf.message import DecodeError
from load_samples import everywhere
from onnx import TensorProto, helper
from onnx.backend.test.case.node import collect_testcases

from ort_core.errors import OrtError
from ort_core.ir.messages import ModelMessage, read_model_message
from ort_core.ir.proto import from_proto, to_proto


def sample() -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["t"])], "b", [], [helper.make_empty_tensor_value_info("t")]
    )
    nodes = [
        helper.make_node("If", ["c"], ["a"], then_branch=body, else_branch=body),
        helper.make_node(
            "Clip", ["a", "", "top"], ["y"], name="clip", domain="my", s="text", fs=[1.5, -2.0], ns=[-1, 1 << 40]
        ),
    ]
    initializers = [
        helper.make_tensor("top", TensorProto.FLOAT, [], [3.0]),
        helper.make_tensor("words", TensorProto.STRING, [2], [b"a", b"\xff"]),
        helper.make_tensor("wide", TensorProto.INT64, [3], [-1, 0, 1 << 62]),
        helper.make_tensor("bytes", TensorProto.INT8, [2], b"\x01\xff", raw=True),
        helper.make_tensor("small", TensorProto.INT32, [2], [-5, 5]),
        helper.make_tensor("double", TensorProto.DOUBLE, [1], [0.1]),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, None]),
        helper.make_tensor_value_info("c", TensorProto.BOOL, []),
    ]
    graph = helper.make_graph(
        nodes, "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], initializers
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("my", 1)], ir_version=8
    )
    model.model_version = 7
    helper.set_model_props(model, {"author": "me"})
    return model


def outcome(message: onnx.ModelProto | ModelMessage) -> object:
    try:
        model = from_proto(message)
    except OrtError as error:
        return f"{type(error).__name__}: {error}"
    return model.graph.dump(), to_proto(model).SerializeToString(deterministic=True), model.opset_imports


def check_same(data: bytes) -> bool:
    """Whether `data` is read without onnx; what it gives then is what onnx gives."""
    plain = read_model_message(data)
    if plain is None:
        return False
    assert outcome(plain) == outcome(onnx.ModelProto.FromString(data))
    return True


def test_a_model_is_read_as_onnx_reads_it():
    data = sample().SerializeToString()
    assert check_same(data)
    model = from_proto(read_model_message(data))
    assert model.header == from_proto(sample()).header
    assert not model.header.HasField("graph")
    assert model.header.model_version == 7
    assert to_proto(model) == to_proto(from_proto(sample()))


def test_runs_of_one_field_are_read_as_onnx_reads_them():
    model = sample()
    node = model.graph.node[1]
    values = {
        "many": [0.5] * 300,
        "ints": [*range(-3, 130), (1 << 63) - 1, -(1 << 63)],
        "strings": ["", "a" * 200, "b"],
    }
    node.attribute.extend(helper.make_attribute(name, items) for name, items in values.items())
    for owner in (model.graph, node, model.graph.input[0], model):
        for index in range(3):
            owner.metadata_props.add(key=f"k{index}", value="v" * 100 * index)
    data = model.SerializeToString()
    assert check_same(data)
    floats = b"\x3d" + b"\0\0\xc0\x3f"
    for cut in (b"\x3d", floats[:-1], floats + b"\xbd\0" + floats[1:]):
        attribute = b"\x0a\x01f" + floats * 2 + cut + b"\xa0\x01\x06"
        check_same(_with_attribute(attribute))


def _with_attribute(attribute: bytes) -> bytes:
    """A model with a node that has the attribute of these bytes."""
    node = b"\x0a\x01x\x12\x01y\x22\x03Neg" + b"\x2a" + bytes([len(attribute)]) + attribute
    graph = b"\x0a" + bytes([len(node)]) + node
    return b"\x08\x08" + b"\x3a" + bytes([len(graph)]) + graph + b"\x42\x02\x10\x12"


@pytest.mark.filterwarnings("ignore")
def test_the_models_of_onnx_are_read_as_onnx_reads_them():
    cases = collect_testcases(None)[::5]
    read = sum(check_same(case.model.SerializeToString()) for case in cases)
    assert read > 0.9 * len(cases)


def test_every_beginning_of_a_model_is_left_to_onnx_or_read_as_onnx_reads_it():
    data = sample().SerializeToString()
    for size in range(len(data)):
        check_same(data[:size])


@pytest.mark.parametrize("seed", range(4))
def test_damaged_models_are_left_to_onnx_or_read_as_onnx_reads_them(seed):
    rng = random.Random(seed)
    whole = sample().SerializeToString()
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 4))):
            position = rng.randrange(len(data))
            action = rng.randrange(3)
            if action == 0:
                data[position] = rng.choice((0, 1, 2, 10, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            elif action == 1:
                del data[position]
            else:
                data.insert(position, rng.randrange(256))
        check_same(bytes(data))


def field(number: int, payload: bytes, wire: int = 2) -> bytes:
    tag = bytes([number << 3 | wire])
    return tag + (bytes([len(payload)]) if wire == 2 else b"") + payload


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param(field(1, b"\x08", 0), id="a field twice"),
        pytest.param(b"\xba\x3e\x01\x00", id="an unknown field"),
        pytest.param(field(2, b"\xff"), id="text that is no UTF-8"),
        pytest.param(field(7, b""), id="two graphs"),
        pytest.param(b"\xca\x01\x00", id="a function"),
        pytest.param(b"\xa2\x01\x00", id="training information"),
        pytest.param(field(5, b"\xff" * 10 + b"\x01", 0), id="an integer of 11 bytes"),
        pytest.param(field(5, b"\xff" * 9 + b"\x02", 0), id="an integer of 65 bits"),
        pytest.param(b"\x5b\x5c", id="a group"),
        pytest.param(b"\x02\x00", id="field number 0"),
    ],
)
def test_odd_fields_are_left_to_onnx(extra):
    data = sample()
    data.ClearField("model_version")
    data.ClearField("producer_name")
    assert read_model_message(data.SerializeToString()) is not None
    assert read_model_message(data.SerializeToString() + extra) is None


def change(kind: str) -> onnx.ModelProto:
    model = sample()
    graph = model.graph
    if kind == "denotation":
        graph.input[0].type.denotation = "IMAGE"
    elif kind == "sequence":
        graph.input[1].type.sequence_type.elem_type.tensor_type.elem_type = 1
    elif kind == "negative":
        graph.input[0].type.tensor_type.shape.dim[1].dim_value = -1
    elif kind == "no element type":
        graph.input[0].type.tensor_type.elem_type = 0
    elif kind == "documented tensor":
        graph.initializer[0].doc_string = "text"
    elif kind == "annotation":
        graph.quantization_annotation.add(tensor_name="x")
    elif kind == "devices":
        graph.node[0].device_configurations.add(configuration_id="mesh")
    elif kind == "reference":
        graph.node[1].attribute[0].ref_attr_name = "r"
    elif kind == "wrong attribute":
        graph.node[1].attribute[0].type = 1
    elif kind == "untyped attribute":
        graph.node[1].attribute[0].ClearField("type")
    elif kind == "sparse":
        graph.sparse_initializer.add()
    return model


@pytest.mark.parametrize(
    "kind",
    [
        "denotation",
        "sequence",
        "negative",
        "no element type",
        "documented tensor",
        "annotation",
        "devices",
        "reference",
        "wrong attribute",
        "untyped attribute",
        "sparse",
    ],
)
def test_what_the_short_way_cannot_keep_is_left_to_onnx(kind):
    assert read_model_message(change(kind).SerializeToString()) is None


def test_functions_and_sparse_constants_are_left_to_onnx():
    assert read_model_message(everywhere().SerializeToString()) is None


def test_deep_nesting_is_left_to_onnx():
    graph = helper.make_graph([], "g", [], [])
    for _ in range(20):
        graph = helper.make_graph([helper.make_node("If", ["c"], ["a"], then_branch=graph)], "g", [], [])
    data = helper.make_model(graph).SerializeToString()
    assert read_model_message(data) is None


def test_garbage_is_left_to_onnx():
    for data in (b"\x00", b"\xff" * 20, bytes(range(64))):
        assert read_model_message(data) is None
        with pytest.raises(DecodeError):
            onnx.ModelProto.FromString(data)


PROGRAM = """
import sys
import numpy as np
from ort_core.load.onnx_model import load_model
from ort_core.load.opset import normalize_opset
from ort_core.infer.shapes import infer_types
model = normalize_opset(load_model(sys.argv[1]))
infer_types(model)
assert model.graph.outputs[0].shape == ("n", 3)
unwanted = {"onnx", "ml_dtypes", "google.protobuf", "importlib.metadata", "ort_core.load.opset_rules"}
print(*sorted(unwanted & set(sys.modules)))
"""


def test_a_small_model_is_loaded_without_onnx(tmp_path):
    weights = helper.make_tensor("w", TensorProto.FLOAT, [16, 3], [0.5] * 48)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Softmax", ["h"], ["y"])]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), tmp_path / "m.onnx")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "m.onnx")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
