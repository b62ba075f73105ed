import numpy as np
import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

CONSTANTS = """
    axes = Constant<value = int64[1] {-1}>() two = Constant<value = float {2.0}>() eps = Constant<value = float {0.00001}>()
    one = Constant<value = float {1.0}>() first = Constant<value = int64[1] {1}>() three = Constant<value = float {3.0}>()
    minus = Constant<value = float {-0.5}>()
"""
LLAMA = """q = Pow(x, two) v = ReduceMean(q, axes) a = Add(v, eps) s = Sqrt(a) r = Div(one, s) n = Mul(x, r)
    y = Mul(scale, n)"""
FORMS = {
    "llama": LLAMA,
    "reciprocal": LLAMA.replace("Div(one, s)", "Reciprocal(s)"),
    "product": LLAMA.replace("Pow(x, two)", "Mul(x, x)").replace("Mul(x, r)", "Mul(r, x)"),
    "division": LLAMA.replace("r = Div(one, s) n = Mul(x, r)", "n = Div(x, s)"),
    "power": LLAMA.replace("s = Sqrt(a) r = Div(one, s)", "r = Pow(a, minus)"),
    "bare": LLAMA.replace("n = Mul(x, r) y = Mul(scale, n)", "y = Mul(x, r)"),
}
NEAR_MISSES = {
    "cube": LLAMA.replace("Pow(x, two)", "Pow(x, three)"),
    "other axis": LLAMA.replace("axes", "first"),
    "sum": LLAMA.replace("ReduceMean", "ReduceSum"),
    "two over root": LLAMA.replace("Div(one, s)", "Div(two, s)"),
    "other tensor": LLAMA.replace("n = Mul(x, r)", "n = Mul(w, r)"),
    "turned division": LLAMA.replace("r = Div(one, s) n = Mul(x, r)", "n = Div(s, x)"),
    "no epsilon": LLAMA.replace("a = Add(v, eps) s = Sqrt(a)", "s = Sqrt(v)"),
}


def _text(body: str, outputs: str = "", kind: str = "float") -> str:
    inputs = f"{kind}[N, 3, 40] x, {kind}[40] scale, {kind}[N, 3, 40] w"
    return f"g ({inputs}) => ({kind}[A, B, C] y{outputs}) {{ {CONSTANTS.replace('float', kind)} {body} }}"


def _feed(batch: int = 2) -> dict[str, np.ndarray]:
    return {"x": floats(batch, 3, 40), "scale": floats(40), "w": floats(batch, 3, 40, seed=1)}


@pytest.mark.parametrize("form", FORMS)
def test_rms_norm_fuses_in_every_form(form: str) -> None:
    text = _text(FORMS[form])
    assert ops(fused(text, "fuse_rms_norm")) == ["RMSNormalization"]
    assert_same_results(text, _feed(), _feed(0))


@pytest.mark.parametrize("form", NEAR_MISSES)
def test_near_misses_do_not_fuse(form: str) -> None:
    text = _text(NEAR_MISSES[form])
    assert "RMSNormalization" not in ops(fused(text, "fuse_rms_norm"))
    if form != "cube":
        assert_same_results(text, _feed(), tolerance=1e-4)


@pytest.mark.parametrize("name", ["q", "v", "a", "s", "r"])
def test_intermediate_that_is_an_output_does_not_fuse(name: str) -> None:
    assert "RMSNormalization" not in ops(fused(_text(LLAMA, f", float[P, Q, R] {name}"), "fuse_rms_norm"))


def test_float64_keeps_its_precision() -> None:
    assert "RMSNormalization" not in ops(fused(_text(LLAMA, kind="double"), "fuse_rms_norm"))
