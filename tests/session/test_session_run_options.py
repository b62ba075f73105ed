from __future__ import annotations

import logging
import pickle
import threading
import time

import numpy as np
import pytest
from session_models import TWO_INPUTS, long_loop, model

import ort_core as ort
from ort_core.errors import Fail, RuntimeException


def test_run_options_defaults_and_pickling():
    options = ort.RunOptions()
    assert (options.terminate, options.only_execute_path_to_fetches) == (False, False)
    assert (options.log_severity_level, options.log_verbosity_level, options.logid) == (-1, 0, "")
    options.terminate, options.logid = 1, "run 7"
    options.add_run_config_entry("k", "v")
    other = pickle.loads(pickle.dumps(options))
    assert (other.terminate, other.logid, other.get_run_config_entry("k")) == (True, "run 7", "v")
    other.terminate = False
    assert options.terminate is True
    for bad in ("x", [], b"1"):
        with pytest.raises(TypeError):
            options.terminate = bad


def test_terminate_that_is_set_already_stops_at_once(session, x):
    options = ort.RunOptions()
    options.terminate = True
    with pytest.raises(Fail, match="terminate flag"):
        session.run(None, {"x": x}, options)
    options.terminate = False
    assert session.run(None, {"x": x}, options)[0].shape == (3, 2)


def test_terminate_from_another_thread_stops_a_long_loop():
    options = ort.RunOptions()
    with ort.InferenceSession(long_loop()) as session:
        timer = threading.Timer(0.2, setattr, (options, "terminate", True))
        timer.start()
        started = time.monotonic()
        with pytest.raises(Fail, match="terminate flag"):
            session.run(None, {"n": np.array(1 << 40), "zero": np.array(0)}, options)
        assert time.monotonic() - started < 5
        options.terminate = False
        assert session.run(None, {"n": np.array(5), "zero": np.array(0)})[0].item() == 5


def test_only_what_the_outputs_need_is_computed():
    fails = model("g (float[N] x, int64[1] s) => (float[N] y, float[K] bad) { y = Neg (x) bad = Reshape (x, s) }")
    options = ort.RunOptions()
    options.only_execute_path_to_fetches = True
    with ort.InferenceSession(fails) as session:
        feed = {"x": np.ones(3, np.float32), "s": np.array([7])}
        for run_options in (options, None):
            assert session.run(["y"], feed, run_options)[0].tolist() == [-1, -1, -1]
        with pytest.raises(RuntimeError):
            session.run(["bad"], feed)


def test_run_configuration_and_tag_reach_those_who_ask(session, x):
    from ort_core.providers import hooks

    class Observer:
        @hooks.hookimpl
        def ort_core_run_finished(self, event):
            heard.append((event.tag, event.outputs, event.error))

    heard = []
    hooks.register_hooks(Observer(), "observer")
    try:
        options = ort.RunOptions()
        options.logid = "request 12"
        session.run(["y"], {"x": x}, options)
        session.run(None, {"x": x})
        with pytest.raises(RuntimeError):
            broken_run()
    finally:
        hooks.unregister_hooks("observer")
    assert heard[0] == ("request 12", ("y",), None)
    assert heard[1] == ("", ("y",), None)
    assert isinstance(heard[2][2], RuntimeError)


def broken_run():
    with ort.InferenceSession(model("g (float[N] x, int64[1] s) => (float[K] y) { y = Reshape (x, s) }")) as session:
        session.run(None, {"x": np.ones(3, np.float32), "s": np.array([7])})


@pytest.mark.parametrize("severity", range(5))
def test_severity_of_a_session_filters_its_messages_only(severity, caplog):
    options = ort.SessionOptions()
    options.log_severity_level = severity
    options.logid = "loud"
    a, b = np.ones((3, 2), np.float32), np.ones((1, 2), np.float32)
    with ort.InferenceSession(TWO_INPUTS, options) as session, ort.InferenceSession(TWO_INPUTS) as other:
        caplog.clear()
        session.run(["s"], {"a": a, "b": b})
        assert ("dimension 'N'" in caplog.text) == (severity <= 2)
        if severity <= 2:
            assert caplog.records[0].name == "ort_core.session.loud"
        caplog.clear()
        other.run(["s"], {"a": a, "b": b})
        assert "dimension 'N'" in caplog.text
        assert caplog.records[0].name == "ort_core.session"


def test_default_severity_sets_the_level_of_the_logger(root_level):
    for severity, level in enumerate((10, 20, 30, 40, 50)):
        ort.set_default_logger_severity(severity)
        assert logging.getLogger("ort_core").level == level
        assert logging.getLogger("ort_core.session").getEffectiveLevel() == level
    for bad in (5, -1):
        with pytest.raises(RuntimeException, match=f"Invalid logging severity {bad}"):
            ort.set_default_logger_severity(bad)
    for bad in ("2", None, 2.0):
        with pytest.raises(TypeError):
            ort.set_default_logger_severity(bad)
    ort.set_default_logger_severity(2)
    ort.set_default_logger_verbosity(3)
    assert logging.getLogger("ort_core").level == 30
    with pytest.raises(TypeError):
        ort.set_default_logger_verbosity("3")
