import numpy as np
import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

H, D = 4, 8
CONSTANTS = f"""
    eighth = Constant<value = float {{0.125}}>() zero = Constant<value = int64 {{0}}>()
    count = Constant<value = int64 {{{H}}}>() heads = Constant<value = int64[1] {{{H}}}>()
    first = Constant<value = int64[1] {{0}}>() depth = Constant<value = int64[1] {{{D}}}>()
    rest = Constant<value = int64[1] {{-1}}>() low = Constant<value = float {{-3.0e38}}>()
    two = Constant<value = int64 {{2}}>()
"""
SIZES = """shape = Shape(q) b = Gather<axis = 0>(shape, zero) n = Gather<axis = 0>(shape, two)
    merged = Mul(b, count) m1 = Unsqueeze(merged, first) b1 = Unsqueeze(b, first) n1 = Unsqueeze(n, first)
    flat = Concat<axis = 0>(m1, rest, depth) flat_t = Concat<axis = 0>(m1, n1, rest)
    full = Concat<axis = 0>(b1, heads, n1, rest) back = Concat<axis = 0>(b1, heads, n1, depth)"""
PRODUCT = (
    "q3 = Reshape(q, flat) k3 = Reshape(k, flat) v3 = Reshape(v, flat) kt = Transpose<perm = [0, 2, 1]>(k3) "
    "p = MatMul(q3, kt)"
)
MASKED = "s4 = Reshape(p, full) a4 = Add(s4, mask) l = Reshape(a4, flat_t)"
END = "w = Softmax<axis = 2>(l) o = MatMul(w, v3) y = Reshape(o, back)"


def _text(body: str, *, k: str = f"B, {H}, T, {D}", mask: str = "B, 1, S, T", outputs: str = "") -> str:
    return f"""g (float[B, {H}, S, {D}] q, float[{k}] k, float[{k}] v, float[{mask}] mask) =>
        (float[E, F, G, I] y{outputs}) {{ {CONSTANTS} {SIZES} {body} }}"""


def _feed(batch: int = 2, rows: int = 3, keys: int = 5) -> dict[str, np.ndarray]:
    mask = floats(batch, 1, rows, keys, seed=3)
    mask[..., 1:2] = np.finfo(np.float32).min
    return {
        "q": floats(batch, H, rows, D),
        "k": floats(batch, H, keys, D, seed=1),
        "v": floats(batch, H, keys, D, seed=2),
        "mask": mask,
    }


FORMS = {
    "masked": f"{PRODUCT} {MASKED} {END}",
    "mask first": f"{PRODUCT} {MASKED} {END}".replace("Add(s4, mask)", "Add(mask, s4)"),
    "two masks": f"{PRODUCT} {MASKED} {END}".replace("a4 = Add(s4, mask)", "m4 = Add(s4, mask) a4 = Add(m4, mask)"),
    "two masks with the heads merged between": f"{PRODUCT} {MASKED} {END}".replace(
        "l = Reshape(a4, flat_t)",
        "a3 = Reshape(a4, flat_t) b4 = Reshape(a3, full) c4 = Add(b4, mask) l = Reshape(c4, flat_t)",
    ),
    "raised": f"{PRODUCT} {MASKED} {END}".replace("a4 = Add(s4, mask)", "r4 = Add(s4, mask) a4 = Max(r4, low)"),
    "scaled": f"{PRODUCT.replace('p =', 'p0 =')} p = Mul(p0, eighth) {MASKED} {END}",
    "no mask": f"{PRODUCT.replace('p =', 'l =')} {END}",
    "scaled without mask": f"{PRODUCT.replace('p =', 'p0 =')} l = Mul(eighth, p0) {END}",
}


@pytest.mark.parametrize("form", FORMS)
def test_merged_heads_are_computed_apart(form: str) -> None:
    text = _text(FORMS[form])
    model = fused(text, "unmerge_heads", "fuse_attention")
    names = [op for op in ops(model) if op in {"FusedAttention", "MatMul", "Softmax", "Reshape"}]
    assert names == ["FusedAttention"]
    node = next(n for n in model.graph.nodes if n.op_type == "FusedAttention")
    assert (node.attr("num_heads"), node.attr("q_layout")) == (H, "bhsd")
    assert_same_results(text, _feed(), _feed(1, 1, 1), _feed(3, 7, 7))


NEAR_MISSES = {
    "other axis": FORMS["no mask"].replace("axis = 2", "axis = 1"),
    "batch behind heads": FORMS["no mask"]
    .replace("back)", "swapped)")
    .replace("y =", "swapped = Concat<axis = 0>(heads, b1, n1, depth) y ="),
    "rows regrouped": FORMS["no mask"]
    .replace("back)", "regrouped)")
    .replace("y =", "regrouped = Concat<axis = 0>(b1, n1, heads, depth) y ="),
}


@pytest.mark.parametrize("form", NEAR_MISSES)
def test_other_forms_stay(form: str) -> None:
    text = _text(NEAR_MISSES[form])
    model = fused(text, "unmerge_heads")
    (softmax,) = [n for n in model.graph.nodes if n.op_type == "Softmax"]
    assert len(softmax.inputs[0].shape) == 3
    assert_same_results(text, _feed(), _feed(3, 7, 7))


def test_scores_that_are_an_output_stay() -> None:
    text = _text(FORMS["no mask"], outputs=", float[X, Y, Z] l")
    assert "Softmax" in ops(fused(text, "unmerge_heads"))
    assert_same_results(text, _feed())
