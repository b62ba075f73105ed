import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

K, H, D = 6, 2, 16
N = 3 * H * D


def _numbers(*shape: int, seed: int) -> str:
    return ", ".join(repr(round(float(v), 3)) for v in floats(*shape, seed=seed).reshape(-1))


CONSTANTS = f"""
    w = Constant<value = float[{K}, {N}] {{{_numbers(K, N, seed=1)}}}>()
    c = Constant<value = float[{N}] {{{_numbers(N, seed=2)}}}>()
    folded = Constant<value = int64[5] {{0, 0, 3, {H}, {D}}}>() sizes = Constant<value = int64[3] {{16, 48, 32}}>()
    parts = Constant<value = int64[4] {{0, 0, 3, {H * D}}}>() three = Constant<value = int64[1] {{3}}>()
    zero = Constant<value = int64 {{0}}>() one = Constant<value = int64 {{1}}>() last = Constant<value = int64 {{-1}}>()
    axis = Constant<value = int64[1] {{0}}>() list = Constant<value = int64[1] {{0}}>()
"""
PROJECTION = "p = MatMul(x, w) a = Add(c, p)"
TURNED = f"{PROJECTION} r = Reshape(a, folded) t = Transpose<perm = [2, 0, 3, 1, 4]>(r)"


def _text(body: str, outputs: str = "float[E0, E1, E2, E3] q, float[F0, F1, F2, F3] k, float[G0, G1, G2, G3] v") -> str:
    return f"g (float[B, S, {K}] x) => ({outputs}) {{ {CONSTANTS} {body} }}"


THREE = "float[B, S, M] q, float[B, S, O] k, float[B, S, P] v"
FORMS = {
    "columns": (f"{PROJECTION} q, k, v = Split<axis = 2>(a, sizes)", THREE, 0),
    "columns from the end": (f"{PROJECTION} q, k, v = Split<axis = -1, num_outputs = 3>(a)", THREE, 0),
    "columns without bias": ("a = MatMul(x, w) q, k, v = Split<axis = 2>(a, sizes)", THREE, 0),
    "heads gathered": (
        f"{TURNED} q = Gather<axis = 0>(t, zero) k = Gather<axis = 0>(t, one) v = Gather<axis = 0>(t, last)",
        None,
        3,
    ),
    "parts gathered": (
        f"""{PROJECTION} r = Reshape(a, parts) u = Unsqueeze(r, axis) m = Transpose<perm = [3, 1, 2, 0, 4]>(u)
        t = Squeeze(m, three) q = Gather<axis = 0>(t, zero) k = Gather<axis = 0>(t, one) v = Gather<axis = 0>(t, last)""",
        THREE,
        0,
    ),
    "heads split": (
        f"""{TURNED} q1, k1, v1 = Split<axis = 0, num_outputs = 3>(t) q = Squeeze(q1, axis) k = Squeeze(k1, axis)
        v = Squeeze(v1, axis)""",
        None,
        3,
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_part_is_a_product_of_its_own(form: str) -> None:
    body, outputs, transposes = FORMS[form]
    text = _text(body) if outputs is None else _text(body, outputs)
    names = ops(fused(text, "split_projection"))
    assert names.count("MatMul") == 3
    assert names.count("Transpose") == transposes
    assert not {"Split", "Gather", "Squeeze"} & {*names}
    assert_same_results(text, {"x": floats(2, 5, K)}, {"x": floats(1, 1, K)}, {"x": floats(0, 3, K)})


NEAR_MISSES = {
    "narrow parts": (
        f"narrow = Constant<value = int64[3] {{24, 40, 32}}>() {PROJECTION} q, k, v = Split<axis = 2>(a, narrow)",
        THREE,
    ),
    "many parts": (
        f"{PROJECTION} {', '.join(f'p{i}' for i in range(96))} = Split<axis = 2, num_outputs = 96>(a) q = Add(p0, p1)",
        "float[B, S, 1] q",
    ),
    "other axis": (f"{PROJECTION} q, k = Split<axis = 1, num_outputs = 2>(a)", "float[B, M, O] q, float[B, P, R] k"),
    "product used elsewhere": (f"{PROJECTION} q, k, v = Split<axis = 2>(a, sizes) z = Relu(a)", f"{THREE}, float[B, S, {N}] z"),
    "index of a list": (f"{TURNED} q = Gather<axis = 0>(t, list)", "float[A0, A1, A2, A3, A4] q"),
    "other order": (
        f"{TURNED.replace('2, 0, 3, 1, 4', '2, 0, 1, 3, 4')} q = Gather<axis = 0>(t, zero)",
        "float[A0, A1, A2, A3] q",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", NEAR_MISSES)
def test_other_forms_stay(form: str) -> None:
    text = _text(*NEAR_MISSES[form])
    assert ops(fused(text, "split_projection")).count("MatMul") == 1
    assert_same_results(text, {"x": floats(2, 6, K)})
