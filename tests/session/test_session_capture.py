"""`run(..., capture=[...])`: values inside the model, by name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from onnx import helper, numpy_helper
from session_bad_models import nested_ifs
from session_models import ADD, graph_model, model, tensor

import ort_core as ort
from ort_core.errors import Fail, InvalidArgument


def chain():
    nodes = [
        helper.make_node("Add", ["x", "w"], ["block/a"]),
        helper.make_node("Mul", ["block/a", "w"], ["block/b"]),
        helper.make_node("Identity", ["block/b"], ["c"]),
        helper.make_node("Relu", ["c"], ["y"]),
    ]
    weight = numpy_helper.from_array(np.array([2], np.float32), "w")
    return graph_model(nodes, [tensor("x", ["N"])], [tensor("y", ["N"])], [weight])


X = np.array([1, -5], np.float32)
VALUES = {"block/a": [3, -3], "block/b": [6, -6], "c": [6, -6], "y": [6, 0], "x": [1, -5], "w": [2]}


@pytest.fixture
def chained():
    with ort.InferenceSession(chain()) as made:
        yield made


def captured(session, *names, outputs=None, feed=X):
    results, values = session.run(outputs, {"x": feed}, capture=names)
    return [r.tolist() for r in results], {name: v.tolist() for name, v in values.items()}


@pytest.mark.parametrize("name", VALUES)
def test_any_value_of_the_main_graph(chained, name):
    assert captured(chained, name) == ([VALUES["y"]], {name: VALUES[name]})


@pytest.mark.parametrize("level", ["ORT_DISABLE_ALL", "ORT_ENABLE_ALL"])
def test_values_that_optimisation_removes(level):
    options = ort.SessionOptions()
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    with ort.InferenceSession(chain(), options) as session:
        assert captured(session, "c", "block/b")[1] == {"c": [6, -6], "block/b": [6, -6]}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("block/*", ["block/a", "block/b"]), ("*", ["block/a", "block/b", "c", "y"]), ("block/[b-z]", ["block/b"])],
)
def test_patterns(chained, pattern, names):
    assert list(captured(chained, pattern)[1]) == names


def test_each_value_once(chained):
    assert captured(chained, "c", "c", "*")[1] == {name: VALUES[name] for name in ("c", "block/a", "block/b", "y")}


def test_nothing_to_capture(chained):
    assert captured(chained) == ([VALUES["y"]], {})


def test_outputs_may_be_chosen():
    source = model("g (float[N] x) => (float[N] y, float[N] z) { y = Neg (x) z = Abs (y) }")
    with ort.InferenceSession(source) as session:
        assert captured(session, "y", outputs=["z"]) == ([[1, 5]], {"y": [-1, 5]})
        assert captured(session, "y") == ([[-1, 5], [1, 5]], {"y": [-1, 5]})


@pytest.mark.parametrize("form", [tuple, iter, np.array], ids=["tuple", "iterator", "array"])
def test_names_of_outputs_may_come_in_any_form(form):
    source = model("g (float[N] x) => (float[N] y, float[N] z) { y = Neg (x) z = Abs (y) }")
    with ort.InferenceSession(source) as session:
        assert captured(session, "y", outputs=form(["z", "y", "z"])) == ([[1, 5], [-1, 5], [1, 5]], {"y": [-1, 5]})
        with pytest.raises(InvalidArgument, match="Invalid output name: block/a"):
            session.run(["block/a"], {"x": X}, capture=["y"])


def test_threads_may_capture_different_values(chained):
    def capture(index):
        name = ["c", "block/a", "block/b"][index % 3]
        return all(captured(chained, name)[1] == {name: VALUES[name]} for _ in range(10))

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(capture, range(6)))


def test_plain_runs_are_not_affected(chained):
    captured(chained, "*")
    assert [o.name for o in chained.get_outputs()] == ["y"]
    assert chained.run(None, {"x": X})[0].tolist() == VALUES["y"]


def test_the_second_model_is_kept_for_the_same_values_only(chained, monkeypatch):
    opened = []
    original = chained._open_for_capture
    monkeypatch.setattr(chained, "_open_for_capture", lambda expose: opened.append(1) or original(expose))
    for names in (["c"], ["c"], ["block/a"], ["block/a"], ["c"]):
        captured(chained, *names)
    assert len(opened) == 3


@pytest.mark.parametrize(
    ("names", "message"),
    [(["d"], "'d'"), (["block/aa"], r"Similar names: block/a"), (["nothing*"], r"nothing\*"), ([""], "''")],
)
def test_unknown_names(chained, names, message):
    with pytest.raises(InvalidArgument, match=message):
        chained.run(None, {"x": X}, capture=names)
    assert captured(chained, "c")[1] == {"c": VALUES["c"]}


@pytest.mark.parametrize("names", ["c", b"c", {"c": 1}, [3], [None]])
def test_what_is_no_list_of_names(chained, names):
    with pytest.raises(TypeError, match="capture takes a list of names"):
        chained.run(None, {"x": X}, capture=names)


def test_values_inside_a_body_are_explained():
    with ort.InferenceSession(nested_ifs(2)) as session:
        report = session.explain()
        inner = next(n for n in report.nodes if n.scope)
        with pytest.raises(InvalidArgument, match=r"inside a body|which no value"):
            session.run(None, feed_for(session), capture=[inner.name])


def feed_for(session):
    return {i.name: np.array(True) if "bool" in i.type else np.zeros(1, np.float32) for i in session.get_inputs()}


def test_a_closed_session():
    session = ort.InferenceSession(ADD)
    session.run(None, {"x": np.zeros((1, 2), np.float32)}, capture=["y"])
    session.close()
    with pytest.raises(Fail, match="closed"):
        session.run(None, {"x": np.zeros((1, 2), np.float32)}, capture=["y"])


def test_sequences():
    source = model(
        "g (float[N] x) => (float[N] y) <int64 i={0}> { s = SequenceConstruct (x, x) y = SequenceAt (s, i) }"
    )
    with ort.InferenceSession(source) as session:
        _, values = session.run(None, {"x": X}, capture=["s"])
        assert [v.tolist() for v in values["s"]] == [[1, -5], [1, -5]]


def test_a_changed_file_is_noticed(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(chain())
    with ort.InferenceSession(path) as session:
        path.write_bytes(ADD)
        with pytest.raises(Fail, match="changed"):
            session.run(None, {"x": X}, capture=["c"])
        assert session.run(None, {"x": X})[0].tolist() == VALUES["y"]
