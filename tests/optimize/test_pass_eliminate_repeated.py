import numpy as np
import pytest
from optimize_helpers import apply_pass, assert_same_results, ops

VALUES = np.array([0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan], np.float32)


@pytest.mark.parametrize("op", ["Abs", "Ceil", "Floor", "Relu", "Round", "Sign"])
def test_idempotent_operator_is_applied_once(op: str) -> None:
    text = f"g (float[7] x) => (float[7] z) {{ a = {op}(x) b = {op}(a) z = {op}(b) }}"
    model = apply_pass("eliminate_repeated", text)
    assert ops(model) == [op]
    assert_same_results(text, model, {"x": VALUES})


def test_negation_twice_vanishes() -> None:
    text = "g (float[7] x) => (float[7] z) { a = Neg(x) z = Neg(a) }"
    model = apply_pass("eliminate_repeated", text)
    assert ops(model) == []
    assert_same_results(text, model, {"x": VALUES})


def test_negation_three_times_is_one() -> None:
    text = "g (bool[2] x) => (bool[2] z) { a = Not(x) b = Not(a) z = Not(b) }"
    model = apply_pass("eliminate_repeated", text)
    assert ops(model) == ["Not"]
    assert_same_results(text, model, {"x": np.array([True, False])})


@pytest.mark.parametrize("op", ["Sigmoid", "Sqrt", "Reciprocal"])
def test_other_operators_stay(op: str) -> None:
    text = f"g (float[7] x) => (float[7] z) {{ a = {op}(x) z = {op}(a) }}"
    assert ops(apply_pass("eliminate_repeated", text)) == [op, op]
