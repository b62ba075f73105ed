"""Real architectures on the reference provider: results against onnxruntime, creation time and memory."""

import json
import subprocess
import sys

import numpy as np
import pytest

import ort_core as ort
from benchmarks.models import NAMES, feeds, materialize
from tests.conftest import ROOT

pytestmark = [pytest.mark.models, pytest.mark.parity]

STANDARD = [name for name in NAMES if name != "llama_step_int4"]
SHAPES = {
    "bert_base": [{"batch": 1, "length": 128}, {"batch": 2, "length": 9}],
    "llama_step": [{"length": 64}, {"length": 1}],
    "resnet50": [{"batch": 1}, {"batch": 2}],
    "mobilenet_v2": [{"batch": 1}, {"batch": 3}],
    "mlp_tiny": [{"batch": 1}, {"batch": 7}],
    "scaler_logreg": [{"batch": 1}, {"batch": 5}],
}
TOLERANCE = 1e-5
"""Largest difference relative to the output's range."""
CHAOTIC = {"resnet50_int8"}
"""With random weights one rounding that falls the other way grows from layer to layer: onnxruntime's own optimised and plain
graphs differ by a tenth of the output's range. These models must be as close to onnxruntime as it is to itself."""


def difference(a, b, spread):
    return np.abs(a - b).max() / spread


@pytest.fixture(autouse=True)
def remove_the_model_afterwards(model_folder):
    yield
    for path in model_folder.glob("*.onnx"):
        path.unlink()


@pytest.mark.parametrize("name", STANDARD)
def test_results_agree_with_onnxruntime(name, model_folder, onnxruntime_results):
    path = materialize(name, model_folder)
    inputs = [feeds(name, **sizes) for sizes in SHAPES.get(name, [{}])]
    with ort.InferenceSession(path, providers=["ReferenceExecutionProvider"]) as session:
        ours = [session.run(None, feed) for feed in inputs]
        names = [o.name for o in session.get_outputs()]
    theirs = onnxruntime_results(path, inputs)
    plain = onnxruntime_results(path, inputs, optimize=False) if name in CHAOTIC else theirs
    for got_run, want_run, plain_run in zip(ours, theirs, plain, strict=True):
        for output, got, want, other in zip(names, got_run, want_run, plain_run, strict=True):
            assert got.dtype == want.dtype, output
            assert got.shape == want.shape, output
            if want.dtype.kind != "f":
                np.testing.assert_array_equal(got, want, err_msg=output)
                continue
            spread = np.ptp(want) or 1.0
            allowed = 1.2 * difference(other, want, spread) if name in CHAOTIC else TOLERANCE
            assert difference(got, want, spread) <= allowed, output


def test_creating_a_session_for_bert_base_takes_little_memory(model_folder):
    path = materialize("bert_base", model_folder)
    command = [sys.executable, "-m", "benchmarks.creation", "--measure", str(path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert json.loads(result.stdout)["anonymous_ratio"] <= 1.2
