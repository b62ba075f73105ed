import numpy as np
import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

HEAD = """
    two = Constant<value = float {2.0}>() vector = Constant<value = float[3] {1.0, 2.0, 3.0}>()
    column = Constant<value = float[3, 1] {1.0, 2.0, 3.0}>() zero = Constant<value = float {0.0}>()
"""
THERE, BACK = "perm = [0, 3, 1, 2]", "perm = [0, 2, 3, 1]"


def _text(body: str, outputs: str = "") -> str:
    inputs = "float[2, 4, 5, 3] x, float[2, 4, 5, 3] w, float[3, 4, 5] u"
    return f"g ({inputs}) => (float[P, Q, R, S] y{outputs}) {{ {HEAD} {body} }}"


def _feed() -> dict[str, np.ndarray]:
    return {"x": floats(2, 4, 5, 3), "w": floats(2, 4, 5, 3, seed=1), "u": floats(3, 4, 5)}


CANCELLING = {
    "one": f"t = Transpose<{THERE}>(x) a = Relu(t) y = Transpose<{BACK}>(a)",
    "several": f"t = Transpose<{THERE}>(x) a = Mul(t, two) b = Exp(a) c = Clip(b, zero) y = Transpose<{BACK}>(c)",
    "two operands": f"t = Transpose<{THERE}>(x) s = Transpose<{THERE}>(w) a = Add(t, s) y = Transpose<{BACK}>(a)",
    "twice": f"t = Transpose<{THERE}>(x) a = Exp(t) b = Mul(a, t) y = Transpose<{BACK}>(b)",
    "softmax": f"t = Transpose<{THERE}>(x) a = Softmax<axis = 1>(t) y = Transpose<{BACK}>(a)",
    "softmax of the last": f"t = Transpose<{THERE}>(x) a = Softmax(t) y = Transpose<{BACK}>(a)",
    "concat": f"t = Transpose<{THERE}>(x) s = Transpose<{THERE}>(w) a = Concat<axis = 1>(t, s) y = Transpose<{BACK}>(a)",
    "column": f"c3 = Constant<value = float[3, 1, 1] {{1.0, 2.0, 3.0}}>() t = Transpose<{THERE}>(x) a = Add(t, c3) "
    f"y = Transpose<{BACK}>(a)",
}


@pytest.mark.parametrize("form", CANCELLING)
def test_transposes_that_undo_each_other_go(form: str) -> None:
    text = _text(CANCELLING[form])
    assert "Transpose" not in ops(fused(text, "sink_transposes"))
    assert_same_results(text, _feed())


def test_two_transposes_become_one_after_the_sum() -> None:
    text = _text(f"t = Transpose<{THERE}>(x) s = Transpose<{THERE}>(w) y = Add(t, s)")
    assert ops(fused(text, "sink_transposes")) == ["Add", "Transpose"]
    assert_same_results(text, _feed())


def test_following_transpose_takes_both_permutations() -> None:
    text = _text(f"t = Transpose<{THERE}>(x) a = Relu(t) y = Transpose<perm = [1, 0, 2, 3]>(a)")
    model = fused(text, "sink_transposes")
    assert ops(model) == ["Relu", "Transpose"]
    assert_same_results(text, _feed())


STAYING = {
    "no gain": f"t = Transpose<{THERE}>(x) y = Relu(t)",
    "other permutation of the second": f"t = Transpose<{THERE}>(x) s = Transpose<{BACK}>(w) a = Flatten(t) b = Flatten(s) "
    "c = ReduceSum(a) d = ReduceSum(b) e = Add(c, d) y = Mul(e, x)",
    "operand that is not transposed": f"t = Transpose<{THERE}>(x) a = Add(t, u) y = Transpose<{BACK}>(a)",
}


@pytest.mark.parametrize("form", STAYING)
def test_near_misses_stay(form: str) -> None:
    text = _text(STAYING[form])
    before = ops(fused(text, "fuse_mish"))
    assert ops(fused(text, "sink_transposes")) == before
    assert_same_results(text, _feed(), tolerance=1e-3)


def test_results_that_others_use_stay() -> None:
    text = _text(
        f"t = Transpose<{THERE}>(x) a = Relu(t) y = Transpose<{BACK}>(a)", ", float[A, B, C, D] t, float[E, F, G, H] a"
    )
    fused(text, "sink_transposes")
    assert_same_results(text, _feed())
