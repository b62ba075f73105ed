import numpy as np
from optimize_helpers import apply_pass, assert_same_results, floats, ops


def test_identity_between_nodes_vanishes() -> None:
    text = "g (float[2] x) => (float[2] z) { a = Identity(x) b = Identity(a) z = Neg(b) }"
    model = apply_pass("eliminate_identity", text)
    assert ops(model) == ["Neg"]
    assert_same_results(text, model, {"x": floats(2)})


def test_output_keeps_its_interface_name_when_its_identity_vanishes() -> None:
    text = "g (float[2] x) => (float[2] y, float[2] z) { y = Neg(x) z = Identity(y) }"
    model = apply_pass("eliminate_identity", text)
    assert ops(model) == ["Neg"]
    assert model.graph.output_names == ["y", "z"]
    assert model.graph.outputs[0] is model.graph.outputs[1]
    assert_same_results(text, model, {"x": floats(2)})


def test_identity_of_an_input_at_an_output_vanishes() -> None:
    text = "g (float[2] x) => (float[2] z) { z = Identity(x) }"
    model = apply_pass("eliminate_identity", text)
    assert ops(model) == []
    assert model.graph.outputs == model.graph.inputs
    assert model.graph.output_names == ["z"]
    assert_same_results(text, model, {"x": floats(2)})


def test_identity_of_a_constant_at_an_output_vanishes() -> None:
    text = "g () => (float[2] z) <float[2] w = {1, 2}> { z = Identity(w) }"
    model = apply_pass("eliminate_identity", text)
    assert ops(model) == []
    assert_same_results(text, model, {})


def test_identity_of_an_outer_value_in_a_branch_vanishes() -> None:
    text = """g (bool c, float[2] x) => (float[2] z) {
        z = If(c) <then_branch = t () => (float[2] a) { a = Identity(x) },
                   else_branch = e () => (float[2] b) { b = Neg(x) }>
    }"""
    model = apply_pass("eliminate_identity", text)
    then, other = model.graph.nodes[0].subgraphs
    assert (len(then), len(other)) == (0, 1)
    assert then.outputs == (model.graph.inputs[1],)
    for condition in (True, False):
        assert_same_results(text, model, {"c": np.array(condition), "x": floats(2)})


def test_identity_in_a_loop_body_vanishes() -> None:
    text = """g (int64 n, float[2] x) => (float[2] z) {
        go = Constant<value = bool {1}>()
        z = Loop(n, go, x) <body = b (int64 i, bool g, float[2] s) => (bool h, float[2] t) {
            h = Identity(g)
            u = Neg(s)
            t = Identity(u)
        }>
    }"""
    model = apply_pass("eliminate_identity", text)
    (body,) = model.graph.nodes[0].subgraphs
    assert [n.op_type for n in body.nodes] == ["Neg"]
    assert_same_results(text, model, {"n": np.array(3), "x": floats(2)})


def test_identity_of_a_sequence_vanishes() -> None:
    text = """g (float[2] x) => (float[2] z) {
        s = SequenceConstruct(x, x)
        t = Identity(s)
        i = Constant<value_int = 1>()
        z = SequenceAt(t, i)
    }"""
    model = apply_pass("eliminate_identity", text)
    assert ops(model) == ["SequenceConstruct", "SequenceAt"]
    assert_same_results(text, model, {"x": floats(2)})


def test_operator_of_the_same_name_in_another_domain_stays() -> None:
    assert ops(apply_pass("eliminate_identity", "g (float[2] x) => (float[2] z) { z = my.Identity(x) }")) == [
        "Identity"
    ]
