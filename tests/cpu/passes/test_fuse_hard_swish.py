import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

CONSTANTS = """
    zero = Constant<value = float {0.0}>() three = Constant<value = float {3.0}>() six = Constant<value = float {6.0}>()
    one = Constant<value = float {1.0}>() half = Constant<value = float {0.5}>()
    sixth = Constant<value = float {0.16666667}>() four = Constant<value = float {4.0}>()
"""


def _text(body: str, outputs: str = "") -> str:
    return f"g (float[N, 33] x) => (float[N, 33] y{outputs}) {{ {CONSTANTS} {body} }}"


@pytest.mark.parametrize(
    "body",
    [
        "h = HardSigmoid<alpha = 0.16666667, beta = 0.5>(x) y = Mul(x, h)",
        "h = HardSigmoid<alpha = 0.16666667>(x) y = Mul(h, x)",
        "a = Add(x, three) c = Clip(a, zero, six) m = Mul(x, c) y = Div(m, six)",
        "a = Add(three, x) c = Clip(a, zero, six) m = Div(c, six) y = Mul(x, m)",
        "a = Add(x, three) c = Clip(a, zero, six) m = Mul(c, sixth) y = Mul(m, x)",
        "m = Mul(x, sixth) a = Add(m, half) c = Clip(a, zero, one) y = Mul(x, c)",
    ],
)
def test_hard_swish_fuses_in_every_form(body: str) -> None:
    text = _text(body)
    assert ops(fused(text, "fuse_hard_swish")) == ["HardSwish"]
    assert_same_results(text, {"x": 4 * floats(5, 33)}, {"x": floats(0, 33)})


@pytest.mark.parametrize(
    "body",
    [
        "h = HardSigmoid(x) y = Mul(x, h)",
        "h = HardSigmoid<alpha = 0.16666667, beta = 0.4>(x) y = Mul(x, h)",
        "a = Add(x, three) c = Clip(a, one, six) m = Mul(x, c) y = Div(m, six)",
        "a = Add(x, three) c = Clip(a, zero, four) m = Mul(x, c) y = Div(m, six)",
        "a = Add(x, three) c = Clip(a, zero) m = Mul(x, c) y = Div(m, six)",
        "a = Add(x, four) c = Clip(a, zero, six) m = Mul(x, c) y = Div(m, six)",
        "a = Sub(x, three) c = Clip(a, zero, six) m = Mul(x, c) y = Div(m, six)",
        "a = Sub(three, x) c = Clip(a, zero, six) m = Mul(x, c) y = Div(m, six)",
        "a = Add(x, three) c = Clip(a, zero, six) m = Mul(x, c) y = Div(m, four)",
        "a = Add(x, three) c = Clip(a, zero, six) m = Mul(a, c) y = Div(m, six)",
    ],
)
def test_near_misses_do_not_fuse(body: str) -> None:
    text = _text(body)
    assert "HardSwish" not in ops(fused(text, "fuse_hard_swish"))
    assert_same_results(text, {"x": 4 * floats(5, 33)})


def test_intermediate_that_is_an_output_does_not_fuse() -> None:
    body = "a = Add(x, three) c = Clip(a, zero, six) m = Mul(x, c) y = Div(m, six)"
    for name in "acm":
        assert "HardSwish" not in ops(fused(_text(body, f", float[N, 33] {name}"), "fuse_hard_swish"))


def test_integers_are_not_rounded_differently() -> None:
    text = """g (int32[5] x) => (int32[5] y) {
        zero = Constant<value = int32 {0}>() three = Constant<value = int32 {3}>() six = Constant<value = int32 {6}>()
        a = Add(x, three) c = Clip(a, zero, six) m = Mul(x, c) y = Div(m, six)
    }"""
    assert "HardSwish" not in ops(fused(text, "fuse_hard_swish"))
