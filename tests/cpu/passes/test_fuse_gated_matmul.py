import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

K, N = 6, 5


def _numbers(*shape: int, seed: int) -> str:
    return ", ".join(repr(round(float(v), 3)) for v in floats(*shape, seed=seed).reshape(-1))


CONSTANTS = f"""
    g = Constant<value = float[{K}, {N}] {{{_numbers(K, N, seed=0)}}}>()
    u = Constant<value = float[{K}, {N}] {{{_numbers(K, N, seed=1)}}}>()
    one = Constant<value = float[{K}, 1] {{{_numbers(K, 1, seed=2)}}}>()
"""


def _text(body: str, outputs: str = "") -> str:
    return f"g (float[B, 3, {K}] x, float[B, 3, {K}] w) => (float[P, Q, R] y{outputs}) {{ {CONSTANTS} {body} }}"


@pytest.mark.parametrize(
    ("body", "activation"),
    [
        ("a = MatMul(x, g) s = Sigmoid(a) m = Mul(a, s) b = MatMul(x, u) y = Mul(m, b)", "silu"),
        ("a = MatMul(x, g) s = Sigmoid(a) m = Mul(a, s) b = MatMul(x, u) y = Mul(b, m)", "silu"),
        ("a = MatMul(x, g) m = Gelu(a) b = MatMul(x, u) y = Mul(m, b)", "gelu_erf"),
        ("a = MatMul(x, g) m = Relu(a) b = MatMul(x, u) y = Mul(m, b)", "relu"),
        ("a = MatMul(x, g) b = MatMul(x, u) y = Mul(a, b)", "none"),
    ],
)
def test_gated_product_fuses(body: str, activation: str) -> None:
    text = _text(body)
    model = fused(text, "fuse_silu", "fuse_gated_matmul")
    assert ops(model) == ["GatedMatMul"]
    assert model.graph.nodes[0].attr("activation") == activation
    assert_same_results(
        text, {"x": floats(2, 3, K), "w": floats(2, 3, K)}, {"x": floats(0, 3, K), "w": floats(0, 3, K)}
    )


@pytest.mark.parametrize(
    "body",
    [
        "a = MatMul(x, g) m = Relu(a) b = MatMul(w, u) y = Mul(m, b)",
        "a = MatMul(x, g) m = Relu(a) b = MatMul(x, one) y = Mul(m, b)",
        "a = MatMul(x, g) m = Relu(a) b = MatMul(x, u) y = Add(m, b)",
        "a = MatMul(x, g) m = Relu(a) y = Mul(m, a)",
        "a = MatMul(x, g) m = Exp(a) b = MatMul(x, u) y = Mul(m, b)",
        "a = MatMul(x, g) y = Mul(a, a)",
    ],
)
def test_near_misses_do_not_fuse(body: str) -> None:
    text = _text(body)
    assert "GatedMatMul" not in ops(fused(text, "fuse_gated_matmul"))
    assert_same_results(text, {"x": floats(2, 3, K), "w": floats(2, 3, K)}, tolerance=1e-4)


@pytest.mark.parametrize("name", ["a", "m", "b"])
def test_intermediate_that_is_an_output_does_not_fuse(name: str) -> None:
    text = _text("a = MatMul(x, g) m = Relu(a) b = MatMul(x, u) y = Mul(m, b)", f", float[P, Q, R] {name}")
    assert "GatedMatMul" not in ops(fused(text, "fuse_gated_matmul"))
