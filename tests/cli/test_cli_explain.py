"""`ort-core explain`."""

from __future__ import annotations

import json

import pytest

from ort_core.cli import main
from ort_core.testing import fake_device

REFERENCE = "ReferenceExecutionProvider"


@pytest.fixture
def explain(add_model):
    def call(*argv):
        return main(["explain", add_model, "--provider", REFERENCE, *argv])

    return call


def test_summary_says_where_the_nodes_run(explain, capsys):
    assert explain() == 0
    out = capsys.readouterr().out
    assert out.startswith(f"All 2 nodes run on {REFERENCE}.\n")
    assert [line.split() for line in out.splitlines() if line.startswith("p0")] == [["p0", REFERENCE, "cpu:0", "2"]]


def test_nodes_are_listed_on_demand(explain, capsys):
    assert explain() == 0
    assert "ai.onnx::Mul" not in capsys.readouterr().out
    assert explain("--nodes") == 0
    out = capsys.readouterr().out
    assert "ai.onnx::Add" in out
    assert "ai.onnx::Mul" in out


def test_reasons_and_copies_are_shown(add_model, capsys):
    with fake_device():
        assert main(["explain", add_model, "--provider", "FakeDeviceExecutionProvider:ops=Add"]) == 0
    out = capsys.readouterr().out
    assert "Of 2 nodes run 1 on FakeDevice (50 %), 1 on Reference (50 %)." in out
    assert f"1 node fell back to {REFERENCE}, which is slow." in out
    assert "the option 'ops' leaves Mul out" in out
    assert "cpu:0 → fake:0: 2 tensors" in out


def test_json_is_the_report(explain, capsys):
    assert explain("--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["model"] == "g"
    assert [n["provider"] for n in document["nodes"]] == [REFERENCE] * 2


@pytest.mark.parametrize(
    ("suffix", "start"), [(".html", "<!DOCTYPE html>"), (".svg", "<svg "), (".json", "{"), (".txt", "2 nodes in")]
)
def test_output_is_written_by_suffix(explain, suffix, start, tmp_path, capsys):
    path = tmp_path / f"picture{suffix}"
    assert explain("--output", str(path)) == 0
    assert path.read_text(encoding="utf-8").startswith(start)
    assert f"saved {path}" in capsys.readouterr().out


def test_picture_is_titled_with_the_file_name(explain, tmp_path):
    explain("--output", str(tmp_path / "a.svg"))
    assert ">model.onnx</text>" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_json_on_stdout_stays_json_beside_an_output_file(explain, tmp_path, capsys):
    assert explain("--json", "--output", str(tmp_path / "a.html")) == 0
    json.loads(capsys.readouterr().out)
    assert (tmp_path / "a.html").exists()


def test_existing_file_is_not_overwritten_without_force(explain, tmp_path, capsys):
    path = tmp_path / "a.html"
    path.write_text("precious", encoding="utf-8")
    assert explain("--output", str(path)) == 1
    assert "--force" in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "precious"
    assert explain("--output", str(path), "--force") == 0
    assert path.read_text(encoding="utf-8") != "precious"


def test_unknown_suffix_is_a_usage_error_before_the_model_is_loaded(tmp_path, capsys):
    assert main(["explain", str(tmp_path / "missing.onnx"), "--output", "a.png"]) == 2
    assert ".html, .svg, .json, .txt" in capsys.readouterr().err


def test_missing_model_is_one_message(tmp_path, capsys):
    assert main(["explain", str(tmp_path / "missing.onnx")]) == 1
    err = capsys.readouterr().err
    assert "missing.onnx" in err
    assert "Traceback" not in err


def test_missing_folder_is_one_message(explain, tmp_path, capsys):
    assert explain("--output", str(tmp_path / "no" / "a.html")) == 1
    err = capsys.readouterr().err
    assert "no/a.html" in err
    assert "Traceback" not in err
