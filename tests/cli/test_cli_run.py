"""`ort-core run`: feeds from literals and array files, output selection, tables, JSON."""

from __future__ import annotations

import contextlib
import json
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from ort_core.cli import main
from ort_core.cli.feeds import build_feeds
from ort_core.cli.images import ImageOptions
from ort_core.errors import OrtError


def run_json(capsys, *argv: str) -> dict:
    code = main(["run", *argv, "--json"])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return json.loads(captured.out)


def fail(capsys, *argv: str) -> tuple[int, str]:
    code = main(["run", *argv])
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("ort-core run: ")
    assert "Traceback" not in captured.err
    return code, captured.err


def test_json_document_has_the_documented_schema(add_model, capsys):
    document = run_json(capsys, add_model, "--input", "a=[[1, 2]]", "--input", "b=[[0.5, -2]]")
    assert set(document) == {"model", "providers", "outputs", "saved"}
    assert document["model"] == add_model
    assert document["saved"] == []
    assert all(isinstance(name, str) for name in document["providers"])
    assert document["outputs"] == [
        {"name": "sum", "type": "tensor(float)", "shape": [1, 2], "values": [[1.5, 0.0]]},
        {"name": "product", "type": "tensor(float)", "shape": [1, 2], "values": [[10.0, 20.0]]},
    ]


def test_table_shows_name_type_shape_and_values(add_model, capsys):
    assert main(["run", add_model, "--input", "a=[[1, 2]]", "--input", "b=[[0.5, 0.25]]"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["output", "type", "shape", "values"]
    assert lines[2].split(None, 2) == ["sum", "tensor(float)", "[1, 2]  [[1.5, 2.25]]"]
    assert lines[4].startswith("providers: ")


def test_large_outputs_are_summarised(save_identity, tmp_path, capsys):
    array = np.arange(100, dtype=np.float32)
    array[0], array[1] = np.nan, np.inf
    np.save(tmp_path / "x.npy", array)
    assert main(["run", save_identity(x=(TensorProto.FLOAT, ["N"])), "--input", f"x={tmp_path / 'x.npy'}"]) == 0
    out = capsys.readouterr().out
    assert "[100]" in out
    assert "min 2  max 99  mean 50.5  1 NaN  1 infinite" in out


def test_overridable_initializer_may_be_fed(add_model, capsys):
    document = run_json(capsys, add_model, "--input", "a=[[1, 2]]", "--input", "b=[[0, 0]]", "--input", "scale=[3]")
    assert document["outputs"][1]["values"] == [[3.0, 6.0]]


def test_output_selects_and_orders(add_model, capsys):
    argv = [add_model, "--input", "a=[[1, 2]]", "--input", "b=[[0, 0]]"]
    document = run_json(capsys, *argv, "--output", "product", "--output", "sum", "--output", "product")
    assert [output["name"] for output in document["outputs"]] == ["product", "sum"]
    assert [o["name"] for o in run_json(capsys, *argv, "--output", "sum")["outputs"]] == ["sum"]


def test_unknown_output_names_the_nearest(add_model, capsys):
    code, err = fail(capsys, add_model, "--output", "summ")
    assert code == 2
    assert "no output 'summ'; it has 'sum', 'product'. Did you mean 'sum'?" in err


def test_missing_inputs_are_listed_with_type_shape_and_example(add_model, capsys):
    code, err = fail(capsys, add_model, "--input", "b=[[0, 0]]")
    assert code == 2
    assert "  a: tensor(float) [N, 2]" in err
    assert "  b:" not in err
    assert f"Example: ort-core run {add_model} --input a=a.npy" in err


def test_missing_inputs_are_never_invented_even_when_shapes_are_known(save_identity, capsys):
    code, err = fail(capsys, save_identity(x=(TensorProto.FLOAT, [2]), y=(TensorProto.STRING, [1])))
    assert code == 2
    assert "x: tensor(float) [2]" in err
    assert "--input 'y=[\"text\"]'" in err


def test_unknown_input_names_the_nearest(add_model, capsys):
    code, err = fail(capsys, add_model, "--input", "scal=1")
    assert code == 2
    assert "no input 'scal'" in err
    assert "Did you mean 'scale'?" in err


def test_input_without_a_name_is_explained(add_model, capsys):
    code, err = fail(capsys, add_model, "--input", "a.npy")
    assert code == 2
    assert "Write NAME=VALUE, for example: --input a=a.npy --input b=b.npy" in err


def test_input_given_twice_is_refused(add_model, capsys):
    code, err = fail(capsys, add_model, "--input", "a=[[1, 2]]", "--input", "a=[[1, 2]]")
    assert code == 2
    assert "--input a is given twice" in err


def test_input_name_may_contain_an_equals_sign(save_identity, capsys):
    model = save_identity(**{"a": (TensorProto.FLOAT, [1]), "a=b": (TensorProto.FLOAT, [1])})
    document = run_json(capsys, model, "--input", "a=[1]", "--input", "a=b=[2]")
    assert [o["values"] for o in document["outputs"]] == [[1.0], [2.0]]


def test_rank_that_the_model_refuses_is_the_sessions_error(add_model, capsys):
    code, err = fail(capsys, add_model, "--input", "a=[1, 2]", "--input", "b=[[1, 2]]")
    assert code == 1
    assert err.startswith("ort-core run: InvalidArgument: ")
    assert "a" in err


@pytest.mark.parametrize(
    ("element", "text", "values"),
    [
        (TensorProto.FLOAT, "[1, 2.5, -0.0]", [1.0, 2.5, -0.0]),
        (TensorProto.FLOAT, "[NaN, Infinity, -Infinity]", ["NaN", "Infinity", "-Infinity"]),
        (TensorProto.INT64, "[9223372036854775807, -9223372036854775808]", [2**63 - 1, -(2**63)]),
        (TensorProto.UINT64, "[18446744073709551615]", [2**64 - 1]),
        (TensorProto.BOOL, "[true, false]", [True, False]),
        (TensorProto.STRING, '["a", "\\u00e9", "x.npy"]', ["a", "é", "x.npy"]),
        (TensorProto.FLOAT16, "[65504]", [65504.0]),
        (TensorProto.FLOAT, "[]", []),
    ],
)
def test_json_literals_become_tensors(element, text, values, save_identity, capsys):
    document = run_json(capsys, save_identity(x=(element, ["N"])), "--input", f"x={text}")
    assert document["outputs"][0]["values"] == values


def test_scalar_literal_feeds_a_scalar(save_identity, capsys):
    output = run_json(capsys, save_identity(x=(TensorProto.INT32, [])), "--input", "x=-5")["outputs"][0]
    assert output == {"name": "x_copy", "type": "tensor(int32)", "shape": [], "values": -5}


@pytest.mark.parametrize(
    ("element", "text", "message"),
    [
        (TensorProto.FLOAT, "[1, [2]]", "is not a value of tensor(float)"),
        (TensorProto.FLOAT, "[[1], [2, 3]]", "is ragged"),
        (TensorProto.FLOAT, "[true]", "'true' is not a value of tensor(float)"),
        (TensorProto.FLOAT, "[null]", "'null' is not a value of tensor(float)"),
        (TensorProto.FLOAT, '["1"]', "is not a value of tensor(float)"),
        (TensorProto.FLOAT, "[1e39]", "1e+39 is outside tensor(float)"),
        (TensorProto.FLOAT, "[1e999]", "1e999 overflows"),
        (TensorProto.DOUBLE, "[1" + "0" * 400 + "]", "outside tensor(double)"),
        (TensorProto.FLOAT16, "[65520]", "65520.0 is outside tensor(float16)"),
        (TensorProto.INT64, "[1.0]", "'1.0' is not a value of tensor(int64)"),
        (TensorProto.UINT8, "[256]", "256 is outside tensor(uint8), 0 to 255"),
        (TensorProto.INT8, "[-129]", "-129 is outside tensor(int8), -128 to 127"),
        (TensorProto.BOOL, "[1]", "'1' is not a value of tensor(bool)"),
        (TensorProto.STRING, "[1]", "'1' is not a value of tensor(string)"),
        (TensorProto.FLOAT, "[" * 100000, "is not a JSON literal"),
        (TensorProto.FLOAT, "[" * 70 + "1" + "]" * 70, "is not a value of tensor(float)"),
        (TensorProto.FLOAT, "hello", "'hello' is not a JSON literal"),
        (TensorProto.FLOAT, "picture.gif", "Nor does it end in .npy, .npz, .png"),
        (TensorProto.FLOAT, "", "is not a JSON literal"),
    ],
)
def test_literals_that_do_not_fit_are_refused(element, text, message, save_identity, capsys):
    code, err = fail(capsys, save_identity(x=(element, ["N"])), "--input", f"x={text}")
    assert code == 2
    assert "--input x: " in err
    assert message in err


def test_npz_feeds_by_name(add_model, tmp_path, capsys):
    np.savez(tmp_path / "feeds.npz", a=np.ones((3, 2), np.float32), b=np.full((3, 2), 2, np.float32))
    document = run_json(capsys, add_model, "--input", str(tmp_path / "feeds.npz"))
    assert document["outputs"][0]["values"] == [[3.0, 3.0]] * 3


def test_npz_for_one_input_gives_the_array_of_that_name_or_the_only_one(add_model, tmp_path, capsys):
    both = tmp_path / "both.npz"
    np.savez(both, a=np.ones((1, 2), np.float32), other=np.zeros(1, np.float32))
    np.savez(tmp_path / "one.npz", np.full((1, 2), 5, np.float32))
    document = run_json(capsys, add_model, "--input", f"a={both}", "--input", f"b={tmp_path / 'one.npz'}")
    assert document["outputs"][0]["values"] == [[6.0, 6.0]]
    code, err = fail(capsys, add_model, "--input", f"b={both}", "--input", f"a={both}")
    assert code == 2
    assert "holds 'a', 'other', no array 'b'" in err


def test_npz_with_an_array_that_feeds_nothing_is_refused(add_model, tmp_path, capsys):
    np.savez(tmp_path / "feeds.npz", a=np.ones((1, 2), np.float32), bb=np.ones((1, 2), np.float32))
    code, err = fail(capsys, add_model, "--input", str(tmp_path / "feeds.npz"))
    assert code == 2
    assert "'bb'" in err


def test_array_given_by_archive_and_by_name_is_refused(add_model, tmp_path, capsys):
    np.savez(tmp_path / "feeds.npz", a=np.ones((1, 2), np.float32), b=np.ones((1, 2), np.float32))
    code, err = fail(capsys, add_model, "--input", str(tmp_path / "feeds.npz"), "--input", "a=[[1, 2]]")
    assert code == 2
    assert "--input a is given twice" in err


def test_bare_file_feeds_the_only_required_input(save_identity, tmp_path, capsys):
    np.save(tmp_path / "v.npy", np.array([3, 4], np.int64))
    document = run_json(capsys, save_identity(x=(TensorProto.INT64, ["N"])), "--input", str(tmp_path / "v.npy"))
    assert document["outputs"][0]["values"] == [3, 4]


def test_big_endian_and_fortran_arrays_keep_their_values(save_identity, tmp_path, capsys):
    array = np.asfortranarray(np.arange(6, dtype=">f4").reshape(2, 3))
    np.save(tmp_path / "v.npy", array)
    model = save_identity(x=(TensorProto.FLOAT, [2, 3]))
    document = run_json(capsys, model, "--input", f"x={tmp_path / 'v.npy'}")
    assert document["outputs"][0]["values"] == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


def test_unicode_arrays_feed_strings(save_identity, tmp_path, capsys):
    np.save(tmp_path / "s.npy", np.array(["one", "zwei"]))
    document = run_json(capsys, save_identity(x=(TensorProto.STRING, ["N"])), "--input", f"x={tmp_path / 's.npy'}")
    assert document["outputs"][0]["values"] == ["one", "zwei"]


@pytest.mark.parametrize("content", [b"", b"not numpy", b"PK\x03\x04 broken zip", b"\x93NUMPY\x01\x00v\x00{'descr'"])
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_broken_array_files_are_explained(content, suffix, save_identity, tmp_path, capsys):
    path = tmp_path / f"v{suffix}"
    path.write_bytes(content)
    code, err = fail(capsys, save_identity(x=(TensorProto.FLOAT, ["N"])), "--input", f"x={path}")
    assert code == 1
    assert f"InvalidArgument: {path} is not a readable numpy file" in err


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 10**6), byte=st.integers(0, 255), archive=st.booleans())
def test_damaged_array_files_never_raise_anything_else(position, byte, archive, tmp_path_factory):
    path = tmp_path_factory.mktemp("damage") / ("v.npz" if archive else "v.npy")
    array = np.arange(30, dtype=np.float32)
    np.savez_compressed(path, x=array) if archive else np.save(path, array)
    data = bytearray(path.read_bytes())
    data[position % len(data)] = byte
    path.write_bytes(data)

    class Input:
        name, type, shape = "x", "tensor(float)", ["N"]

    with contextlib.suppress(OrtError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        build_feeds([f"x={path}"], [Input()], [], ImageOptions(), "m.onnx")


def test_array_that_claims_to_be_huge_is_explained(save_identity, tmp_path, capsys):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000000000,), }".ljust(117) + "\n"
    (tmp_path / "v.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00" + header.encode())
    code, err = fail(capsys, save_identity(x=(TensorProto.FLOAT, ["N"])), "--input", f"x={tmp_path / 'v.npy'}")
    assert code == 1
    assert "is not a readable numpy file" in err


def test_pickled_arrays_are_refused(save_identity, tmp_path, capsys):
    np.save(tmp_path / "o.npy", np.array(["a", "bc"], object), allow_pickle=True)
    code, err = fail(capsys, save_identity(x=(TensorProto.STRING, ["N"])), "--input", f"x={tmp_path / 'o.npy'}")
    assert code == 1
    assert "strings as dtype str" in err


def test_missing_array_file_is_explained(save_identity, tmp_path, capsys):
    code, err = fail(capsys, save_identity(x=(TensorProto.FLOAT, ["N"])), "--input", f"x={tmp_path / 'gone.npy'}")
    assert code == 1
    assert "NoSuchFile: array file" in err


def test_control_characters_in_names_do_not_reach_the_terminal(save_identity, capsys):
    model = save_identity(**{"x\x1b[31m": (TensorProto.FLOAT, [1])})
    assert main(["run", model, "--input", "x\x1b[31m=[1]"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "x\\x1b[31m_copy" in out
    code, err = fail(capsys, model)
    assert code == 2
    assert "\x1b" not in err


def test_long_text_that_is_no_input_is_explained(add_model, capsys):
    code, err = fail(capsys, add_model, "--input", "q=" + "1" * 10000)
    assert code == 2
    assert "no input 'q'" in err


def test_rich_draws_the_table_on_a_terminal(add_model, capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["run", add_model, "--input", "a=[[1, 2]]", "--input", "b=[[0.5, 0.25]]", "--output", "sum"]) == 0
    out = capsys.readouterr().out
    assert "│" in out
    assert "[1, 2]" in out
    assert "[[1.5, 2.25]]" in out


def test_plain_table_on_a_terminal_without_rich(add_model, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert main(["run", add_model, "--input", "a=[[1, 2]]", "--input", "b=[[0.5, 0.25]]", "--output", "sum"]) == 0
    out = capsys.readouterr().out
    assert out.isascii()
    assert "[[1.5, 2.25]]" in out
