import numpy as np
import pytest
from optimize_helpers import apply_all, apply_pass, assert_same_bits, assert_same_results, floats, is_valid, ops, run

SPECIAL = np.array([[0.0, -0.0, np.inf], [-np.inf, np.nan, 1e-45]], np.float32)


def _text(body: str, kind: str = "float", shape: str = "[N,3]", out: str = "") -> str:
    return f"g ({kind}{shape} x) => ({out or kind}[R] z) {{ {body} }}"


@pytest.mark.parametrize(
    "body",
    [
        "z = Cast<to = 1>(x)",
        "z = CastLike(x, x)",
        "z = Dropout(x)",
        "r = Constant<value_float = 0.7>() z = Dropout(x, r)",
        "r = Constant<value_float = 0.7>() t = Constant<value = bool {0}>() z = Dropout(x, r, t)",
        "z = Transpose<perm = [0, 1]>(x)",
        "z = Flatten(x)",
        "z = Flatten<axis = -1>(x)",
        "z = Concat<axis = 0>(x)",
        "z = Max(x)",
        "z = Min(x)",
        "z = Mean(x)",
        "z = Clip(x)",
        "z = Split<num_outputs = 1>(x)",
        "k = Constant<value_ints = [0, 0]>() z = Reshape(x, k)",
        "k = Constant<value_ints = [-1, 3]>() z = Reshape(x, k)",
        "k = Constant<value_ints = [0, -1]>() z = Reshape(x, k)",
        "s = Shape(x) z = Reshape(x, s)",
        "k = Constant<value_ints = [1, 3]>() z = Expand(x, k)",
        "k = Constant<value_ints = [1]>() z = Expand(x, k)",
        "s = Shape(x) z = Expand(x, s)",
        "y = Neg(x) s = Shape(y) z = Expand(x, s)",
        "k = Constant<value_ints = [1, 1]>() z = Tile(x, k)",
        "k = Constant<value_ints = [0, 0, 0, 0]>() z = Pad(x, k)",
        'k = Constant<value_ints = [0, 0, 0, 0]>() z = Pad<mode = "reflect">(x, k)',
        "a = Constant<value_ints = [0]>() b = Constant<value_ints = [9223372036854775807]>() z = Slice(x, a, b)",
        "a = Constant<value_ints = [0]>() b = Shape<start = 1>(x) k = Constant<value_ints = [1]>() z = Slice(x, a, b, k)",
        "a = Constant<value_ints = [0]>() b = Shape<end = 1>(x) z = Slice(x, a, b, a)",
        "k = Constant<value_float = -0.0>() z = Add(x, k)",
        "k = Constant<value_float = -0.0>() z = Add(k, x)",
        "k = Constant<value_float = 0.0>() z = Sub(x, k)",
        "k = Constant<value_float = 1.0>() z = Mul(x, k)",
        "k = Constant<value_float = 1.0>() z = Mul(k, x)",
        "k = Constant<value_float = 1.0>() z = Div(x, k)",
        "k = Constant<value_float = 1.0>() z = Pow(x, k)",
        "k = Constant<value = double {1.0}>() z = Pow(x, k)",
        "k = Constant<value_floats = [1.0]>() z = Mul(x, k)",
        "k = Constant<value_floats = [1.0, 1.0, 1.0]>() z = Mul(x, k)",
        "k = Constant<value = float[1,3] {1.0, 1.0, 1.0}>() z = Mul(k, x)",
    ],
)
def test_operator_without_effect_vanishes(body: str) -> None:
    text = _text(body)
    model = apply_pass("eliminate_noop", text)
    assert ops(model) == []
    assert_same_results(text, model, {"x": SPECIAL}, {"x": floats(5, 3)})
    if is_valid(text, {"x": floats(0, 3)}):
        assert_same_results(text, model, {"x": floats(0, 3)})


@pytest.mark.parametrize(
    "body",
    [
        "z = Cast<to = 10>(x)",
        "r = Constant<value_float = 0.5>() t = Constant<value = bool {1}>() z = Dropout(x, r, t)",
        "z = Transpose(x)",
        "z = Flatten<axis = 0>(x)",
        "k = Constant<value_ints = [3, -1]>() z = Reshape(x, k)",
        "k = Constant<value_ints = [-1]>() z = Reshape(x, k)",
        "k = Constant<value_ints = [2, 3]>() z = Reshape(x, k)",
        "k = Constant<value_ints = [2, 3]>() z = Expand(x, k)",
        "k = Constant<value_ints = [1, 1, 1]>() z = Expand(x, k)",
        "k = Constant<value_ints = [1, 2]>() z = Tile(x, k)",
        "k = Constant<value_ints = [0, 0, 0, 1]>() z = Pad(x, k)",
        "a = Constant<value_ints = [0]>() b = Constant<value_ints = [100]>() z = Slice(x, a, b)",
        "a = Constant<value_ints = [0]>() b = Constant<value_ints = [-1]>() z = Slice(x, a, b)",
        "a = Constant<value_ints = [1]>() b = Constant<value_ints = [9223372036854775807]>() z = Slice(x, a, b)",
        "a = Constant<value_ints = [0]>() b = Constant<value_ints = [2]>() e = Shape<end = 1>(x) z = Slice(x, a, e, a, b)",
        "k = Constant<value_float = 0.0>() z = Add(x, k)",
        "k = Constant<value_floats = [-0.0, 0.0, -0.0]>() z = Add(x, k)",
        "k = Constant<value_float = -0.0>() z = Sub(x, k)",
        "k = Constant<value_float = 0.0>() z = Sub(k, x)",
        "k = Constant<value_float = 1.0>() z = Div(k, x)",
        "k = Constant<value_float = 1.0>() z = Pow(k, x)",
        "k = Constant<value_float = 1.0000001>() z = Mul(x, k)",
        "k = Constant<value = float[1,1,1] {1.0}>() z = Mul(x, k)",
        "k = Constant<value = float[2,1] {1.0, 1.0}>() z = Mul(x, k)",
        "z = my.Dropout(x)",
    ],
)
def test_operator_with_an_effect_stays(body: str) -> None:
    last = body.rsplit("z = ", 1)[1].split("(", maxsplit=1)[0].split("<", maxsplit=1)[0].removeprefix("my.")
    out = "float16" if "to = 10" in body else ""
    assert ops(apply_pass("eliminate_noop", _text(body, out=out)))[-1:] == [last]


def test_adding_positive_zero_changes_negative_zero() -> None:
    text = _text("k = Constant<value_float = 0.0>() z = Add(x, k)")
    model = apply_all(text)
    (result,) = run(model, {"x": SPECIAL})
    assert not np.signbit(result[0, 1])
    assert_same_results(text, model, {"x": SPECIAL})


@pytest.mark.parametrize(("op", "value"), [("Add", 0), ("Sub", 0), ("Mul", 1), ("Div", 1)])
def test_neutral_integers_vanish(op: str, value: int) -> None:
    text = _text(f"k = Constant<value_int = {value}>() z = {op}(x, k)", kind="int64")
    model = apply_pass("eliminate_noop", text)
    assert ops(model) == []
    assert_same_results(text, model, {"x": np.arange(6).reshape(2, 3)})


@pytest.mark.parametrize(
    ("op", "value", "gone"), [("And", 1, True), ("Or", 0, True), ("And", 0, False), ("Or", 1, False)]
)
def test_neutral_booleans_vanish(op: str, value: int, gone: bool) -> None:
    text = _text(f"k = Constant<value = bool {{{value}}}>() z = {op}(x, k)", kind="bool")
    model = apply_pass("eliminate_noop", text)
    assert ops(model) == ([] if gone else [op])
    assert_same_results(text, model, {"x": np.array([[True, False, True]])})


def test_overridable_constant_keeps_its_operator() -> None:
    text = "g (float[2] x, float k = {1.0}) => (float[2] z) { z = Mul(x, k) }"
    assert ops(apply_pass("eliminate_noop", text)) == ["Mul"]


def test_used_mask_keeps_dropout() -> None:
    text = "g (float[2] x) => (float[2] z, bool[2] m) { z, m = Dropout(x) }"
    assert ops(apply_pass("eliminate_noop", text)) == ["Dropout"]


def test_unused_mask_does_not_keep_dropout() -> None:
    assert ops(apply_pass("eliminate_noop", "g (float[2] x) => (float[2] z) { z, m = Dropout(x) }")) == []


def test_constant_of_an_input_of_unknown_rank_stays_unless_it_is_a_scalar() -> None:
    text = """g (float[2] x, int64[K] s) => (float[R] z) {{
        y = Reshape(x, s) k = Constant<{}>() z = Mul(y, k)
    }}"""
    assert ops(apply_pass("eliminate_noop", text.format("value_floats = [1.0]"))) == ["Reshape", "Mul"]
    assert ops(apply_pass("eliminate_noop", text.format("value_float = 1.0"))) == ["Reshape"]


def test_power_of_another_type_keeps_the_type_of_its_base() -> None:
    text = "g (int64[2] x) => (int64[2] z) { k = Constant<value_float = 1.0>() z = Pow(x, k) }"
    model = apply_pass("eliminate_noop", text)
    assert_same_results(text, model, {"x": np.array([3, -4])})


def test_operator_without_effect_at_an_output_of_a_branch() -> None:
    text = """g (bool c, float[2] x) => (float[2] z) {
        z = If(c) <then_branch = t () => (float[2] a) { a = Dropout(x) },
                   else_branch = e () => (float[2] b) { b = Neg(x) }>
    }"""
    model = apply_pass("eliminate_noop", text)
    assert [len(s) for s in model.graph.nodes[0].subgraphs] == [0, 1]
    for condition in (True, False):
        assert_same_results(text, model, {"c": np.array(condition), "x": floats(2)})


def test_bits_of_the_comparison_matter() -> None:
    with pytest.raises(AssertionError):
        assert_same_bits(np.array(0.0), np.array(-0.0))
