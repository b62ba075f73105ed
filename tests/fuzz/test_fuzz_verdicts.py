"""The verdicts of the fuzzing harness: what must count as a finding does."""

import os
import threading
import warnings

import numpy as np
import onnx
import pytest

import ort_core as ort
from ort_core.errors import InvalidGraph
from tests.fuzz.compare import difference
from tests.fuzz.mutant import Mutant
from tests.fuzz.trial import examine

MODEL = '<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Add(x, x) }'


def verdict(tmp_path, **changes):
    settings = {
        "seed": 1,
        "base": "add",
        "proto": onnx.parser.parse_model(MODEL),
        "feeds": {"x": np.ones(2, np.float32)},
    }
    return examine(Mutant(**{**settings, **changes}), tmp_path)


def keys(found):
    return [finding.key for finding in found.findings]


def patched_run(monkeypatch, misbehave):
    original = ort.InferenceSession.run

    def run(self, output_names, feeds, options=None):
        misbehave(self, feeds)
        return original(self, output_names, feeds, options)

    monkeypatch.setattr(ort.InferenceSession, "run", run)


def raising(error):
    def misbehave(*_):
        raise error

    return misbehave


def test_a_good_model_has_no_findings(tmp_path):
    found = verdict(tmp_path, seed=16)
    assert (found.outcome, found.findings) == ("ran", [])


def test_exceptions_of_ours_are_no_findings(tmp_path):
    assert verdict(tmp_path, data=b"junk").outcome == "refused: InvalidProtobuf"
    assert not verdict(tmp_path, data=b"junk").findings
    assert verdict(tmp_path, feeds=[]).outcome == "failed: TypeError"
    assert not verdict(tmp_path, feeds=[]).findings


@pytest.mark.parametrize("error", [KeyError("x"), AttributeError("x"), MemoryError(), RecursionError()], ids=repr)
def test_other_exceptions_are_findings(tmp_path, monkeypatch, error):
    patched_run(monkeypatch, raising(error))
    assert keys(verdict(tmp_path))[0].startswith(f"run: {type(error).__name__}")


def test_failing_passes_are_findings(tmp_path, monkeypatch):
    error = InvalidGraph("graph pass 'fold_constants' broke the graph: ...")
    monkeypatch.setattr(ort.InferenceSession, "__init__", lambda *_, **__: raising(error)())
    assert keys(verdict(tmp_path))[0].startswith("creation: InvalidGraph")


def test_side_effects_are_findings(tmp_path, monkeypatch):
    stop = threading.Event()

    def misbehave(session, feeds):
        feeds["x"] += 1
        warnings.warn("look", stacklevel=1)
        (tmp_path / "left").write_text("over")
        threading.Thread(target=stop.wait, daemon=True).start()

    patched_run(monkeypatch, misbehave)
    found = {key.partition(":")[0] for key in keys(verdict(tmp_path))}
    stop.set()
    assert {"inputs changed", "warning", "files left behind", "threads or descriptors left behind"} <= found
    assert not os.listdir(tmp_path)


def test_results_that_depend_on_optimisation_are_findings(tmp_path, monkeypatch):
    calls = []

    def run(self, output_names, feeds, options=None):
        calls.append(0)
        return [np.full(2, len(calls), np.float32)]

    monkeypatch.setattr(ort.InferenceSession, "run", run)
    assert keys(verdict(tmp_path)) == ["the optimised model gives other results"]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.ones(2), np.ones(2, np.float32)), (np.ones(2), np.ones((1, 2))), (np.ones(2), np.array([1, np.nan])), ([1], []),
        ({"a": 1}, {"a": 2}), (None, np.ones(1)), (np.array(["a"], object), np.array(["b"], object)),
        (np.arange(2), np.arange(2)[::-1]),
    ],
)  # fmt: skip
def test_results_differ(a, b):
    assert difference(a, b)


@pytest.mark.parametrize(
    "a", [np.array([np.nan, 1]), np.zeros(0), [None, {"a": 1.0}], np.array(["a"], object), np.ones(2, np.float16)]
)
def test_results_agree(a):
    assert difference(a, a) is None
