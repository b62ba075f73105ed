import numpy as np
import pytest
from fusion_helpers import assert_same_results, floats, fused, ops

H, D = 4, 8
CONSTANTS = f"""
    zero = Constant<value = int64[1] {{0}}>() half = Constant<value = int64[1] {{{D // 2}}}>()
    last = Constant<value = int64[1] {{-1}}>()
    end = Constant<value = int64[1] {{9223372036854775807}}>() third = Constant<value = int64[1] {{3}}>()
    parts = Constant<value = int64[2] {{{D // 2}, {D // 2}}}>() heads = Constant<value = int64[4] {{0, 0, {H}, {D}}}>()
    quarter = Constant<value = int64[1] {{{D // 4}}}>()
    steps = Constant<value = int64[1] {{2}}>() rows = Constant<value = int64[1] {{2}}>()
"""
LLAMA = """x1 = Slice(x, zero, half, last) x2 = Slice(x, half, end, last) n = Neg(x2) r = Concat<axis = -1>(n, x1)
    a = Mul(x, cos) b = Mul(r, sin) y = Add(a, b)"""
FORMS = {
    "llama": LLAMA,
    "positive axis": LLAMA.replace("last", "third").replace("axis = -1", "axis = 3"),
    "turned operands": LLAMA.replace("(x, cos)", "(cos, x)")
    .replace("(r, sin)", "(sin, r)")
    .replace("Add(a, b)", "Add(b, a)"),
    "split": LLAMA.replace(
        "x1 = Slice(x, zero, half, last) x2 = Slice(x, half, end, last)", "x1, x2 = Split<axis = -1>(x, parts)"
    ),
}


def _text(body: str, outputs: str = "", *, x: str = f"B, {H}, S, {D}", table: str = f"1, 1, S, {D}") -> str:
    inputs = f"float[{x}] x, float[{table}] cos, float[{table}] sin"
    return f"g ({inputs}) => (float[P, Q, R, T] y{outputs}) {{ {CONSTANTS} {body} }}"


def _feed(table: tuple[int, ...] = (1, 1, 3, D), batch: int = 2) -> dict[str, np.ndarray]:
    return {"x": floats(batch, H, 3, D), "cos": floats(*table, seed=1), "sin": floats(*table, seed=2)}


@pytest.mark.parametrize("form", FORMS)
def test_rotation_fuses_in_every_form(form: str) -> None:
    text = _text(FORMS[form])
    assert ops(fused(text, "fuse_rotary")) == ["RotateHalf"]
    assert_same_results(text, _feed(), _feed(batch=0))


@pytest.mark.parametrize("table", [(3, D), (1, 3, D), (2, 1, 3, D), (2, H, 3, D), (1, D), (D,), (2, H, 1, D)])
def test_tables_broadcast(table: tuple[int, ...]) -> None:
    text = _text(LLAMA, table=", ".join(map(str, table)))
    assert ops(fused(text, "fuse_rotary")) == ["RotateHalf"]
    assert_same_results(text, _feed(table), _feed(table, batch=1))


def test_heads_are_split_by_the_fused_node() -> None:
    body = f"s = Reshape(j, heads) x = Transpose<perm = [0, 2, 1, 3]>(s) {LLAMA}"
    text = _text(body, x=f"B, S, {H * D}").replace("] x,", "] j,")
    model = fused(text, "fuse_rotary")
    assert ops(model) == ["RotateHalf"]
    assert (model.graph.nodes[0].attr("x_layout"), model.graph.nodes[0].attr("num_heads")) == ("bshd", H)
    feed = _feed()
    assert_same_results(text, {"j": floats(2, 3, H * D), "cos": feed["cos"], "sin": feed["sin"]})


NEAR_MISSES = {
    "halves in order": LLAMA.replace("(n, x1)", "(x1, n)"),
    "other half negated": LLAMA.replace("Neg(x2)", "Neg(x1)").replace("(n, x1)", "(x2, n)"),
    "not negated": LLAMA.replace("Neg(x2)", "Abs(x2)"),
    "other cut": LLAMA.replace("(x, zero, half", "(x, zero, quarter").replace("(x, half, end", "(x, quarter, end"),
    "steps": LLAMA.replace("Slice(x, half, end, last)", "Slice(x, zero, end, last, steps)"),
    "difference": LLAMA.replace("Add(a, b)", "Sub(a, b)"),
    "other tensor": LLAMA.replace("a = Mul(x, cos)", "z = Abs(x) a = Mul(z, cos)"),
}


@pytest.mark.parametrize("form", NEAR_MISSES)
def test_near_misses_do_not_fuse(form: str) -> None:
    text = _text(NEAR_MISSES[form])
    assert "RotateHalf" not in ops(fused(text, "fuse_rotary"))
    assert_same_results(text, _feed())


@pytest.mark.parametrize("name", ["x1", "n", "r", "a", "b"])
def test_intermediate_that_is_an_output_does_not_fuse(name: str) -> None:
    text = _text(LLAMA, f", float[I, J, K, L] {name}")
    assert "RotateHalf" not in ops(fused(text, "fuse_rotary"))


def test_table_of_one_column_does_not_fuse() -> None:
    assert "RotateHalf" not in ops(fused(_text(LLAMA, table="1, 1, 3, 1"), "fuse_rotary"))
