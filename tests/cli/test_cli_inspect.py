"""`ort-core inspect`: facts of models, missing data, damaged files, and that no weight is read."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import TensorProto, helper, numpy_helper

from ort_core.cli import main
from ort_core.load.source import FileSource

CONTROL = """
<ir_version: 10, opset_import: ["": 18, "com.example": 1, "local": 1], producer_name: "tests">
g (float[N, 4] x, bool c) => (float[N, 4] y)
<float[4, 4] w = {1,0,0,0,0,1,0,0,0,0,1,0,0,0,0,1}, float[4] spare = {1,2,3,4}>
{
    a = MatMul (x, w)
    b = local.twice (a)
    d = com.example.Thing (b)
    y = If (c) <
        then_branch = t () => (float[N, 4] r) { r = Relu (d) },
        else_branch = e () => (float[N, 4] r) { q = If (c) <
            then_branch = tt () => (float[N, 4] s) { s = Neg (d) },
            else_branch = ee () => (float[N, 4] s) { s = Abs (d) }
        > r = Identity (q) }
    >
}
<domain: "local", opset_import: ["": 18]>
twice (v) => (z) { z = Add (v, v) }
"""


def save(text: str, tmp_path, name: str = "model.onnx") -> str:
    onnx.save(onnx.parser.parse_model(text), tmp_path / name)
    return str(tmp_path / name)


def inspect_json(capsys, *argv: str, code: int = 0) -> dict:
    assert main(["inspect", *argv, "--json"]) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


@pytest.fixture
def external_model(tmp_path):
    """y = x @ w, w of 64 KiB in weights.bin."""
    weight = numpy_helper.from_array(np.ones((128, 128), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 128])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 128])],
        [weight],
    )
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


def test_json_has_interface_opsets_and_sizes(add_model, capsys):
    facts = inspect_json(capsys, add_model)
    assert facts["path"] == add_model
    assert facts["ir_version"] == 9
    assert facts["opsets"] == [{"domain": "ai.onnx", "declared": 18, "runs_as": 28}]
    assert [p["name"] for p in facts["inputs"]] == ["a", "b"]
    assert facts["inputs"][0] == {"name": "a", "type": "tensor(float)", "shape": ["N", 2]}
    assert [p["name"] for p in facts["overridable_initializers"]] == ["scale"]
    assert [p["name"] for p in facts["outputs"]] == ["sum", "product"]
    assert facts["dynamic_dimensions"] == {"N": ["a[0]", "b[0]"]}
    assert facts["size"] == {"nodes": 2, "subgraphs": 0, "nesting": 0}
    assert facts["parameters"] == 1
    assert facts["largest_constants"][0]["kind"] == "default"
    assert facts["problems"] == []
    assert not {"nodes", "constants", "support"} & set(facts)


def test_bodies_functions_and_custom_domains_are_counted(tmp_path, capsys):
    facts = inspect_json(capsys, save(CONTROL, tmp_path))
    assert facts["size"] == {"nodes": 10, "subgraphs": 4, "nesting": 2}
    assert facts["functions"] == [{"name": "local::twice", "nodes": 1, "calls": 1}]
    origins = {o["operator"]: (o["count"], o["origin"]) for o in facts["operators"]}
    assert origins["ai.onnx::If"] == (2, "onnx")
    assert origins["local::twice"] == (1, "function")
    assert origins["com.example::Thing"] == (1, "custom")
    unused = [c["name"] for c in facts["largest_constants"] if not c["used"]]
    assert unused == ["spare"]


def test_text_shows_the_same(tmp_path, capsys):
    assert main(["inspect", save(CONTROL, tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "made by  tests, IR version 10" in out
    assert "ai.onnx 18 (runs as 28), com.example 1" in out
    assert "g: 10 nodes, 9 operators, 1 function, 4 subgraphs nested 2 levels deep" in out
    assert "com.example::Thing  1      not of ONNX" in out
    assert "nothing uses 1 of them (16 B)" in out


def test_nodes_are_listed_with_their_scope(tmp_path, capsys):
    path = save(CONTROL, tmp_path)
    nodes = inspect_json(capsys, path, "--nodes")["nodes"]
    assert len(nodes) == 10
    assert {n["scope"] for n in nodes} == {"", "y", "y/q", "local::twice"}
    (neg,) = inspect_json(capsys, path, "--op", "Neg")["nodes"]
    assert neg == {"scope": "y/q", "name": "", "operator": "ai.onnx::Neg", "text": "%s: tensor(float) [N, 4] = Neg(%d)"}
    assert len(inspect_json(capsys, path, "--op", "com.example::Thing", "--op", "If")["nodes"]) == 3
    assert main(["inspect", path, "--op", "Neg"]) == 0
    assert "= Neg(%d)" in capsys.readouterr().out


def test_operator_that_the_model_lacks_is_a_usage_error(add_model, capsys):
    assert main(["inspect", add_model, "--op", "Ad"]) == 2
    assert "the model has no operator 'Ad'; it has 'ai.onnx::Add'" in capsys.readouterr().err


def test_all_constants_are_listed_on_request(tmp_path, capsys):
    facts = inspect_json(capsys, save(CONTROL, tmp_path), "--initializers")
    assert [(c["name"], c["shape"], c["size_bytes"]) for c in facts["constants"]] == [
        ("w", [4, 4], 64),
        ("spare", [4], 16),
    ]


def test_operator_that_does_not_exist_is_a_problem(tmp_path, capsys):
    text = '<ir_version: 8, opset_import: ["": 13]> g (float[2] x) => (float[2] y) { y = Gelu (x) }'
    path = save(text, tmp_path)
    facts = inspect_json(capsys, path, code=1)
    assert facts["operators"][0]["origin"] == "unknown"
    assert facts["problems"] == ["ai.onnx has no operator ai.onnx::Gelu at opset 13"]
    assert main(["inspect", path]) == 1
    assert "problem: ai.onnx has no operator" in capsys.readouterr().out


def test_external_files_are_told_with_their_sizes(external_model, capsys):
    facts = inspect_json(capsys, str(external_model))
    own, data = facts["files"]
    assert own["location"] == ""
    assert data == {"location": "weights.bin", "tensors": 1, "tensor_bytes": 65536, "file_bytes": 65536, "problem": ""}
    assert main(["inspect", str(external_model)]) == 0
    assert "weights.bin  1        64.0 KiB     64.0 KiB  ok" in capsys.readouterr().out


def test_missing_external_file_is_flagged_and_the_rest_is_told(external_model, capsys):
    (external_model.parent / "weights.bin").unlink()
    facts = inspect_json(capsys, str(external_model), code=1)
    assert facts["files"][1]["file_bytes"] is None
    assert "does not exist" in facts["problems"][0]
    assert facts["parameters"] == 128 * 128
    assert main(["inspect", str(external_model)]) == 1
    out = capsys.readouterr().out
    assert "unreadable" in out
    assert "problem: external data file of" in out


def test_short_external_file_is_flagged(external_model, capsys):
    (external_model.parent / "weights.bin").write_bytes(b"x" * 100)
    facts = inspect_json(capsys, str(external_model), code=1)
    assert "has only 100 bytes" in facts["problems"][0]


def test_external_data_outside_the_folder_is_flagged_and_not_touched(external_model, capsys):
    proto = onnx.load(external_model, load_external_data=False)
    proto.graph.initializer[0].external_data[0].value = "../../etc/passwd"
    onnx.save(proto, external_model)
    facts = inspect_json(capsys, str(external_model), code=1)
    assert "goes to a parent folder" in facts["problems"][0]


@pytest.mark.parametrize("inline", [True, False])
def test_weights_are_not_read(inline, external_model, tmp_path, capsys, monkeypatch):
    path = external_model
    if inline:
        path = tmp_path / "inline.onnx"
        onnx.save(onnx.load(external_model), path)
    read = []
    original = FileSource.read_into

    def read_into(self, offset, dst):
        read.append(len(dst))
        original(self, offset, dst)

    monkeypatch.setattr(FileSource, "read_into", read_into)
    assert main(["inspect", str(path), "--initializers", "--nodes"]) == 0
    assert sum(read) < 32 << 10


def test_quantised_models_are_recognised(tmp_path, capsys):
    text = """<ir_version: 10, opset_import: ["": 21]> g (float[2, 4] x, int8[4, 4] q) => (float[2, 4] y)
    <float s = {0.5}, int8 z = {0}>
    { a = QuantizeLinear (x, s, z) b = DequantizeLinear (a, s, z) c = DequantizeLinear (q, s, z) y = MatMul (b, c) }"""
    found = inspect_json(capsys, save(text, tmp_path))["quantization"]
    assert found["style"] == "QDQ"
    assert found["operators"] == {"ai.onnx::DequantizeLinear": 2, "ai.onnx::QuantizeLinear": 1}
    assert found["constants"] == {"int8": 1}


def test_packed_weights_are_told_by_their_bits(tmp_path, capsys):
    graph = helper.make_graph(
        [
            helper.make_node(
                "MatMulNBits", ["x", "w", "s"], ["y"], domain="com.microsoft", K=32, N=2, bits=4, block_size=32
            )
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [
            numpy_helper.from_array(np.zeros((2, 1, 16), np.uint8), "w"),
            numpy_helper.from_array(np.ones((2, 1), np.float32), "s"),
        ],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=opsets), tmp_path / "m.onnx")
    found = inspect_json(capsys, str(tmp_path / "m.onnx"))["quantization"]
    assert found["style"] == "weights only"
    assert found["constants"] == {"4-bit in uint8": 1}


def test_model_without_quantised_operators_is_not_called_quantised(add_model, capsys):
    assert inspect_json(capsys, add_model)["quantization"] == {"style": "", "operators": {}, "constants": {}}


def test_providers_are_asked_on_request(add_model, tmp_path, capsys):
    support = inspect_json(capsys, add_model, "--providers")["support"]
    rows = {p["name"]: p for p in support["providers"]}
    assert rows["ReferenceExecutionProvider"]["claimed"] == rows["ReferenceExecutionProvider"]["asked"] == 2
    assert support["problem"] == ""
    path = save(CONTROL, tmp_path)
    support = inspect_json(capsys, path, "--providers", code=1)["support"]
    rows = {p["name"]: p for p in support["providers"]}
    assert "com.example::Thing" in rows["ReferenceExecutionProvider"]["declined"]
    assert "com.example::Thing" in support["problem"]
    assert main(["inspect", path, "--providers"]) == 1
    assert "ReferenceExecutionProvider declines com.example::Thing: " in capsys.readouterr().out


def test_recursive_function_is_counted_but_cannot_run(tmp_path, capsys):
    text = """<ir_version: 10, opset_import: ["l": 1]> g (float[N] x) => (float[N] y) { y = l.again (x) }
    <domain: "l", opset_import: ["l": 1]> again (x) => (y) { y = l.again (x) }"""
    path = save(text, tmp_path)
    assert inspect_json(capsys, path)["functions"] == [{"name": "l::again", "nodes": 1, "calls": 2}]
    assert main(["inspect", path, "--providers"]) == 1
    assert "problem: Invalid" in capsys.readouterr().out


@pytest.mark.parametrize("keep", [0, 1, 20, 100, -1])
def test_truncated_models_are_one_message(keep, add_model, tmp_path, capsys):
    data = (tmp_path / "model.onnx").read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(data[:keep])
    assert main(["inspect", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ort-core inspect: Invalid")
    assert "Traceback" not in captured.err


def test_names_cannot_drive_the_terminal(tmp_path, capsys):
    graph = helper.make_graph(
        [helper.make_node("Abs", ["x\x1b[2J"], ["y"], name="n\x07")],
        "g\x1b",
        [helper.make_tensor_value_info("x\x1b[2J", TensorProto.FLOAT, ["\x1b]0;"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N"])],
    )
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)], producer_name="p\x1b")
    model.metadata_props.add(key="k\x1b", value="v\x07")
    onnx.save(model, tmp_path / "m.onnx")
    assert main(["inspect", str(tmp_path / "m.onnx"), "--nodes", "--initializers"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x07" not in out
    assert "x\\x1b[2J" in out
