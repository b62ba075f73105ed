"""How `ort-core run` shows values of every kind."""

from __future__ import annotations

import json

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ort_core.cli import main
from ort_core.cli.outputs import describe_shape, describe_values, to_json
from ort_core.errors import Fail


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32([[1.5, np.nan], [np.inf, -np.inf]]), [[1.5, "NaN"], ["Infinity", "-Infinity"]]),
        (np.array([1 + 2j], np.complex64), [[1.0, 2.0]]),
        (np.array(7, np.uint64), 7),
        (np.array([True, False]), [True, False]),
        (np.array(["a", b"\xff"], object), ["a", "\\xff"]),
        (np.array([1.5, np.inf], ml_dtypes.bfloat16), [1.5, "Infinity"]),
        (np.array([-8, 7], ml_dtypes.int4), [-8, 7]),
        ([np.int64([1]), np.int64([2, 3])], [[1], [2, 3]]),
        ([{1: 0.5, 2: float("nan")}], [{"1": 0.5, "2": "NaN"}]),
        (None, None),
    ],
)
def test_json_form(value, expected):
    assert to_json(value) == expected
    json.dumps(to_json(value), allow_nan=False)


def test_values_without_a_json_form_are_refused():
    with pytest.raises(Fail, match="a value of type object cannot be shown as JSON"):
        to_json(object())


@pytest.mark.parametrize(
    ("value", "shape", "text"),
    [
        (np.float32([[0.1, 1e-9]]), "[1, 2]", "[[0.1, 1e-09]]"),
        (np.array(3), "[]", "3"),
        (np.zeros((0, 4)), "[0, 4]", "(empty)"),
        (np.array([True]), "[1]", "[true]"),
        (np.arange(17), "[17]", "min 0  max 16  mean 8"),
        (np.full(17, 65504, np.float16), "[17]", "min 65504  max 65504  mean 65504"),
        (np.full(17, np.nan), "[17]", "17 NaN"),
        (np.arange(20) > 4, "[20]", "15 true of 20"),
        (np.array(["s"] * 20, object), "[20]", "[s, s, s, ...]"),
        (np.arange(20).astype(ml_dtypes.float8_e4m3fn), "[20]", "min 0  max 20  mean 9.5"),
        ([{1: 0.5}], "1 items", "[{1: 0.5}]"),
        (None, "-", "None"),
        (object(), "-", "object"),
    ],
)
def test_table_cells(value, shape, text):
    assert describe_shape(value) == shape
    assert describe_values(value) == text


def test_sequence_outputs_are_shown_and_not_saved(tmp_path, capsys):
    tensor = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N"])
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, ["N"])
    graph = helper.make_graph([helper.make_node("SequenceConstruct", ["x", "x"], ["s"])], "g", [tensor], [sequence])
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "m.onnx")
    argv = ["run", str(tmp_path / "m.onnx"), "--input", "x=[1, 2]"]
    assert main([*argv, "--json"]) == 0
    (output,) = json.loads(capsys.readouterr().out)["outputs"]
    assert output == {"name": "s", "type": "seq(tensor(float))", "shape": None, "values": [[1.0, 2.0], [1.0, 2.0]]}
    assert main([*argv, "--save", str(tmp_path / "out")]) == 1
    assert "output 's' is a list, which numpy files cannot hold. Use --json." in capsys.readouterr().err


def test_bfloat16_makes_the_round_trip(save_identity, tmp_path, capsys):
    model = save_identity(x=(TensorProto.BFLOAT16, ["N"]))
    assert main(["run", model, "--input", "x=[1.5, -3e38]", "--save", str(tmp_path / "o"), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)["outputs"]
    assert main(["run", model, "--input", f"x={tmp_path / 'o' / 'x_copy.npy'}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"] == first
    assert first[0]["type"] == "tensor(bfloat16)"
    assert first[0]["values"][0] == 1.5
