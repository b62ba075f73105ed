from __future__ import annotations

import os
import random
import re
import time

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from session_bad_models import REFUSED, chain, external, function_tower, nested_ifs, one
from session_models import ADD, graph_model, tensor

import ort_core as ort
from ort_core import errors
from ort_core.errors import OrtError

REMEDY = re.compile(
    r"\b(add|call|check|connect|correct|declare|define|download|export|give|inline|install|load|make|name|needs|pass|put|remove|"
    r"reshape|save|set|split|unpack|upgrade|use)\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("label", REFUSED)
def test_bad_model_is_refused_with_a_typed_exception(label):
    source, kind, text = REFUSED[label]
    with pytest.raises(getattr(errors, kind)) as info:
        ort.InferenceSession(source)
    assert type(info.value) is getattr(errors, kind)
    assert text in str(info.value)
    assert REMEDY.search(str(info.value))
    assert len(str(info.value)) < 1000


@pytest.mark.parametrize("label", ["truncated", "text", "empty", "unknown operator", "cycle", "size overflow"])
def test_bad_model_in_a_file_is_refused_with_its_name(label, tmp_path):
    source, kind, text = REFUSED[label]
    path = tmp_path / "broken.onnx"
    path.write_bytes(source)
    with pytest.raises(getattr(errors, kind)) as info:
        ort.InferenceSession(path)
    assert text.split(",")[0] in str(info.value)
    if kind == "InvalidProtobuf":
        assert "broken.onnx" in str(info.value)


@pytest.mark.parametrize(
    ("model", "kind", "text"),
    [
        (external("missing.bin"), "NoSuchFile", "missing.bin"),
        (external("../outside.bin"), "InvalidArgument", "parent folder"),
        (external("link.bin"), "InvalidArgument", "outside the model's folder"),
        (external("folder"), "Fail", "folder"),
        (external("short.bin"), "InvalidGraph", "has only 4 bytes"),
        (external("w.bin", 1 << 62, 8), "InvalidGraph", "has only 8 bytes"),
        (external("w.bin\0x"), "InvalidArgument", "NUL"),
    ],
    ids=["missing", "parent", "link", "folder", "short", "offset", "nul"],
)
def test_external_data_of_a_file_stays_in_its_folder(tmp_path, model, kind, text):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside.bin").write_bytes(bytes(8))
    (folder / "link.bin").symlink_to(tmp_path / "outside.bin")
    (folder / "folder").mkdir()
    (folder / "short.bin").write_bytes(bytes(4))
    (folder / "w.bin").write_bytes(bytes(8))
    (folder / "m.onnx").write_bytes(model)
    with pytest.raises(getattr(errors, kind), match=text) as info:
        ort.InferenceSession(folder / "m.onnx")
    assert "'w'" in str(info.value)


def test_external_data_in_the_folder_is_read(tmp_path):
    (tmp_path / "w.bin").write_bytes(np.float32([1, 2]).tobytes())
    (tmp_path / "m.onnx").write_bytes(external("w.bin"))
    with ort.InferenceSession(tmp_path / "m.onnx") as session:
        assert session.run(None, {"x": np.ones(2, np.float32)})[0].tolist() == [2, 3]


def test_no_single_changed_byte_escapes_as_another_exception():
    rng = random.Random(5)
    created = 0
    for _ in range(400):
        data = bytearray(ADD)
        for _ in range(rng.choice((1, 1, 2, 5))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            with ort.InferenceSession(bytes(data)) as session:
                created += 1
                feed = {i.name: np.ones([d if isinstance(d, int) and 0 <= d < 9 else 2 for d in i.shape], np.float32)
                        for i in session.get_inputs()}  # fmt: skip
                session.run(None, feed)
        except OrtError:
            pass
    assert created > 20


def test_random_bytes_are_no_model():
    rng = random.Random(6)
    for size in (1, 2, 3, 10, 100, 10000):
        for _ in range(10):
            with pytest.raises(OrtError):
                ort.InferenceSession(rng.randbytes(size))


HUGE = {
    "ConstantOfShape": ([], [1 << 31, 1 << 31]),
    "Expand": (["x"], [1 << 50]),
    "Tile": (["x"], [1 << 50]),
    "Pad": (["x"], [1 << 50, 0]),
    "Reshape": (["x"], [1 << 50]),
}


@pytest.mark.parametrize("op", HUGE)
def test_huge_results_are_refused_when_they_are_computed(op):
    inputs, shape = HUGE[op]
    initializer = helper.make_tensor("s", TensorProto.INT64, [len(shape)], shape)
    source = graph_model(
        [helper.make_node(op, [*inputs, "s"], ["y"], name="the_node")],
        [tensor("x", [1])] if inputs else [],
        [tensor("y", None)],
        [initializer],
    )
    with (
        ort.InferenceSession(source) as session,
        pytest.raises(RuntimeError, match=rf"'the_node' \(ai.onnx::{op}, opset 17\)"),
    ):
        session.run(None, {"x": np.ones(1, np.float32)} if inputs else {})


def test_huge_declared_dimensions_are_no_reason_to_allocate():
    source = graph_model(
        [helper.make_node("Relu", ["x"], ["y"])], [tensor("x", [1 << 62, 1 << 62])], [tensor("y", [1 << 62, 1 << 62])]
    )
    with ort.InferenceSession(source) as session, pytest.raises(errors.InvalidArgument, match="invalid dimensions"):
        session.run(None, {"x": np.ones((2, 2), np.float32)})


@pytest.mark.parametrize("depth", [1, 10, 20])
def test_nested_bodies_run(depth):
    with ort.InferenceSession(nested_ifs(depth)) as session:
        for condition in (True, False):
            x = np.float32([1, 2])
            assert session.run(None, {"x": x, "c": np.array(condition)})[0].tolist() == [1, 2]


def test_nested_functions_run():
    with ort.InferenceSession(function_tower(40, 1)) as session:
        assert session.run(None, {"x": np.float32([-1, 2])})[0].tolist() == [0, 2]
    with ort.InferenceSession(function_tower(6, 2)) as session:
        assert session.run(None, {"x": np.float32([-1, 2])})[0].tolist() == [0, 2]


def test_long_chains_neither_recurse_nor_take_quadratic_time():
    started = time.monotonic()
    with ort.InferenceSession(chain(20000)) as session:
        assert session.run(None, {"x": np.zeros(1, np.float32)})[0].tolist() == [0]
    proto = onnx.load_from_string(chain(5000))
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(reversed(nodes))
    with ort.InferenceSession(proto) as session:
        assert session.run(None, {"x": np.zeros(1, np.float32)})[0].tolist() == [0]
    assert time.monotonic() - started < 60


def test_nodes_may_share_a_name():
    source = graph_model(
        [helper.make_node("Relu", ["x"], ["a"], name="n"), helper.make_node("Neg", ["a"], ["y"], name="n")],
        [tensor("x", ["N"])],
        [tensor("y", ["N"])],
    )
    with ort.InferenceSession(source) as session:
        assert session.run(None, {"x": np.float32([1, -1])})[0].tolist() == [-1, 0]


def test_model_without_outputs_and_model_without_nodes():
    with ort.InferenceSession(graph_model([], [tensor("x", ["N"])], [tensor("x", ["N"])])) as session:
        assert session.run(None, {"x": np.float32([1, 2])})[0].tolist() == [1, 2]
    source = graph_model([helper.make_node("Relu", ["x"], ["y"])], [tensor("x", ["N"])], [])
    with ort.InferenceSession(source) as session:
        assert session.run(None, {"x": np.float32([1])}) == []


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 3000, "{0}", "%s"])
def test_odd_names_of_nodes_appear_in_messages_without_breaking_them(name):
    proto = onnx.load_from_string(one("NoSuchOp"))
    proto.graph.node[0].name = name
    with pytest.raises(errors.InvalidGraph, match="NoSuchOp"):
        ort.InferenceSession(proto)


def test_refused_models_leave_no_file_open(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(REFUSED["unknown operator"][0])
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs Linux")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(errors.InvalidGraph):
            ort.InferenceSession(path)
    assert len(os.listdir("/proc/self/fd")) <= before + 2
