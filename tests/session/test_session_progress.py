"""`SessionOptions.load_progress`: what a listener is told while a session is created."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from onnx import helper, numpy_helper
from session_models import ADD, graph_model, tensor

import ort_core as ort
from ort_core import progress as progress_module
from ort_core.errors import ModelLoadCanceled

STAGES = ["read", "load", "normalize", "infer", "optimize", "assign", "compile"]


def options_with(listener):
    options = ort.SessionOptions()
    options.load_progress = listener
    return options


@pytest.fixture
def told_of_everything(monkeypatch):
    monkeypatch.setattr(progress_module, "REPORT_INTERVAL_S", 0)
    monkeypatch.setattr(progress_module, "_CHECK_EVERY", 1)


def large(count=20):
    weights = [numpy_helper.from_array(np.full(1000, i, np.float32), f"w{i}") for i in range(count)]
    nodes = [helper.make_node("Add", [f"v{i}", f"w{i}"], [f"v{i + 1}"]) for i in range(count)]
    return graph_model(nodes, [tensor("v0", [1000])], [tensor(f"v{count}", [1000])], weights)


def test_stages_come_in_order(told_of_everything):
    seen = []
    ort.InferenceSession(large(), options_with(seen.append))
    assert list(dict.fromkeys(s.stage for s in seen)) == STAGES
    assert all(isinstance(s, ort.LoadProgress) for s in seen)


def test_counts_rise_to_the_total(told_of_everything):
    seen = []
    source = large()
    ort.InferenceSession(source, options_with(seen.append))
    for stage, total in (("read", len(source)), ("compile", 20 * 4000)):
        steps = [s for s in seen if s.stage == stage]
        assert [s.done for s in steps] == sorted(s.done for s in steps)
        assert {s.total for s in steps[1:]} == {total}
        assert steps[-1].done <= total
    assert [s for s in seen if s.stage == "compile"][-1].done == 20 * 4000


def test_a_quick_load_tells_little():
    seen = []
    ort.InferenceSession(ADD, options_with(seen.append))
    assert len(seen) <= 2 * len(STAGES)


def test_what_the_listener_raises_ends_the_creation():
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ort.InferenceSession(ADD, options_with(stop))


def test_the_listener_may_cancel():
    options = ort.SessionOptions()
    options.load_progress = lambda step: options.set_load_cancellation_flag(step.stage == "infer")
    with pytest.raises(ModelLoadCanceled):
        ort.InferenceSession(large(), options)


def test_it_is_not_pickled():
    options = options_with(lambda _: None)
    assert pickle.loads(pickle.dumps(options)).load_progress is None
    session = ort.InferenceSession(ADD, options)
    assert pickle.loads(pickle.dumps(session)).get_session_options().load_progress is None


@pytest.mark.parametrize("value", [3, "print", []])
def test_only_functions(value):
    with pytest.raises(TypeError, match="load_progress takes a function"):
        options_with(value)
