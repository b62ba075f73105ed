"""How the kit compares results, and what it knows of ONNX's cases."""

import re

import numpy as np
import pytest

from ort_core.testing.conformance.compare import assert_bernoulli, assert_same
from ort_core.testing.conformance.onnx_cases import KINDS, load_cases
from ort_core.testing.conformance.onnx_runs import RANDOM_CASES
from ort_core.testing.conformance.results import one_line

F32 = np.array([[1, 2], [np.nan, -np.inf]], np.float32)


@pytest.mark.parametrize(
    "value", [None, F32, [F32, [F32]], [], np.array(["a", "b"], object), np.array(3), np.array([True]), np.array([1j])]
)
def test_equal_values(value):
    assert_same(value, value if value is None or isinstance(value, list) else value.copy())


@pytest.mark.parametrize(
    ("expected", "got", "message"),
    [
        (F32, F32.astype(np.float64), "y: got float64[2, 2], expected float32[2, 2]"),
        (F32, F32[0], "y: got float32[2], expected float32[2, 2]"),
        (F32, F32.tolist(), "y: got a list of 2, expected float32[2, 2]"),
        (F32, None, "y: got NoneType, expected float32[2, 2]"),
        (None, F32, "y: got float32[2, 2], expected no value"),
        ([F32], [F32, F32], "y: got a list of 2, expected a list of 1"),
        ([F32], [F32[0]], "y[0]: got float32[2], expected float32[2, 2]"),
        (
            np.array(["a"], object),
            np.array(["b"], object),
            "1 of 1 values of string[1] differ; the first, at [0], is b, expected a",
        ),
        (np.arange(4), np.array([0, 1, 3, 3]), "1 of 4 values of int64[4] differ; the first, at [2], is 3, expected 2"),
        (F32, np.nan_to_num(F32), "2 of 4 values of float32[2, 2] differ"),
        (np.float32([1]), np.float32([1.01]), "(rtol 0.001, atol 0)"),
        (np.array([1 + 1j]), np.array([1 - 1j]), "1 of 1 values of complex128[1] differ"),
    ],
)
def test_differences_say_where_and_how(expected, got, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        assert_same(expected, got, rtol=1e-3, where="y")


def test_tolerances_are_for_floats_only():
    assert_same(np.float32([100]), np.float32([100.4]), rtol=5e-3)
    with pytest.raises(AssertionError):
        assert_same(np.array([100]), np.array([101]), rtol=5e-1, atol=5)


def test_bernoulli_is_checked_by_rate():
    rng = np.random.default_rng(0)
    p = np.full((10, 10), 0.3)
    draws = [(rng.random(p.shape) < p).astype(np.float32) for _ in range(50)]
    assert_bernoulli(p, draws[0], draws)
    with pytest.raises(AssertionError, match="expected 1000 with sigma"):
        assert_bernoulli(p - 0.1, draws[0], draws)
    with pytest.raises(AssertionError, match="drew the same numbers"):
        assert_bernoulli(draws[0], draws[0], [draws[0]] * 3)
    with pytest.raises(AssertionError, match="got float64"):
        assert_bernoulli(p, draws[0], [p])


def test_the_kit_has_every_kind_of_case():
    kinds = [case.kind for case in load_cases().values()]
    assert {kind: kinds.count(kind) for kind in KINDS} == {
        "node": 1884,
        "simple": 23,
        "pytorch-converted": 82,
        "pytorch-operator": 35,
    }
    assert set(load_cases()) >= RANDOM_CASES


def test_cases_of_one_node_name_their_operator():
    cases = load_cases()
    assert cases["test_add"].operator == "ai.onnx::Add"
    assert cases["test_ai_onnx_ml_binarizer"].operator == "ai.onnx.ml::Binarizer"
    assert cases["test_gelu_default_1_expanded"].operator is None


def test_messages_are_one_line_without_what_is_of_this_machine():
    text = "RuntimeError: <object at 0x7f3a> in\n  /home/me/site-packages/ort_core/run.py failed; 1/2 ai.onnx::Add"
    assert one_line(text) == "RuntimeError: <object at 0x...> in run.py failed; 1/2 ai.onnx::Add"
    assert len(one_line("x" * 1000)) == 300
