import numpy as np
from optimize_helpers import apply_pass, assert_same_results, floats, ops

from ort_core.ir.graph import Node, Value
from ort_core.optimize.pipeline import find_passes


def test_unused_chain_and_its_constants_vanish() -> None:
    text = """g (float[2] x) => (float[2] z) <float[2] w = {1, 2}> { a = Mul(x, w) b = Neg(a) z = Abs(x) }"""
    model = apply_pass("eliminate_dead", text)
    assert ops(model) == ["Abs"]
    assert not model.graph.initializers
    assert_same_results(text, model, {"x": floats(2)})


def test_node_with_one_used_output_of_two_stays() -> None:
    text = "g (float[4] x) => (float[2] z) { z, w = Split<num_outputs = 2>(x) }"
    assert ops(apply_pass("eliminate_dead", text)) == ["Split"]


def test_values_used_only_by_a_subgraph_stay() -> None:
    text = """g (bool c, float[2] x) => (float[2] z) <float[2] w = {1, 2}> {
        y = Mul(x, w)
        z = If(c) <then_branch = t () => (float[2] a) { a = Neg(y) },
                   else_branch = e () => (float[2] b) { b = Neg(x) }>
    }"""
    assert ops(apply_pass("eliminate_dead", text)) == ["Mul", "If"]


def test_unused_if_releases_what_its_branches_capture() -> None:
    text = """g (bool c, float[2] x) => (float[2] v) {
        y = Neg(x)
        z = If(c) <then_branch = t () => (float[2] a) { a = Neg(y) },
                   else_branch = e () => (float[2] b) { b = Neg(x) }>
        v = Abs(x)
    }"""
    assert ops(apply_pass("eliminate_dead", text)) == ["Abs"]


def test_unused_inputs_and_their_defaults_stay() -> None:
    text = "g (float[2] x, float[2] w = {1, 2}) => (float[2] z) { z = Neg(x) }"
    model = apply_pass("eliminate_dead", text)
    assert [v.name for v in model.graph.inputs] == ["x", "w"]
    assert list(model.graph.initializers) == ["w"]
    assert_same_results(text, model, {"x": floats(2), "w": np.ones(2, np.float32)})


def test_node_without_any_output_stays() -> None:
    model = apply_pass("eliminate_dead", "g (float[2] x) => (float[2] z) { z = Neg(x) }")
    model.graph.add(Node("Print", [model.graph.inputs[0]], [], domain="my"))
    (dead,) = [p for p in find_passes() if p.name == "eliminate_dead"]
    assert not dead(model.graph, None)
    assert ops(model) == ["Neg", "Print"]
    model.graph.add(Node("Print", [model.graph.inputs[0]], [Value("unused")], domain="my"))
    assert dead(model.graph, None)
    assert ops(model) == ["Neg", "Print"]
