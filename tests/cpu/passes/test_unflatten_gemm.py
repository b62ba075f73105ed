import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

K, N = 6, 4


def _numbers(*shape: int, seed: int) -> str:
    return ", ".join(repr(round(float(v), 3)) for v in floats(*shape, seed=seed).reshape(-1))


CONSTANTS = f"""
    w = Constant<value = float[{K}, {N}] {{{_numbers(K, N, seed=1)}}}>()
    t = Constant<value = float[{N}, {K}] {{{_numbers(N, K, seed=1)}}}>()
    c = Constant<value = float[{N}] {{{_numbers(N, seed=2)}}}>() rows = Constant<value = int64[2] {{-1, {K}}}>()
    zero = Constant<value = int64 {{0}}>() one = Constant<value = int64 {{1}}>() axis = Constant<value = int64[1] {{0}}>()
    n = Constant<value = int64[1] {{{N}}}>() rest = Constant<value = int64[1] {{-1}}>()
"""
SIZES = """shape = Shape(x) b = Gather<axis = 0>(shape, zero) s = Gather<axis = 0>(shape, one) b1 = Unsqueeze(b, axis)
    s1 = Unsqueeze(s, axis) back = Concat<axis = 0>(b1, s1, n) swapped = Concat<axis = 0>(s1, b1, n)
    open = Concat<axis = 0>(b1, rest, n) r = Reshape(x, rows)"""


def _text(body: str, *, x: str = f"B, S, {K}", outputs: str = "") -> str:
    return f"g (float[{x}] x) => (float[E, F, G] y{outputs}) {{ {CONSTANTS} {SIZES} {body} }}"


FORMS = {
    "bias": "g = Gemm(r, w, c) y = Reshape(g, back)",
    "transposed": "g = Gemm<transB = 1>(r, t, c) y = Reshape(g, back)",
    "no bias": "g = Gemm(r, w) y = Reshape(g, back)",
    "open size": "g = Gemm(r, w, c) y = Reshape(g, open)",
}


@pytest.mark.parametrize("form", FORMS)
def test_product_keeps_leading_dimensions(form: str) -> None:
    text = _text(FORMS[form])
    names = ops(fused(text, "unflatten_gemm"))
    assert not {"Gemm", "Reshape"} & {*names}
    assert_same_results(text, {"x": floats(2, 3, K)}, {"x": floats(1, 1, K)})


def test_heads_are_joined_first() -> None:
    text = _text(FORMS["bias"], x="B, S, 2, 3")
    names = ops(fused(text, "unflatten_gemm"))
    assert (names.count("MatMul"), names.count("Reshape")) == (1, 1)
    assert_same_results(text, {"x": floats(2, 5, 2, 3)})


NEAR_MISSES = {
    "other order": "g = Gemm(r, w, c) y = Reshape(g, swapped)",
    "scaled": "g = Gemm<alpha = 2.0>(r, w, c) y = Reshape(g, back)",
}


@pytest.mark.parametrize("form", NEAR_MISSES)
def test_other_forms_stay(form: str) -> None:
    text = _text(NEAR_MISSES[form])
    assert "Gemm" in ops(fused(text, "unflatten_gemm"))
    assert_same_results(text, {"x": floats(2, 3, K)})


def test_product_that_is_an_output_stays() -> None:
    text = _text(FORMS["bias"], outputs=", float[P, Q] g")
    assert "Gemm" in ops(fused(text, "unflatten_gemm"))
    assert_same_results(text, {"x": floats(2, 3, K)})
