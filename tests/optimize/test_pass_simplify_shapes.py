import numpy as np
import pytest
from optimize_helpers import apply_all, apply_pass, assert_same_results, floats, is_valid, ops

from ort_core.ir.graph import Model


def _constant(model: Model, name: str) -> list[int]:
    return model.graph.initializers[name].const.array().tolist()


def test_shape_of_a_fully_known_input_is_a_constant() -> None:
    text = "g (float[2,3] x) => (int64[2] z) { y = Neg(x) z = Shape(y) }"
    model = apply_pass("simplify_shapes", text)
    assert ops(model) == []
    assert _constant(model, "z") == [2, 3]
    assert_same_results(text, model, {"x": floats(2, 3)})


def test_known_dimension_of_a_partly_known_shape_is_a_constant() -> None:
    text = """g (float[N,3,M,5] x) => (int64 a, int64[2] b, int64[1] c) {
        s = Shape(x)
        i = Constant<value_int = 1>() a = Gather(s, i)
        j = Constant<value_ints = [-1, 1]>() b = Gather(s, j)
        p = Constant<value_ints = [3]>() q = Constant<value_ints = [4]>() c = Slice(s, p, q)
    }"""
    model = apply_pass("simplify_shapes", text)
    assert ops(model) == []
    assert (_constant(model, "a"), _constant(model, "b"), _constant(model, "c")) == (3, [5, 3], [5])
    assert_same_results(text, model, {"x": floats(2, 3, 4, 5)})


def test_unknown_dimension_is_still_computed() -> None:
    text = "g (float[N,3] x) => (int64 z) { s = Shape(x) i = Constant<value_int = 0>() z = Gather(s, i) }"
    assert ops(apply_pass("simplify_shapes", text)) == ["Shape", "Gather"]


def test_start_and_end_of_shape() -> None:
    text = (
        "g (float[N,3,5] x) => (int64[2] a, int64[K] b) { a = Shape<start = 1>(x) b = Shape<start = -3, end = -2>(x) }"
    )
    model = apply_pass("simplify_shapes", text)
    assert ops(model) == ["Shape"]
    assert _constant(model, "a") == [3, 5]
    assert_same_results(text, model, {"x": floats(2, 3, 5)})


def test_size_of_a_known_shape_is_a_constant() -> None:
    text = "g (float[2,3] x, float[N,3] y) => (int64 a, int64 b) { a = Size(x) b = Size(y) }"
    model = apply_pass("simplify_shapes", text)
    assert ops(model) == ["Size"]
    assert _constant(model, "a") == 6


def test_sizes_that_are_equal_in_every_run_are_computed_once() -> None:
    text = """g (float[N,M] x) => (int64 p, int64 q) {
        i = Constant<value_int = 0>() one = Constant<value_int = 1>()
        s = Shape(x) p = Gather(s, i)
        y = Transpose(x) r = Relu(y) t = Shape(r) q = Gather(t, one)
    }"""
    model = apply_pass("simplify_shapes", text)
    assert ops(model) == ["Shape", "Gather"]
    assert model.graph.outputs[0] is model.graph.outputs[1]
    assert_same_results(text, model, {"x": floats(2, 3)})


def test_equal_names_of_dimensions_of_different_inputs_prove_nothing() -> None:
    text = """g (float[N] x, float[N] y) => (int64[1] p, int64[1] q, float[M] r) {
        p = Shape(x) q = Shape(y) r = Expand(x, q)
    }"""
    model = apply_all(text)
    assert ops(model) == ["Shape", "Shape", "Expand"]
    assert_same_results(text, model, {"x": floats(3), "y": floats(3)}, {"x": floats(1), "y": floats(4)})


def test_declared_size_of_an_intermediate_value_proves_nothing() -> None:
    text = "g (float[N] x) => (int64[1] z) <float[7] y> { y = Neg(x) z = Shape(y) }"
    model = apply_all(text)
    assert ops(model) == ["Shape"]
    assert_same_results(text, model, {"x": floats(3)})


def _reshape(parts: str, x: str = "[N,M,6]") -> str:
    return f"""g (float{x} x) => (float[A,B,C,D] z) {{
        s = Shape(x)
        i0 = Constant<value_ints = [0]>() i1 = Constant<value_ints = [1]>()
        n = Gather(s, i0) m = Gather(s, i1)
        nm = Mul(n, m)
        k2 = Constant<value_ints = [2]>() k3 = Constant<value_ints = [3]>() k6 = Constant<value_ints = [6]>()
        k1 = Constant<value_ints = [1]>() free = Constant<value_ints = [-1]>() copy = Constant<value_ints = [0]>()
        t = Concat<axis = 0>({parts})
        z = Reshape(x, t)
    }}"""


@pytest.mark.parametrize(
    ("parts", "target"),
    [
        ("n, m, k2, k3", [0, 0, 2, 3]),
        ("n, m, k6", [0, 0, 6]),
        ("nm, k6", [-1, 6]),
        ("nm, k2, k3", [-1, 2, 3]),
        ("k1, nm, k6", [1, -1, 6]),
        ("n, free, k6", [0, -1, 6]),
        ("n, m, free", [0, 0, -1]),
        ("copy, m, k3, k2", [0, 0, 3, 2]),
    ],
)
def test_target_of_reshape_becomes_a_constant(parts: str, target: list[int]) -> None:
    text = _reshape(parts)
    model = apply_all(text)
    assert ops(model) in (["Reshape"], [])
    if ops(model):
        (value,) = model.graph.initializers.values()
        assert value.const.array().tolist() == target
    assert_same_results(text, model, {"x": floats(2, 5, 6)}, {"x": floats(1, 1, 6)})


@pytest.mark.parametrize("parts", ["n, m, k6", "n, m, free", "copy, m, k6"])
def test_reshape_to_its_own_shape_vanishes(parts: str) -> None:
    assert ops(apply_all(_reshape(parts))) == []


@pytest.mark.parametrize("parts", ["m, n, k6", "m, n, k2, k3", "nm, k3", "k6, m, n", "nm, n"])
def test_target_of_reshape_stays_where_the_sizes_are_not_provable(parts: str) -> None:
    assert "Concat" in ops(apply_all(_reshape(parts)))


def test_empty_tensors_keep_their_shape() -> None:
    for parts in ("n, m, k2, k3", "nm, k6", "n, m, k6", "k1, nm, k6"):
        text = _reshape(parts)
        for feed in ({"x": floats(2, 0, 6)}, {"x": floats(0, 2, 6)}):
            if is_valid(text, feed):
                assert_same_results(text, apply_all(text), feed)


def test_target_with_literal_zero_sizes_stays() -> None:
    text = """g (float[N,0] x) => (float[A,B] z) {
        s = Shape(x) i = Constant<value_ints = [0]>() n = Gather(s, i) k = Constant<value_ints = [0]>()
        t = Concat<axis = 0>(k, n) z = Reshape<allowzero = 1>(x, t)
    }"""
    model = apply_all(text)
    assert ops(model)[-2:] == ["Concat", "Reshape"]
    assert_same_results(text, model, {"x": floats(3, 0)})


def test_exported_expand_pattern_is_simplified() -> None:
    text = """g (float[N,4,M,8] x) => (float[A,B,C,D,E] z) {
        s = Shape(x)
        i0 = Constant<value_ints = [0]>() n = Gather(s, i0)
        i2 = Constant<value_ints = [2]>() m = Gather(s, i2)
        four = Constant<value_ints = [4]>() three = Constant<value_ints = [3]>() eight = Constant<value_ints = [8]>()
        want = Concat<axis = 0>(n, four, three, m, eight)
        rank = Constant<value_ints = [5]>()
        ones = ConstantOfShape<value = int64[1] {1}>(rank)
        minus = Constant<value_int = -1>()
        negative = Mul(ones, minus)
        is_negative = Equal(want, negative)
        target = Where(is_negative, ones, want)
        axis = Constant<value_ints = [2]>()
        y = Unsqueeze(x, axis)
        z = Expand(y, target)
    }"""
    model = apply_all(text)
    assert ops(model) == ["Shape", "Gather", "Gather", "Concat", "Unsqueeze", "Expand"]
    assert_same_results(text, model, {"x": floats(2, 4, 3, 8)}, {"x": floats(0, 4, 3, 8)})


def test_arithmetic_on_sizes() -> None:
    text = """g (float[N,6] x) => (int64[1] a, int64[1] b, int64[1] c, int64[1] d) {
        i0 = Constant<value_ints = [0]>() i1 = Constant<value_ints = [1]>() two = Constant<value_ints = [2]>()
        s = Shape(x) n = Gather(s, i0) six = Gather(s, i1)
        a = Div(six, two)
        p = Add(n, two) b = Sub(p, n)
        c = Max(six, two)
        q = Mul(n, two) r = Mul(two, n) d = Sub(q, r)
    }"""
    model = apply_all(text)
    assert ops(model) == []
    assert_same_results(text, model, {"x": floats(2, 6)})


def test_overflowing_arithmetic_is_not_evaluated_here() -> None:
    text = """g (float[4611686018427387904,N] x) => (int64[1] z) {
        s = Shape(x) i = Constant<value_ints = [0]>() n = Gather(s, i) four = Constant<value_ints = [4]>() z = Mul(n, four)
    }"""
    assert ops(apply_pass("simplify_shapes", text)) == ["Mul"]


def test_sizes_in_a_branch() -> None:
    text = """g (bool c, float[N,3] x) => (int64[1] z) {
        z = If(c) <then_branch = t () => (int64[1] a) { s = Shape(x) i = Constant<value_ints = [1]>() a = Gather(s, i) },
                   else_branch = e () => (int64[1] b) { s2 = Shape(x) j = Constant<value_ints = [0]>() b = Gather(s2, j) }>
    }"""
    model = apply_all(text)
    then, other = model.graph.nodes[0].subgraphs
    assert (len(then), len(other)) == (0, 2)
    for condition in (True, False):
        assert_same_results(text, model, {"c": np.array(condition), "x": floats(2, 3)})


def test_target_given_as_an_input_stays() -> None:
    text = "g (float[N,6] x, int64[2] t) => (float[A,B] z) { s = Shape(x) z = Reshape(x, t) }"
    model = apply_all(text)
    assert ops(model) == ["Reshape"]
    assert_same_results(text, model, {"x": floats(2, 6), "t": np.array([3, -1])})
