import pytest
from fusion_helpers import assert_same_results, floats, fused, ops


@pytest.mark.parametrize("product", ["Mul(x, s)", "Mul(s, x)"])
def test_silu_fuses(product: str) -> None:
    text = f"g (float[N, 33] x) => (float[N, 33] y) {{ s = Sigmoid(x) y = {product} }}"
    model = fused(text, "fuse_silu")
    assert ops(model) == ["Swish"]
    assert model.graph.nodes[0].attr("alpha") == 1
    assert_same_results(text, {"x": 4 * floats(5, 33)}, {"x": floats(0, 33)})


@pytest.mark.parametrize("scaled", ["Mul(x, a)", "Mul(a, x)", "Div(x, b)"])
def test_scale_in_the_sigmoid_is_alpha(scaled: str) -> None:
    text = f"""g (float[N, 33] x) => (float[N, 33] y) {{
        a = Constant<value = float {{1.75}}>() b = Constant<value = float {{0.5714286}}>()
        m = {scaled} s = Sigmoid(m) y = Mul(x, s)
    }}"""
    model = fused(text, "fuse_silu")
    assert ops(model) == ["Swish"]
    assert model.graph.nodes[0].attr("alpha") == pytest.approx(1.75, rel=1e-6)
    assert_same_results(text, {"x": 4 * floats(5, 33)})


@pytest.mark.parametrize(
    "body",
    [
        "s = Sigmoid(x) y = Mul(w, s)",
        "s = Sigmoid(x) y = Add(x, s)",
        "c = Constant<value = float {1.0}>() b = Add(x, c) s = Sigmoid(b) y = Mul(x, s)",
        "c = Constant<value = float {2.0}>() b = Pow(x, c) s = Sigmoid(b) y = Mul(x, s)",
        "b = Mul(x, w) s = Sigmoid(b) y = Mul(x, s)",
        "s = Sigmoid(x) y = Mul(s, s)",
    ],
)
def test_near_misses_do_not_fuse(body: str) -> None:
    text = f"g (float[5, 33] x, float[5, 33] w) => (float[5, 33] y) {{ {body} }}"
    assert "Swish" not in ops(fused(text, "fuse_silu"))
    assert_same_results(text, {"x": floats(5, 33), "w": floats(5, 33, seed=1)})


def test_sigmoid_that_is_used_elsewhere_does_not_fuse() -> None:
    text = "g (float[5, 33] x) => (float[5, 33] y, float[5, 33] s) { s = Sigmoid(x) y = Mul(x, s) }"
    assert "Swish" not in ops(fused(text, "fuse_silu"))


def test_float64_stays_as_it_is() -> None:
    text = "g (double[5, 33] x) => (double[5, 33] y) { s = Sigmoid(x) y = Mul(x, s) }"
    assert "Swish" not in ops(fused(text, "fuse_silu"))
