from __future__ import annotations

import gc
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from session_models import ADD, model

import ort_core as ort
from ort_core.errors import Fail, OrtError

CHAIN = model("g (float[N] x) => (float[N] y) { a = Neg (x) b = Abs (a) y = Sqrt (b) }")
FEED = {"x": np.ones(3, np.float32)}


def options_for(folder, prefix="profile"):
    options = ort.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / prefix)
    return options


def test_profile_is_a_chrome_trace_with_an_event_for_each_node(tmp_path):
    before = time.monotonic_ns()
    with ort.InferenceSession(CHAIN, options_for(tmp_path)) as session:
        assert before <= session.get_profiling_start_time_ns() <= time.monotonic_ns()
        for _ in range(2):
            session.run(None, FEED)
        path = session.end_profiling()
    assert path.startswith(str(tmp_path / "profile_"))
    assert path.endswith(".json")
    with open(path, encoding="utf-8") as file:
        events = json.load(file)
    for event in events:
        assert set(event) == {"cat", "pid", "tid", "dur", "ts", "ph", "name", "args"}
        assert event["ph"] == "X"
        assert event["dur"] >= 0
        assert event["ts"] >= 0
    nodes = [e for e in events if e["cat"] == "Node"]
    assert [e["args"]["op_name"] for e in nodes] == ["Neg", "Abs", "Sqrt"] * 2
    assert all(e["args"]["provider"] and e["name"].endswith("_kernel_time") for e in nodes)
    names = [e["name"] for e in events]
    assert names.count("session_initialization") == 1
    assert names.count("model_run") == 2
    runs = [e for e in events if e["name"] == "model_run"]
    assert all(runs[0]["ts"] <= e["ts"] for e in nodes)
    assert runs[1]["ts"] + runs[1]["dur"] >= max(e["ts"] + e["dur"] for e in nodes) - 2


def test_results_are_the_same_with_profiling(tmp_path):
    with ort.InferenceSession(CHAIN, options_for(tmp_path)) as session, ort.InferenceSession(CHAIN) as plain:
        assert session.run(None, FEED)[0].tobytes() == plain.run(None, FEED)[0].tobytes()


def test_end_profiling_ends_it(tmp_path):
    with ort.InferenceSession(CHAIN, options_for(tmp_path)) as session:
        start = session.get_profiling_start_time_ns()
        assert session.end_profiling() != ""
        session.run(None, FEED)
        assert session.end_profiling() == ""
        assert session.get_profiling_start_time_ns() == start > 0
    assert len(list(tmp_path.iterdir())) == 1


def test_without_profiling_there_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ort.InferenceSession(CHAIN) as session:
        session.run(None, FEED)
        assert session.end_profiling() == ""
        assert session.get_profiling_start_time_ns() == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", ["close", "drop"])
def test_profile_is_written_when_the_session_ends(tmp_path, end):
    session = ort.InferenceSession(CHAIN, options_for(tmp_path))
    session.run(None, FEED)
    if end == "close":
        session.close()
    del session
    gc.collect()
    (path,) = tmp_path.iterdir()
    assert any(e["name"] == "model_run" for e in json.loads(path.read_text()))


def test_profiles_of_the_same_second_do_not_overwrite_each_other(tmp_path):
    paths = set()
    for _ in range(3):
        with ort.InferenceSession(CHAIN, options_for(tmp_path)) as session:
            paths.add(session.end_profiling())
    assert len(paths) == len(list(tmp_path.iterdir())) == 3


def test_default_prefix(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ort.SessionOptions()
    options.enable_profiling = True
    with ort.InferenceSession(CHAIN, options) as session:
        assert session.end_profiling().startswith("onnxruntime_profile_")


def test_profile_that_cannot_be_written_says_so(tmp_path, caplog):
    with ort.InferenceSession(CHAIN, options_for(tmp_path, "no/such/folder/p")) as session:
        with pytest.raises(Fail, match=r"cannot write the profile.*profile_file_prefix"):
            session.end_profiling()
        session.run(None, FEED)
    with ort.InferenceSession(CHAIN, options_for(tmp_path, "no/such/folder/p")) as session:
        session.run(None, FEED)
    assert "cannot write the profile" in caplog.text


def test_failed_runs_and_many_threads_are_recorded(tmp_path):
    with ort.InferenceSession(ADD, options_for(tmp_path)) as session:
        feed = {"x": np.ones((1, 2), np.float32)}
        threads = [threading.Thread(target=session.run, args=(None, feed)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with pytest.raises(ValueError, match="Required inputs"):
            session.run(None, {})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    assert sum(e["name"] == "model_run" for e in events) == 4
    assert len({e["tid"] for e in events if e["cat"] == "Node"}) >= 1


def test_session_that_cannot_be_created_writes_no_profile(tmp_path):
    with pytest.raises(OrtError):
        ort.InferenceSession(b"no model", options_for(tmp_path))
    gc.collect()
    assert list(tmp_path.iterdir()) == []
