import numpy as np
import pytest
from optimize_helpers import apply_all, apply_pass, assert_same_results, floats, ops

TEXT = """g (float[2] x) => (float[2] z) {{
    c = Constant<value = bool {shape} {{{taken}}}>()
    y = Neg(x)
    w = If(c) <then_branch = t () => (float[2] a) {{ k = Constant<value_float = 2.0>() m = Mul(y, k) a = Sqrt(m) }},
               else_branch = e () => (float[2] b) {{ k = Constant<value_float = 3.0>() m = Add(x, k) b = Abs(m) }}>
    z = Relu(w)
}}"""


@pytest.mark.parametrize(("taken", "expected"), [(1, ["Neg", "Mul", "Sqrt", "Relu"]), (0, ["Add", "Abs", "Relu"])])
@pytest.mark.parametrize("shape", ["", "[1]"])
def test_branch_that_is_taken_replaces_the_node(taken: int, expected: list[str], shape: str) -> None:
    text = TEXT.format(taken=taken, shape=shape)
    model = apply_all(text)
    assert ops(model) == expected
    assert_same_results(text, model, {"x": floats(2)})


def test_branch_that_only_passes_outer_values_on() -> None:
    text = """g (float[2] x) => (float[2] z, float[2] w) {
        c = Constant<value = bool {1}>()
        z, w = If(c) <then_branch = t () => (float[2] a, float[2] b) { a = Identity(x) b = Identity(x) },
                      else_branch = e () => (float[2] d, float[2] f) { d = Neg(x) f = Abs(x) }>
    }"""
    model = apply_all(text)
    assert ops(model) == []
    assert model.graph.output_names == ["z", "w"]
    assert_same_results(text, model, {"x": floats(2)})


def test_names_inside_do_not_clash_with_names_of_sibling_subgraphs() -> None:
    text = """g (float[2] x, bool d) => (float[2] z) {
        c = Constant<value = bool {1}>()
        y = If(c) <then_branch = t () => (float[2] a) { m = Neg(x) a = Sqrt(m) },
                   else_branch = e () => (float[2] b) { b = Abs(x) }>
        z = If(d) <then_branch = t2 () => (float[2] a) { m = Abs(y) a = Neg(m) },
                   else_branch = e2 () => (float[2] b) { m = Exp(y) b = Neg(m) }>
    }"""
    model = apply_all(text)
    assert ops(model) == ["Neg", "Sqrt", "If"]
    for condition in (True, False):
        assert_same_results(text, model, {"x": floats(2), "d": np.array(condition)})


def test_nested_constant_conditions_all_go() -> None:
    text = """g (float[2] x) => (float[2] z) {
        c = Constant<value = bool {1}>()
        z = If(c) <then_branch = t () => (float[2] a) {
                a = If(c) <then_branch = t2 () => (float[2] p) { p = Neg(x) },
                           else_branch = e2 () => (float[2] q) { q = Abs(x) }>
            }, else_branch = e () => (float[2] b) { b = Exp(x) }>
    }"""
    model = apply_all(text)
    assert ops(model) == ["Neg"]
    assert_same_results(text, model, {"x": floats(2)})


def test_condition_that_can_be_overridden_keeps_the_node() -> None:
    text = """g (float[2] x, bool c = {1}) => (float[2] z) {
        z = If(c) <then_branch = t () => (float[2] a) { a = Neg(x) }, else_branch = e () => (float[2] b) { b = Abs(x) }>
    }"""
    assert ops(apply_pass("inline_constant_if", text)) == ["If"]


def test_computed_condition_keeps_the_node() -> None:
    text = """g (float[2] x, bool c) => (float[2] z) {
        z = If(c) <then_branch = t () => (float[2] a) { a = Neg(x) }, else_branch = e () => (float[2] b) { b = Abs(x) }>
    }"""
    assert ops(apply_pass("inline_constant_if", text)) == ["If"]
