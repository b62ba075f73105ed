"""Random operators in sessions: what repeats, what does not, and the types and distributions of what is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper
from reference_helpers import f32, value_type
from type_sweep import E, elements_allowed, recast, schemas

import ort_core
from ort_core import random as ort_random
from ort_core.ir.proto import type_to_proto

P = np.full(64, 0.5, np.float32)
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Bernoulli": ({"x": P}, {}),
    "Dropout": ({"x": P, "r": np.array(0.5, np.float32), "t": np.array(True)}, {}),
    "Multinomial": ({"x": np.zeros((2, 9), np.float32)}, {"sample_size": 32}),
    "RandomNormal": ({}, {"shape": [64]}),
    "RandomNormalLike": ({"x": P}, {}),
    "RandomUniform": ({}, {"shape": [64]}),
    "RandomUniformLike": ({"x": P}, {}),
}
FLOATS = [E.FLOAT, E.DOUBLE, E.FLOAT16, E.BFLOAT16]


@pytest.fixture(autouse=True)
def _no_process_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ort_random, "_process_seed", None)


def session_of(op_type: str, feeds: dict[str, Any], **attributes: Any) -> ort_core.InferenceSession:
    if "seed" in attributes and op_type != "Dropout":
        attributes["seed"] = float(attributes["seed"])
    node = helper.make_node(op_type, list(feeds), ["y"], name="drawn", **attributes)
    infos = [helper.make_value_info(name, type_to_proto(value_type(v))) for name, v in feeds.items()]
    graph = helper.make_graph([node], "g", infos, [helper.make_empty_tensor_value_info("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 28)], ir_version=13)
    return ort_core.InferenceSession(model.SerializeToString(), providers=["ReferenceExecutionProvider"])


def stream(op_type: str, runs: int = 3, **attributes: Any) -> list[Any]:
    feeds, settings = CASES[op_type]
    session = session_of(op_type, feeds, **settings, **attributes)
    return [session.run(None, feeds)[0].tolist() for _ in range(runs)]


@pytest.mark.parametrize("op_type", CASES)
def test_a_seed_attribute_gives_each_session_the_same_stream(op_type: str) -> None:
    first = stream(op_type, seed=3)
    assert stream(op_type, seed=3) == first
    assert first[0] != first[1] != first[2]
    assert stream(op_type, seed=4) != first
    ort_core.set_seed(99)
    assert stream(op_type, seed=3) == first


@pytest.mark.parametrize("op_type", CASES)
def test_the_process_seed_gives_later_sessions_the_same_stream(op_type: str) -> None:
    ort_core.set_seed(11)
    first = stream(op_type)
    assert stream(op_type) == first
    assert first[0] != first[1]
    ort_core.set_seed(12)
    assert stream(op_type) != first


@pytest.mark.parametrize("op_type", CASES)
def test_without_a_seed_sessions_differ(op_type: str) -> None:
    assert stream(op_type) != stream(op_type)


@pytest.mark.parametrize("op_type", CASES)
def test_random_operators_draw_from_every_type_of_input(op_type: str) -> None:
    feeds, settings = CASES[op_type]
    schema = schemas()["", op_type]
    if not feeds:
        return
    for element in elements_allowed(schema, schema.inputs[0].type_str):
        if op_type.endswith("Like"):
            settings = {"dtype": int(E.FLOAT)}
        elif op_type == "Bernoulli" and element not in FLOATS:
            continue
        given = {"x": recast(feeds["x"], element), **{k: v for k, v in feeds.items() if k != "x"}}
        (y,) = session_of(op_type, given, **settings).run(None, given)
        assert y.shape[0] == given["x"].shape[0]


@pytest.mark.parametrize("element", FLOATS, ids=lambda e: e.onnx_name)
def test_uniform_numbers_stay_below_the_end(element: E) -> None:
    (y,) = session_of("RandomUniform", {}, shape=[50000], low=-1.0, high=1.0, seed=1, dtype=int(element)).run(None, {})
    drawn = y.astype(np.float64)
    assert y.dtype == element.dtype
    assert (drawn.min() >= -1, drawn.max() < 1, abs(drawn.mean()) < 0.02) == (True, True, True)
    assert abs(drawn.std() - 2 / np.sqrt(12)) < 0.02


@pytest.mark.parametrize("element", FLOATS, ids=lambda e: e.onnx_name)
def test_normal_numbers_have_their_moments(element: E) -> None:
    (y,) = session_of("RandomNormal", {}, shape=[50000], mean=1.0, scale=0.5, seed=1, dtype=int(element)).run(None, {})
    drawn = y.astype(np.float64)
    assert y.dtype == element.dtype
    assert abs(drawn.mean() - 1) < 0.02
    assert abs(drawn.std() - 0.5) < 0.02
    assert abs(((drawn - 1) ** 3).mean()) < 0.02


@pytest.mark.parametrize("element", FLOATS, ids=lambda e: e.onnx_name)
def test_bernoulli_and_dropout_keep_their_rates(element: E) -> None:
    p = recast(np.full(20000, 0.25, np.float32), element)
    (y,) = session_of("Bernoulli", {"x": p}, seed=1).run(None, {"x": p})
    assert y.dtype == element.dtype
    assert abs(y.astype(np.float64).mean() - 0.25) < 0.02
    feeds = {"x": p, "r": np.array(0.75, np.float32), "t": np.array(True)}
    (y,) = session_of("Dropout", feeds, seed=1).run(None, feeds)
    assert y.dtype == element.dtype
    assert set(y.astype(np.float64).tolist()) == {0.0, 1.0}
    assert abs(y.astype(np.float64).mean() - 0.25) < 0.02


@pytest.mark.parametrize("element", FLOATS, ids=lambda e: e.onnx_name)
def test_multinomial_draws_each_class_at_its_rate(element: E) -> None:
    logits = recast(np.log(f32([1, 2, 5], [5, 2, 1])), element)
    for code in (E.INT32, E.INT64):
        (y,) = session_of("Multinomial", {"x": logits}, seed=1, sample_size=20000, dtype=int(code)).run(
            None, {"x": logits}
        )
        rates = [[(row == c).mean() for c in range(3)] for row in y]
        assert y.dtype == code.dtype
        np.testing.assert_allclose(rates, [[0.125, 0.25, 0.625], [0.625, 0.25, 0.125]], atol=0.02)
