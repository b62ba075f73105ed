import numpy as np
import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

B, S, T, H, D = 2, 3, 4, 4, 8
CONSTANTS = f"""
    eight = Constant<value = float {{8.0}}>() eighth = Constant<value = float {{0.125}}>()
    root = Constant<value = float {{0.5946}}>()
    heads = Constant<value = int64[4] {{0, 0, {H}, {D}}}>() other_heads = Constant<value = int64[4] {{0, -1, {H}, {D}}}>()
    joined = Constant<value = int64[3] {{0, 0, {H * D}}}>() two = Constant<value = int64[1] {{2}}>()
    grown = Constant<value = int64[5] {{1, 1, 1, 2, 1}}>() repeated = Constant<value = int64[4] {{0, {H}, -1, {D}}}>()
    grown_heads = Constant<value = int64[5] {{1, 1, 2, 1, 1}}>() vector = Constant<value = float[{T}] {{1.0, 2.0, 3.0, 4.0}}>()
"""
CORE = (
    "kt = Transpose<perm = [0, 1, 3, 2]>(k) p = MatMul(q, kt) a = Div(p, eight) b = Add(a, mask) w = Softmax(b) "
    "y = MatMul(w, v)"
)


def _text(
    body: str,
    outputs: str = "",
    *,
    q: str = f"B, {H}, S, {D}",
    k: str = f"B, {H}, T, {D}",
    v: str | None = None,
    mask: str = "B, 1, S, T",
    y: str = "E, F, G, I",
) -> str:
    inputs = f"float[{q}] q, float[{k}] k, float[{v or k}] v, float[{mask}] mask"
    return f"g ({inputs}) => (float[{y}] y{outputs}) {{ {CONSTANTS} {body} }}"


def _feed(
    *, heads: int = H, batch: int = B, rows: int = S, mask: tuple[int, ...] = (B, 1, S, T)
) -> dict[str, np.ndarray]:
    given = floats(*mask, seed=3)
    given[..., 1:2] = np.finfo(np.float32).min
    return {
        "q": floats(batch, H, rows, D),
        "k": floats(batch, heads, T, D, seed=1),
        "v": floats(batch, heads, T, D, seed=2),
        "mask": given,
    }


def _rows(feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The feed with heads behind the sequence: [B, S, H * D]."""
    return {
        n: a if n == "mask" else a.transpose(0, 2, 1, 3).reshape(a.shape[0], a.shape[2], -1) for n, a in feed.items()
    }


FORMS = {
    "divided scores": CORE,
    "multiplied scores": CORE.replace("Div(p, eight)", "Mul(eighth, p)"),
    "mask first": CORE.replace("Add(a, mask)", "Add(mask, a)"),
    "no mask": CORE.replace("b = Add(a, mask) w = Softmax(b)", "w = Softmax(a)"),
    "no scale": CORE.replace("a = Div(p, eight) b = Add(a, mask)", "b = Add(p, mask)"),
    "scaled query": CORE.replace("p = MatMul(q, kt) a = Div(p, eight)", "s = Mul(q, eighth) a = MatMul(s, kt)"),
    "scaled both": CORE.replace(
        "p = MatMul(q, kt) a = Div(p, eight)", "s = Mul(q, root) u = Mul(kt, root) a = MatMul(s, u)"
    ),
    "explicit axis": CORE.replace("Softmax(b)", "Softmax<axis = 3>(b)"),
}
SEVERAL_MASKS = {
    "two": CORE.replace("w = Softmax(b)", "b2 = Add(b, vector) w = Softmax(b2)"),
    "three": CORE.replace("w = Softmax(b)", "b2 = Add(vector, b) b3 = Add(b2, mask) w = Softmax(b3)"),
    "choice and two": CORE.replace(
        "b = Add(a, mask) w = Softmax(b)",
        "c = Greater(mask, vector) low = Constant<value = float {-3.0e38}>() d = Where(c, low, a) e = Add(d, vector) "
        "b = Add(mask, e) w = Softmax(b)",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_attention_fuses_in_every_form(form: str) -> None:
    text = _text(FORMS[form])
    model = fused(text, "fuse_attention")
    assert ops(model) == ["FusedAttention"]
    node = model.graph.nodes[0]
    assert (node.attr("q_layout"), node.attr("k_layout"), node.attr("out_layout")) == ("bhsd", "bhsd", "bhsd")
    assert_same_results(text, _feed())


@pytest.mark.parametrize("form", SEVERAL_MASKS)
def test_masks_are_added_to_each_other(form: str) -> None:
    text = _text(SEVERAL_MASKS[form])
    names = ops(fused(text, "fuse_attention"))
    assert "FusedAttention" in names
    assert "Softmax" not in names
    feed = _feed()
    assert_same_results(text, feed | {"mask": np.where(feed["mask"] < -1e38, np.float32(-1e30), feed["mask"])})


def test_masked_scores_may_have_a_floor() -> None:
    floor = "low = Constant<value = float {-3.4028234663852886e38}>() c = Max(b, low) w = Softmax(c)"
    text = _text(CORE.replace("w = Softmax(b)", floor))
    names = ops(fused(text, "fuse_attention"))
    assert sorted(names) == ["FusedAttention", "Max"]
    feed = _feed()
    feed["mask"][:, :, :1] = -np.inf
    assert_same_results(text, feed)


@pytest.mark.parametrize("floor", ["-1.0e4", "1.0"])
def test_higher_floor_is_no_mask(floor: str) -> None:
    text = _text(
        CORE.replace("w = Softmax(b)", f"low = Constant<value = float {{{floor}}}>() c = Max(b, low) w = Softmax(c)")
    )
    assert "Softmax" in ops(fused(text, "fuse_attention"))
    assert_same_results(text, _feed())


def test_transposed_keys_are_taken_as_they_are() -> None:
    text = _text(
        CORE.replace("kt = Transpose<perm = [0, 1, 3, 2]>(k)", "").replace("kt", "k"),
        k=f"B, {H}, {D}, T",
        v=f"B, {H}, T, {D}",
    )
    model = fused(text, "fuse_attention")
    assert ops(model) == ["FusedAttention"]
    assert model.graph.nodes[0].attr("k_layout") == "bhds"
    feed = _feed()
    assert_same_results(text, feed | {"k": np.ascontiguousarray(feed["k"].transpose(0, 1, 3, 2))})


BERT = """rq = Reshape(q, heads) tq = Transpose<perm = [0, 2, 1, 3]>(rq) rk = Reshape(k, heads)
    kt = Transpose<perm = [0, 2, 3, 1]>(rk)
    rv = Reshape(v, heads) tv = Transpose<perm = [0, 2, 1, 3]>(rv) p = MatMul(tq, kt) a = Mul(p, eighth) b = Add(a, mask)
    w = Softmax(b) c = MatMul(w, tv) t = Transpose<perm = [0, 2, 1, 3]>(c) y = Reshape(t, joined)"""


def test_query_is_scaled_before_its_heads_are_split() -> None:
    rows = {"q": f"B, S, {H * D}", "k": f"B, T, {H * D}"}
    body = BERT.replace("rq = Reshape(q,", "sq = Mul(q, eighth) rq = Reshape(sq,").replace(
        "a = Mul(p, eighth) b = Add(a,", "b = Add(p,"
    )
    text = _text(body, **rows, y="E, F, G")
    model = fused(text, "fuse_attention")
    assert ops(model) == ["FusedAttention"]
    assert model.graph.nodes[0].attr("scale") == 0.125
    assert_same_results(text, _rows(_feed()))


def test_heads_are_split_and_joined_by_the_fused_node() -> None:
    rows = {"q": f"B, S, {H * D}", "k": f"B, T, {H * D}"}
    text = _text(BERT, **rows, y="E, F, G")
    model = fused(text, "fuse_attention")
    assert ops(model) == ["FusedAttention"]
    node = model.graph.nodes[0]
    assert {node.attr(f"{n}_layout") for n in ("q", "k", "v", "out")} == {"bshd"}
    assert (node.attr("num_heads"), node.attr("out_rank")) == (H, 3)
    assert_same_results(text, _rows(_feed()))


def test_reshape_that_may_move_rows_between_batches_stays() -> None:
    rows = {"q": f"B, S, {H * D}", "k": f"B, T, {H * D}"}
    text = _text(BERT.replace("Reshape(q, heads)", "Reshape(q, shape)"), **rows, y="E, F, G").replace(
        "float[B, 1, S, T] mask", "float[B, 1, S, T] mask, int64[4] shape"
    )
    assert "FusedAttention" not in ops(fused(text, "fuse_attention"))


def test_grouped_heads_are_not_repeated() -> None:
    body = f"""uk = Unsqueeze(k, two) ek = Expand(uk, grown_heads) rk = Reshape(ek, repeated)
        uv = Unsqueeze(v, two) ev = Expand(uv, grown_heads) rv = Reshape(ev, repeated)
        {CORE.replace("(k)", "(rk)").replace("(w, v)", "(w, rv)")}"""
    text = _text(body, k=f"B, {H // 2}, T, {D}")
    model = fused(text, "fuse_attention")
    assert ops(model) == ["FusedAttention"]
    assert (model.graph.nodes[0].attr("num_heads"), model.graph.nodes[0].attr("kv_num_heads")) == (H, H // 2)
    assert_same_results(text, _feed(heads=H // 2))


def test_heads_repeated_in_another_order_stay() -> None:
    one = "one = Constant<value = int64[1] {1}>()"
    turned = "turned = Constant<value = int64[5] {1, 2, 1, 1, 1}>()"
    body = f"""{one} {turned} uk = Unsqueeze(k, one) ek = Expand(uk, turned) rk = Reshape(ek, repeated)
        uv = Unsqueeze(v, one) ev = Expand(uv, turned) rv = Reshape(ev, repeated)
        {CORE.replace("(k)", "(rk)").replace("(w, v)", "(w, rv)")}"""
    text = _text(body, k=f"B, {H // 2}, T, {D}")
    model = fused(text, "fuse_attention")
    assert "Expand" in ops(model)
    assert_same_results(text, _feed(heads=H // 2))


def test_one_head_of_keys_serves_all() -> None:
    text = _text(CORE, k=f"B, 1, T, {D}")
    model = fused(text, "fuse_attention")
    assert model.graph.nodes[0].attr("kv_num_heads") == 1
    assert_same_results(text, _feed(heads=1))


@pytest.mark.parametrize("mask", [(1, 1, S, T), (B, 1, 1, T), (1, H, S, T), (S, T), (T,), (1, S, T)])
def test_masks_broadcast(mask: tuple[int, ...]) -> None:
    text = _text(CORE, mask=", ".join(map(str, mask)))
    assert ops(fused(text, "fuse_attention"))[-1] == "FusedAttention"
    assert_same_results(text, _feed(mask=mask))


def test_batches_and_rows_that_turn_out_to_differ_still_broadcast() -> None:
    text = _text(CORE, mask="M, 1, R, T")
    assert ops(fused(text, "fuse_attention")) == ["AlignAttention", "FusedAttention"]
    assert_same_results(text, _feed(), _feed(batch=1, mask=(5, 1, S, T)), _feed(rows=1, mask=(B, 1, 6, T)))


CHOICES = {
    "kept where true": "b = Where(keep, a, low)",
    "kept where false": "b = Where(keep, low, a)",
    "infinite": "b = Where(keep, a, infinite)",
    "and a mask": "c = Where(keep, a, low) b = Add(c, mask)",
}


def _choice_text(body: str) -> str:
    constants = """low = Constant<value = float {-3.4028235e38}>() minus = Constant<value = float {-10000.0}>()
        one = Constant<value = float {1.0}>() zero = Sub(one, one) infinite = Log(zero)"""
    text = _text(f"{constants} {CORE.replace('b = Add(a, mask)', body)}")
    return text.replace("g (", "g (bool[1, 1, S, T] keep, ")


@pytest.mark.parametrize("form", CHOICES)
def test_choice_of_scores_becomes_a_mask(form: str) -> None:
    text = _choice_text(CHOICES[form])
    assert "FusedAttention" in ops(fused(text, "fuse_attention"))
    keep = np.tril(np.ones((S, T), bool), 1)[None, None]
    feed = _feed(mask=(B, 1, S, T)) | {"mask": floats(B, 1, S, T)}
    assert_same_results(text, feed | {"keep": ~keep if form == "kept where false" else keep})


def test_rows_that_are_masked_by_a_number_are_means() -> None:
    text = _choice_text(CHOICES["kept where true"])
    assert_same_results(text, _feed() | {"keep": np.zeros((1, 1, S, T), bool)})


@pytest.mark.parametrize(
    "body", ["b = Where(keep, a, minus)", "b = Where(keep, a, mask)", "b = Where(keep, a, vector)"]
)
def test_choice_of_other_numbers_does_not_fuse(body: str) -> None:
    text = _choice_text(body)
    assert "FusedAttention" not in ops(fused(text, "fuse_attention"))


@pytest.mark.parametrize("zero", ["0.0", "-0.0"])
def test_rows_without_keys_may_be_made_zero(zero: str) -> None:
    guard = f"zero = Constant<value = float {{{zero}}}>() n = IsNaN(u) w = Where(n, zero, u)"
    text = (
        _choice_text("b = Where(keep, a, infinite)")
        .replace("w = Softmax(b)", f"u = Softmax(b) {guard}")
        .replace("zero = Sub(one, one) infinite = Log(zero)", "nought = Sub(one, one) infinite = Log(nought)")
    )
    assert "IsNaN" not in ops(fused(text, "fuse_attention"))
    keep = np.tril(np.ones((S, T), bool), -1)[None, None]
    assert_same_results(text, _feed() | {"keep": keep})


def test_guard_with_another_number_does_not_fuse() -> None:
    guard = "u = Softmax(b) n = IsNaN(u) w = Where(n, one, u)"
    text = _choice_text("b = Where(keep, a, infinite)").replace("w = Softmax(b)", guard)
    assert "FusedAttention" not in ops(fused(text, "fuse_attention"))


BATCHED = """kt = Transpose<perm = [0, 2, 1]>(k) p = MatMul(q, kt) a = Mul(p, eighth) b = Add(a, mask) w = Softmax(b)
    y = MatMul(w, v)"""


@pytest.mark.parametrize("mask", [(T,), (S, T), (S, 1)])
def test_heads_as_batches_fuse(mask: tuple[int, ...]) -> None:
    text = _text(BATCHED, q=f"B, S, {D}", k=f"B, T, {D}", mask=", ".join(map(str, mask)), y="E, F, G")
    assert ops(fused(text, "fuse_attention"))[-1] == "FusedAttention"
    feed = {"q": floats(6, S, D), "k": floats(6, T, D, seed=1), "v": floats(6, T, D, seed=2)}
    assert_same_results(text, feed | {"mask": np.asarray(floats(*mask, seed=3))})


@pytest.mark.parametrize(
    "body", [BATCHED, BATCHED.replace("[0, 2, 1]", "[2, 1, 0]"), BATCHED.replace("(b)", "<axis = 1>(b)")]
)
def test_heads_as_batches_with_other_masks_and_axes_stay(body: str) -> None:
    text = _text(body, q=f"B, S, {D}", k=f"B, T, {D}", mask="B, S, T", y="E, F, G")
    assert "FusedAttention" not in ops(fused(text, "fuse_attention"))


NEAR_MISSES = {
    "other axis": CORE.replace("Softmax(b)", "Softmax<axis = 2>(b)"),
    "scale after the mask": CORE.replace("a = Div(p, eight) b = Add(a, mask)", "a = Add(p, mask) b = Div(a, eight)"),
    "vector scale": CORE.replace("Div(p, eight)", "Div(p, vector)"),
    "inverse scale": CORE.replace("Div(p, eight)", "Div(eight, p)"),
    "weights on the right": CORE.replace(
        "y = MatMul(w, v)", "vt = Transpose<perm = [0, 1, 3, 2]>(v) y = MatMul(vt, wt)"
    ).replace("w = Softmax(b)", "w = Softmax(b) wt = Transpose<perm = [0, 1, 3, 2]>(w)"),
    "nothing after": CORE.replace("w = Softmax(b) y = MatMul(w, v)", "y = Softmax(b)"),
}


@pytest.mark.parametrize("form", NEAR_MISSES)
def test_near_misses_do_not_fuse(form: str) -> None:
    text = _text(NEAR_MISSES[form])
    assert "FusedAttention" not in ops(fused(text, "fuse_attention"))
    assert_same_results(text, _feed())


@pytest.mark.parametrize("name", ["p", "a", "b", "w"])
def test_intermediate_that_is_an_output_does_not_fuse(name: str) -> None:
    text = _text(CORE, f", float[P, Q, R, U] {name}")
    assert "FusedAttention" not in ops(fused(text, "fuse_attention"))
    assert_same_results(text, _feed())


def test_more_heads_in_the_mask_than_in_the_scores_do_not_fuse() -> None:
    text = _text(CORE, q=f"B, 1, S, {D}", k=f"B, 1, T, {D}", mask=f"B, {H}, S, T")
    assert "FusedAttention" not in ops(fused(text, "fuse_attention"))
    unknown = _text(CORE, mask="B, M, S, T")
    assert "FusedAttention" not in ops(fused(unknown, "fuse_attention"))
