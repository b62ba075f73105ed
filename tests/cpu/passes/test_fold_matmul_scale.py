import numpy as np
import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

K, N = 4, 3
CONSTANTS = f"""
    w = Constant<value = float[{K}, {N}] {{1.0, 2.0, -3.0, 0.5, 0.25, 2.0, -1.0, 4.0, 0.1, 0.2, 0.3, 0.4}}>()
    wt = Constant<value = float[{N}, {K}] {{1.0, 2.0, -3.0, 0.5, 0.25, 2.0, -1.0, 4.0, 0.1, 0.2, 0.3, 0.4}}>()
    s = Constant<value = float[{N}] {{0.5, -2.0, 3.0}}>() t = Constant<value = float[1, {N}] {{1.0, 0.5, -1.0}}>()
    b = Constant<value = float[{N}] {{0.1, 0.2, 0.3}}>() v = Constant<value = float[{N}] {{1.5, 0.5, 2.0}}>()
    zeros = Constant<value = float[{N}] {{1.0, 0.0, 2.0}}>() column = Constant<value = float[2, 1] {{1.0, 3.0}}>()
"""


def _text(body: str, x: str = f"2, {K}", outputs: str = "") -> str:
    return f"g (float[{x}] x) => (float[P, Q] y{outputs}) {{ {CONSTANTS} {body} }}"


@pytest.mark.parametrize(
    "body",
    [
        "m = MatMul(x, w) y = Mul(m, s)",
        "m = MatMul(x, w) y = Div(m, s)",
        "m = MatMul(x, w) a = Add(m, b) c = Mul(s, a) y = Add(c, t)",
        "m = MatMul(x, w) a = Sub(m, b) y = Mul(a, s)",
        "m = MatMul(x, w) a = Add(m, b) y = BatchNormalization(a, s, b, b, v)",
        "m = Gemm(x, w, b) y = BatchNormalization(m, s, b, b, v)",
        "m = Gemm<transB = 1, alpha = 0.5>(x, wt, t) y = Mul(m, s)",
    ],
)
def test_columns_are_scaled_in_the_matrix(body: str) -> None:
    text = _text(body)
    assert ops(fused(text, "fold_matmul_scale")) == ["FusedMatMul"]
    assert_same_results(text, {"x": floats(2, K)})


@pytest.mark.parametrize(
    "body",
    [
        "m = MatMul(x, w) y = Mul(m, column)",
        "m = MatMul(x, w) y = Div(s, m)",
        "m = MatMul(x, w) y = Div(m, zeros)",
        "m = MatMul(x, w) y = Mul(m, m)",
        "m = MatMul(x, w) y = Add(m, b)",
        "m = MatMul(x, w) n = Abs(x) o = MatMul(n, w) p = Mul(m, s) y = Add(p, o)",
    ],
)
def test_near_misses_stay(body: str) -> None:
    text = _text(body)
    assert "FusedMatMul" not in ops(fused(text, "fold_matmul_scale"))
    assert_same_results(text, {"x": floats(2, K)})


def test_channels_of_a_tensor_of_rank_three_are_not_its_columns() -> None:
    text = _text("m = MatMul(x, w) y = BatchNormalization(m, s, b, b, v)", x=f"2, {N}, {K}").replace(
        "float[P, Q]", "float[P, Q, R]"
    )
    assert "BatchNormalization" in ops(fused(text, "fold_matmul_scale"))
    assert_same_results(text, {"x": floats(2, N, K)})


def test_product_that_is_used_elsewhere_stays() -> None:
    text = _text("m = MatMul(x, w) y = Mul(m, s)", outputs=", float[R, S] m")
    assert ops(fused(text, "fold_matmul_scale")) == ["MatMul", "Mul"]
    assert_same_results(text, {"x": np.zeros((2, K), np.float32)})
