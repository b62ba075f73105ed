import pytest
from fusion_helpers import assert_same_results, floats, fused, ops


@pytest.mark.parametrize(
    "body",
    [
        "s = Softplus(x) t = Tanh(s) y = Mul(x, t)",
        "s = Softplus(x) t = Tanh(s) y = Mul(t, x)",
        "one = Constant<value = float {1.0}>() e = Exp(x) a = Add(e, one) s = Log(a) t = Tanh(s) y = Mul(x, t)",
        "one = Constant<value = float {1.0}>() e = Exp(x) a = Add(one, e) s = Log(a) t = Tanh(s) y = Mul(x, t)",
    ],
)
def test_mish_fuses(body: str) -> None:
    text = f"g (float[N, 33] x) => (float[N, 33] y) {{ {body} }}"
    assert ops(fused(text, "fuse_mish")) == ["Mish"]
    assert_same_results(text, {"x": 4 * floats(5, 33)})


@pytest.mark.parametrize(
    "body",
    [
        "s = Softplus(w) t = Tanh(s) y = Mul(x, t)",
        "s = Softplus(x) t = Tanh(s) y = Add(x, t)",
        "s = Softplus(x) t = Sigmoid(s) y = Mul(x, t)",
        "two = Constant<value = float {2.0}>() e = Exp(x) a = Add(e, two) s = Log(a) t = Tanh(s) y = Mul(x, t)",
    ],
)
def test_near_misses_do_not_fuse(body: str) -> None:
    text = f"g (float[5, 33] x, float[5, 33] w) => (float[5, 33] y) {{ {body} }}"
    assert "Mish" not in ops(fused(text, "fuse_mish"))
    assert_same_results(text, {"x": floats(5, 33), "w": floats(5, 33, seed=1)})


def test_softplus_that_is_used_elsewhere_does_not_fuse() -> None:
    text = "g (float[5, 33] x) => (float[5, 33] y, float[5, 33] s) { s = Softplus(x) t = Tanh(s) y = Mul(x, t) }"
    assert "Mish" not in ops(fused(text, "fuse_mish"))
