import numpy as np
import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

CONSTANTS = """
    axes = Constant<value = int64[1] {-1}>() two = Constant<value = float {2.0}>() eps = Constant<value = float {0.00001}>()
    one = Constant<value = float {1.0}>() half = Constant<value = float {0.5}>() last = Constant<value = int64[1] {2}>()
    first = Constant<value = int64[1] {1}>() both = Constant<value = int64[2] {1, 2}>() three = Constant<value = float {3.0}>()
    minus = Constant<value = float {-0.5}>() epses = Constant<value = float[3, 1] {0.1, 0.2, 0.3}>()
    minus_eps = Constant<value = float {-0.1}>()
"""
TORCH = """mean = ReduceMean(x, axes) d = Sub(x, mean) q = Pow(d, two) var = ReduceMean(q, axes) a = Add(var, eps) s = Sqrt(a)
    n = Div(d, s) m = Mul(n, scale) y = Add(m, bias)"""
FORMS = {
    "torch": TORCH,
    "two differences": """mean = ReduceMean(x, axes) d = Sub(x, mean) d2 = Sub(x, mean) q = Pow(d2, two)
        var = ReduceMean(q, axes) a = Add(var, eps) s = Sqrt(a) n = Div(d, s) m = Mul(n, scale) y = Add(m, bias)""",
    "product": TORCH.replace("Pow(d, two)", "Mul(d, d)").replace("Mul(n, scale)", "Mul(scale, n)"),
    "reciprocal": TORCH.replace("n = Div(d, s)", "r = Reciprocal(s) n = Mul(d, r)"),
    "one over root": TORCH.replace("n = Div(d, s)", "r = Div(one, s) n = Mul(r, d)").replace(
        "Add(var, eps)", "Add(eps, var)"
    ),
    "power": TORCH.replace("s = Sqrt(a) n = Div(d, s)", "r = Pow(a, minus) n = Mul(d, r)"),
    "square root by power": TORCH.replace("Sqrt(a)", "Pow(a, half)"),
    "positive axis": TORCH.replace("axes", "last"),
    "without bias": TORCH.replace("m = Mul(n, scale) y = Add(m, bias)", "y = Mul(n, scale)"),
    "without scale": TORCH.replace("m = Mul(n, scale) y = Add(m, bias)", "y = Add(n, bias)"),
    "keras": """mean = ReduceMean(x, axes) d = Sub(x, mean) q = Mul(d, d) var = ReduceMean(q, axes) a = Add(var, eps)
        s = Sqrt(a) r = Reciprocal(s) f = Mul(r, scale) xf = Mul(x, f) mf = Mul(mean, f) o = Sub(bias, mf) y = Add(xf, o)""",
    "bare": TORCH.replace("n = Div(d, s) m = Mul(n, scale) y = Add(m, bias)", "y = Div(d, s)"),
}


def _text(body: str, outputs: str = "", kind: str = "float", size: int = 40) -> str:
    inputs = f"{kind}[N, 3, {size}] x, {kind}[{size}] scale, {kind}[{size}] bias, float[3, {size}] matrix"
    constants = CONSTANTS if kind == "float" else CONSTANTS.replace("float", kind)
    return f"g ({inputs}) => ({kind}[A, B, C] y{outputs}) {{ {constants} {body} }}"


def _feed(batch: int = 2) -> dict[str, np.ndarray]:
    return {
        "x": floats(batch, 3, 40) * 2 + 1,
        "scale": floats(40),
        "bias": floats(40, seed=1),
        "matrix": floats(3, 40),
    }


@pytest.mark.parametrize("form", FORMS)
def test_layer_norm_fuses_in_every_form(form: str) -> None:
    text = _text(FORMS[form])
    model = fused(text, "fuse_layer_norm")
    assert ops(model) == ["LayerNormalization"]
    assert model.graph.nodes[0].attr("epsilon") == pytest.approx(1e-5)
    assert_same_results(text, _feed(), _feed(0))


NEAR_MISSES = {
    "cube": TORCH.replace("Pow(d, two)", "Pow(d, three)"),
    "other axis": TORCH.replace("axes", "first"),
    "two axes": TORCH.replace("axes", "both"),
    "one other axis": TORCH.replace("ReduceMean(q, axes)", "ReduceMean(q, first)"),
    "sum": TORCH.replace("ReduceMean(q", "ReduceSum(q"),
    "vector epsilon": TORCH.replace("eps)", "epses)"),
    "negative epsilon": TORCH.replace("eps)", "minus_eps)"),
    "mean minus x": TORCH.replace("Sub(x, mean)", "Sub(mean, x)"),
    "turned division": TORCH.replace("Div(d, s)", "Div(s, d)"),
    "x instead of the difference": TORCH.replace("Div(d, s)", "Div(x, s)"),
    "difference of x squared": TORCH.replace("Pow(d, two)", "Pow(x, two)"),
    "keras with x in both products": """mean = ReduceMean(x, axes) d = Sub(x, mean) q = Mul(d, d) var = ReduceMean(q, axes)
        a = Add(var, eps) s = Sqrt(a) r = Reciprocal(s) f = Mul(r, scale) xf = Mul(x, f) mf = Mul(x, f) o = Sub(bias, mf)
        y = Add(xf, o)""",
    "keras with a sum": """mean = ReduceMean(x, axes) d = Sub(x, mean) q = Mul(d, d) var = ReduceMean(q, axes) a = Add(var, eps)
        s = Sqrt(a) r = Reciprocal(s) f = Mul(r, scale) xf = Mul(x, f) mf = Mul(mean, f) o = Add(bias, mf) y = Add(xf, o)""",
    "no root": TORCH.replace("Sqrt(a)", "Exp(a)"),
}


@pytest.mark.parametrize("form", NEAR_MISSES)
def test_near_misses_do_not_fuse(form: str) -> None:
    text = _text(NEAR_MISSES[form])
    assert "LayerNormalization" not in ops(fused(text, "fuse_layer_norm"))
    if form not in {"cube", "negative epsilon"}:
        assert_same_results(text, _feed(), tolerance=1e-4)


@pytest.mark.parametrize("name", ["mean", "d", "q", "var", "a", "s"])
def test_intermediate_that_is_an_output_does_not_fuse(name: str) -> None:
    text = _text(TORCH, f", float[P, Q, R] {name}")
    assert "LayerNormalization" not in ops(fused(text, "fuse_layer_norm"))


@pytest.mark.parametrize(("name", "left"), [("n", ["Mul", "Add"]), ("m", ["Add"])])
def test_result_before_scale_or_bias_that_is_an_output_ends_the_fusion(name: str, left: list[str]) -> None:
    text = _text(TORCH, f", float[P, Q, R] {name}")
    assert ops(fused(text, "fuse_layer_norm")) == ["LayerNormalization", *left]
    assert_same_results(text, _feed())


def test_scale_of_another_shape_is_not_taken_in() -> None:
    text = _text(TORCH.replace("scale", "matrix"))
    assert ops(fused(text, "fuse_layer_norm")) == ["LayerNormalization", "Mul", "Add"]
    assert_same_results(text, _feed())


def test_row_that_would_widen_the_result_is_not_taken_in() -> None:
    text = _text(TORCH, size=1).replace("float[1] scale", "float[40] scale").replace("float[1] bias", "float[40] bias")
    assert ops(fused(text, "fuse_layer_norm")) == ["LayerNormalization", "Mul", "Add"]


def test_float64_keeps_its_precision() -> None:
    assert "LayerNormalization" not in ops(fused(_text(TORCH, kind="double"), "fuse_layer_norm"))


def test_epsilon_that_a_feed_may_override_does_not_fuse() -> None:
    body = TORCH.replace("eps)", "given)")
    text = f"""g (float[2, 3, 40] x, float[40] scale, float[40] bias, float given) => (float[A, B, C] y)
        <float given = {{0.1}}> {{ {CONSTANTS} {body} }}"""
    assert "LayerNormalization" not in ops(fused(text, "fuse_layer_norm"))
