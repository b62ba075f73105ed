"""Real architectures on the CPU provider: results against onnxruntime, and against themselves."""

import numpy as np
import pytest

import ort_core as ort
from benchmarks.models import feeds, materialize

pytestmark = [pytest.mark.models, pytest.mark.parity]

SHAPES = {
    "bert_base": [{"batch": 1, "length": 128}, {"batch": 4, "length": 9}, {"batch": 2, "length": 33}],
    "llama_step": [{"length": 64}, {"length": 1}, {"length": 37}],
    "resnet50": [{"batch": 1}, {"batch": 4}],
    "mobilenet_v2": [{"batch": 1}, {"batch": 4}, {"batch": 3}],
    "yolo_like": [{}],
    "lstm": [{}],
    "mlp_tiny": [{"batch": 1}, {"batch": 4}, {"batch": 7}],
    "scaler_logreg": [{"batch": 1}, {"batch": 4}, {"batch": 5}],
}
CONVOLUTIONAL = ("resnet50", "mobilenet_v2", "yolo_like")


@pytest.fixture(autouse=True)
def remove_the_model_afterwards(model_folder):
    yield
    for path in model_folder.glob("*.onnx"):
        path.unlink()


def native_session(path, threads=1, *, winograd=True, deterministic=False):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.use_deterministic_compute = deterministic
    options.add_session_config_entry("session.disable_reference_fallback", "1")
    return ort.InferenceSession(path, options, providers=[("CPUExecutionProvider", {"winograd": winograd})])


def largest_difference(got, want):
    assert [(g.dtype, g.shape) for g in got] == [(w.dtype, w.shape) for w in want]
    floats = [(g, w) for g, w in zip(got, want, strict=True) if w.dtype.kind == "f"]
    for g, w in zip(got, want, strict=True):
        if w.dtype.kind != "f":
            np.testing.assert_array_equal(g, w)
    return max(np.abs(g - w).max() / (np.ptp(w) or 1.0) for g, w in floats)


@pytest.mark.parametrize("name", SHAPES)
def test_results_agree_with_onnxruntime(name, model_folder, onnxruntime_results):
    path = materialize(name, model_folder)
    inputs = [feeds(name, **sizes) for sizes in SHAPES[name]]
    wanted = onnxruntime_results(path, inputs)
    for threads in (1, 2):
        with native_session(path, threads) as session:
            for feed, want in zip(inputs, wanted, strict=True):
                assert largest_difference(session.run(None, feed), want) <= 1e-4


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_direct_convolutions_agree_more_closely(name, model_folder, onnxruntime_results):
    path = materialize(name, model_folder)
    feed = feeds(name)
    (want,) = onnxruntime_results(path, [feed])
    with native_session(path, winograd=False) as session:
        assert largest_difference(session.run(None, feed), want) <= 1e-5


@pytest.mark.parametrize("name", ["resnet50", "bert_base", "llama_step", "lstm"])
def test_deterministic_compute_repeats_to_the_bit_whatever_the_threads(name, model_folder):
    path = materialize(name, model_folder)
    feed = feeds(name)
    results = []
    for threads in (1, 2, 2):
        with native_session(path, threads, deterministic=True) as session:
            results += [session.run(None, feed), session.run(None, feed)]
    for other in results[1:]:
        for first, second in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(first, second)
