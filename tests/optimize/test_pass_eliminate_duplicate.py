import numpy as np
import pytest
from optimize_helpers import apply_pass, assert_same_results, floats, ops


def test_equal_chains_are_computed_once() -> None:
    text = "g (float[2] x) => (float[2] z) { a = Neg(x) b = Neg(x) c = Sqrt(a) d = Sqrt(b) z = Add(c, d) }"
    model = apply_pass("eliminate_duplicate", text)
    assert ops(model) == ["Neg", "Sqrt", "Add"]
    assert_same_results(text, model, {"x": floats(2)})


def test_outputs_may_share_a_value() -> None:
    text = "g (float[2] x) => (float[2] y, float[2] z) { y = Neg(x) z = Neg(x) }"
    model = apply_pass("eliminate_duplicate", text)
    assert ops(model) == ["Neg"]
    assert model.graph.output_names == ["y", "z"]
    assert_same_results(text, model, {"x": floats(2)})


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("a = Transpose<perm = [1, 0]>(x)", "b = Transpose<perm = [0, 1]>(x)"),
        ("a = Sub(x, y)", "b = Sub(y, x)"),
        ("a = LeakyRelu<alpha = 0.0>(x)", "b = LeakyRelu<alpha = -0.0>(x)"),
        ("a = Neg(x)", "b = my.Neg(x)"),
        ("a = my.Thing(x)", "b = my.Thing(x)"),
        ("a = RandomNormalLike(x)", "b = RandomNormalLike(x)"),
        ("a = Bernoulli(x)", "b = Bernoulli(x)"),
        ("a = Clip(x, lo)", 'b = Clip(x, "", lo)'),
        ("a = Cast<to = 10>(x)", "b = Cast<to = 11>(x)"),
    ],
)
def test_nodes_that_differ_or_draw_random_numbers_stay(a: str, b: str) -> None:
    text = f"""g (float[2,2] x, float[2,2] y, float lo) => (float[2,2] p, float[2,2] q) {{
        {a} {b} p = Cast<to = 1>(a) q = Cast<to = 1>(b)
    }}"""
    model = apply_pass("eliminate_duplicate", text)
    assert len(ops(model)) == 4


def test_equal_small_constants_become_one() -> None:
    text = """g (float[2] x) => (float[2] z) <float[2] a = {1, 2}, float[2] b = {1, 2}, float[1,2] c = {1, 2}> {
        p = Mul(x, a) q = Add(p, b) r = Sub(q, c) s = Constant<value_ints = [-1]>() z = Reshape(r, s)
    }"""
    model = apply_pass("eliminate_duplicate", text)
    assert list(model.graph.initializers) == ["a", "c", "s"]
    assert_same_results(text, model, {"x": floats(2)})


def test_constants_that_differ_in_the_sign_of_zero_stay() -> None:
    text = """g (float[2] x) => (float[2] z) <float a = {0.0}, float b = {-0.0}> { p = Add(x, a) z = Add(p, b) }"""
    model = apply_pass("eliminate_duplicate", text)
    assert list(model.graph.initializers) == ["a", "b"]
    assert_same_results(text, model, {"x": floats(2)})


def test_overridable_initializers_stay() -> None:
    text = (
        """g (float[2] x, float[2] a = {1, 2}, float[2] b = {1, 2}) => (float[2] z) { p = Mul(x, a) z = Add(p, b) }"""
    )
    model = apply_pass("eliminate_duplicate", text)
    assert [v.name for v in model.graph.inputs] == ["x", "a", "b"]
    assert_same_results(text, model, {"x": floats(2), "b": np.zeros(2, np.float32)})


def test_nodes_with_subgraphs_stay() -> None:
    branch = """<then_branch = t{0} () => (float[2] a{0}) {{ a{0} = Neg(x) }},
        else_branch = e{0} () => (float[2] b{0}) {{ b{0} = Abs(x) }}>"""
    text = f"g (float[2] x, bool c) => (float[2] y, float[2] z) {{ y = If(c){branch.format(1)} z = If(c){branch.format(2)} }}"
    assert ops(apply_pass("eliminate_duplicate", text)) == ["If", "If"]


def test_equal_nodes_with_several_outputs_merge_output_by_output() -> None:
    text = """g (float[4] x) => (float[2] p, float[2] q) {
        a, b = Split<num_outputs = 2>(x) c, d = Split<num_outputs = 2>(x) p = Sub(a, d) q = Sub(c, b)
    }"""
    model = apply_pass("eliminate_duplicate", text)
    assert ops(model) == ["Split", "Sub"]
    assert_same_results(text, model, {"x": floats(4)})


def test_nodes_in_different_graphs_stay() -> None:
    text = """g (float[2] x, bool c) => (float[2] z) {
        y = Neg(x)
        w = If(c) <then_branch = t () => (float[2] a) { a = Neg(x) }, else_branch = e () => (float[2] b) { b = Abs(x) }>
        z = Add(y, w)
    }"""
    model = apply_pass("eliminate_duplicate", text)
    assert [len(s) for s in model.graph.nodes[1].subgraphs] == [1, 1]
