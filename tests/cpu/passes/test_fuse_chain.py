import numpy as np
import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

CONSTANTS = """
    two = Constant<value = float {2.0}>() half = Constant<value = float {0.5}>() zero = Constant<value = float {0.0}>()
    minus_zero = Constant<value = float {-0.0}>() row = Constant<value = float[5] {1.0, 2.0, 3.0, 4.0, 5.0}>()
    cube = Constant<value = float[1, 1, 1] {2.0}>() low = Constant<value = float {-1.0}>()
"""


def _text(body: str, outputs: str = "", y: str = "P, Q") -> str:
    return f"g (float[N, 5] x, float[N, 5] w, float[1, 5] r) => (float[{y}] y{outputs}) {{ {CONSTANTS} {body} }}"


def _feed(rows: int = 3) -> dict[str, np.ndarray]:
    return {"x": floats(rows, 5), "w": floats(rows, 5, seed=1), "r": floats(1, 5)}


FORMS = {
    "chain": "a = Mul(x, two) b = Exp(a) c = Add(b, half) y = Sqrt(c)",
    "tree": "a = Exp(x) b = Tanh(w) c = Mul(a, b) y = Sub(c, r)",
    "diamond": "a = Exp(x) b = Add(a, half) c = Mul(a, two) y = Div(b, c)",
    "twice": "a = Abs(x) y = Mul(a, a)",
    "vector": "a = Mul(x, row) y = Add(a, r)",
    "parameters": "a = LeakyRelu<alpha = 0.2>(x) b = Elu(a) c = HardSigmoid(b) d = Selu(c) e = Celu(d) y = ThresholdedRelu(e)",
    "activations": "a = Gelu(x) b = Mish(a) c = HardSwish(b) d = Softplus(c) y = Softsign(d)",
    "clip": "a = Clip(x, low, half) b = Clip(a, low) c = Abs(b) y = Relu(c)",
    "many operands": "a = Max(x, w, two) b = Min(a, half, r) y = Sum(b, x, w)",
    "powers": "p = Abs(x) a = Pow(p, two) b = Pow(a, half) y = Pow(b, w)",
    "slope": "a = PRelu(x, r) y = Neg(a)",
    "signed zeros": "a = Abs(x) b = Div(a, zero) c = Div(a, minus_zero) d = Max(c, low) e = Mul(zero, w) f = Add(b, d) "
    "y = Min(f, e)",
}


@pytest.mark.parametrize("form", FORMS)
def test_elementwise_nodes_become_one_chain(form: str) -> None:
    text = _text(FORMS[form])
    assert ops(fused(text, "fuse_chain")) == ["Chain"]
    assert_same_results(text, _feed(), _feed(0))


def test_numbers_are_constants_of_the_program() -> None:
    (node,) = fused(_text("a = Mul(x, two) y = Add(a, half)"), "fuse_chain").graph.nodes
    assert node.attr("constants") == (2.0, 0.5)
    assert len(node.inputs) == 1


def test_number_that_adds_dimensions_stays_an_input() -> None:
    text = _text("a = Mul(x, cube) y = Exp(a)", y="P, Q, R")
    assert_same_results(text, _feed())


def test_result_that_is_used_elsewhere_ends_the_chain() -> None:
    text = _text("a = Exp(x) b = Neg(a) c = Add(b, two) y = Mul(c, half)", ", float[P, Q] b")
    model = fused(text, "fuse_chain")
    assert ops(model) == ["Chain", "Chain"]
    assert_same_results(text, _feed())


def test_smaller_operand_is_not_computed_again_for_each_row() -> None:
    text = _text("a = Exp(r) b = Sqrt(a) c = Mul(x, b) y = Neg(c)")
    assert ops(fused(text, "fuse_chain")) == ["Chain", "Chain"]
    assert_same_results(text, _feed())


def test_sizes_that_turn_out_to_differ_broadcast() -> None:
    text = "g (float[N, 5] x, float[M, 5] w) => (float[P, Q] y) { a = Exp(x) b = Mul(a, w) y = Neg(b) }"
    assert ops(fused(text, "fuse_chain")) == ["Chain"]
    for rows, others in ((3, 3), (1, 4), (4, 1)):
        assert_same_results(text, {"x": floats(rows, 5), "w": floats(others, 5)})


def test_long_chain_is_cut() -> None:
    body = "".join(f"v{i + 1} = Sin(v{i}) " for i in range(100)).replace("Sin(v0)", "Sin(x)") + " y = Neg(v100)"
    model = fused(_text(body), "fuse_chain")
    assert 2 <= len(ops(model)) <= 4
    assert_same_results(_text(body), _feed(), tolerance=1e-4)


def test_sum_of_many_is_cut_at_the_number_of_inputs() -> None:
    inputs = ", ".join(f"float[3] x{i}" for i in range(40))
    body = "s0 = Add(x0, x1) " + " ".join(f"s{i} = Add(s{i - 1}, x{i + 1})" for i in range(1, 39)) + " y = Neg(s38)"
    text = f"g ({inputs}) => (float[3] y) {{ {body} }}"
    model = fused(text, "fuse_chain")
    assert set(ops(model)) == {"Chain"}
    assert all(len(node.inputs) <= 16 for node in model.graph.nodes)
    assert_same_results(text, {f"x{i}": floats(3, seed=i) for i in range(40)})


@pytest.mark.parametrize("body", ["y = Exp(x)", "a = Transpose(x) b = Exp(a) y = Transpose(b)", "y = Softmax(x)"])
def test_single_nodes_stay(body: str) -> None:
    assert "Chain" not in ops(fused(_text(body), "fuse_chain"))


@pytest.mark.parametrize("kind", ["double", "int32", "float16"])
def test_other_types_stay(kind: str) -> None:
    text = f"g ({kind}[3] x, {kind}[3] w) => ({kind}[3] y) {{ a = Add(x, w) y = Mul(a, x) }}"
    assert "Chain" not in ops(fused(text, "fuse_chain"))
