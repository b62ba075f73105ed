from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from load_samples import everywhere, floats, info
from onnx import helper
from proto_compare import canonical

from ort_core import errors
from ort_core.errors import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile, OrtError
from ort_core.ir.proto import to_proto
from ort_core.ir.rewrite import check_invariants
from ort_core.load.onnx_model import load_model


def simple() -> onnx.ModelProto:
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    graph = helper.make_graph(nodes, "g", [info("x", 400)], [info("y", 400)], [floats("w")])
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 13)])


def test_every_kind_of_source_gives_the_same_model(tmp_path: Path) -> None:
    proto = everywhere()
    data = proto.SerializeToString()
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    for source in (str(path), path, data, bytearray(data), memoryview(data), proto):
        model = load_model(source)
        check_invariants(model)
        assert canonical(to_proto(model)) == canonical(proto)


def test_the_opset_stays_as_declared() -> None:
    model = load_model(simple())
    assert model.opset_imports == model.original_opsets == {"": 13}
    assert model.graph.nodes[0].origin.opset == 13


def test_a_string_is_a_path_and_bytes_are_a_model(tmp_path: Path) -> None:
    with pytest.raises(NoSuchFile, match=r"'nowhere\.onnx' does not exist"):
        load_model("nowhere.onnx")
    with pytest.raises(InvalidProtobuf):
        load_model(b"nowhere.onnx")
    with pytest.raises(InvalidArgument, match="cannot load a model from int"):
        load_model(5)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a\0b.onnx", "x" * 5000])
def test_malformed_paths_are_refused(name: str) -> None:
    with pytest.raises(OrtError, match=r"x{100}|NUL"):
        load_model(name)


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        (b"", InvalidProtobuf, "is empty"),
        (b"\x18\0\0\0ORTM" + bytes(100), errors.NotImplemented, "Load the .onnx model"),
        (b"version https://git-lfs.github.com/spec/v1\n", InvalidProtobuf, "git lfs pull"),
        (b"PK\x03\x04" + bytes(50), InvalidProtobuf, "zip archive"),
        (b"\x1f\x8b\x08\x00", InvalidProtobuf, "gzip"),
        (b"<!DOCTYPE html><html>", InvalidProtobuf, "web page"),
        (b"GGUF\x03\0\0\0", InvalidProtobuf, "GGUF"),
        (bytes(4) + b"TFL3" + bytes(20), InvalidProtobuf, "TensorFlow Lite"),
        (b"\x08\x0a", InvalidProtobuf, "has no graph"),
        (b"hello world, this is no model", InvalidProtobuf, "no valid ONNX model"),
        (b"\x3a\x02\x12\x00", InvalidProtobuf, "has no ir_version"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_onnx_model_is_refused_with_a_remedy(
    tmp_path: Path, data: bytes, error: type[OrtError], text: str
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(error) as caught:
            load_model(source)
        assert type(caught.value) is error
        assert text in str(caught.value)
        assert str(caught.value).count(".") >= 1


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".onnxtxt", "ONNX's text syntax"),
        (".prototxt", "protobuf's text format"),
        (".json", "JSON"),
        (".ONNXJSON", "JSON"),
    ],
)
def test_text_formats_are_recognised(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_text('{"irVersion": 10}' if "json" in suffix.lower() else "<ir_version: 10>")
    with pytest.raises(InvalidProtobuf, match=r"onnx\.save") as caught:
        load_model(path)
    assert text in str(caught.value)


def test_a_binary_model_loads_under_any_suffix(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_bytes(simple().SerializeToString())
    assert len(load_model(path).graph) == 1


def test_a_newer_ir_version_is_refused_with_both_versions() -> None:
    proto = simple()
    proto.ir_version = 999
    with pytest.raises(Fail, match=rf"IR version 999.*{onnx.IR_VERSION}.*pip install"):
        load_model(proto)


def test_a_model_without_opset_imports_is_refused() -> None:
    proto = simple()
    del proto.opset_import[:]
    with pytest.raises(InvalidGraph, match="imports no operator set"):
        load_model(proto)


def test_the_message_given_is_not_changed() -> None:
    proto = everywhere()
    before = proto.SerializeToString(deterministic=True)
    load_model(proto)
    assert proto.SerializeToString(deterministic=True) == before


def test_names_that_are_not_text_are_refused_and_documentation_is_read_leniently() -> None:
    data = simple().SerializeToString()
    with pytest.raises(InvalidProtobuf, match="not UTF-8"):
        load_model(data.replace(b"Add", b"A\xffd"))
    proto = simple()
    proto.graph.node[0].doc_string = "doc_AAAA"
    model = load_model(proto.SerializeToString().replace(b"doc_AAAA", b"doc_\xff\xff\xff\xff"))
    assert model.graph.nodes[0].doc.startswith("doc_")


def test_importing_the_load_stage_imports_no_onnx() -> None:
    code = (
        "import sys, ort_core.load.onnx_model, ort_core.load.save, ort_core.ir.proto;"
        "print([m for m in ('onnx', 'ml_dtypes', 'google.protobuf', 'importlib.metadata') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
