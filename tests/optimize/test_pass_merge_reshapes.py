import pytest
from optimize_helpers import apply_pass, assert_same_results, floats, ops


@pytest.mark.parametrize(
    "first",
    [
        "k = Constant<value_ints = [3, -1]>() y = Reshape(x, k)",
        "k = Constant<value_ints = [0, 1]>() y = Unsqueeze(x, k)",
        "k = Constant<value_ints = [1]>() y = Squeeze(x, k)",
        "y = Flatten<axis = 2>(x)",
        "k = Constant<value_ints = [0, 0, -1]>() w = Reshape(x, k) y = Flatten(w)",
    ],
)
def test_reshape_forgets_how_its_input_was_shaped(first: str) -> None:
    text = (
        f"""g (float[N,1,6] x) => (float[A,B] z) {{ {first} s = Constant<value_ints = [-1, 4]>() z = Reshape(y, s) }}"""
    )
    model = apply_pass("merge_reshapes", text)
    assert ops(model) == ["Reshape"]
    assert_same_results(text, model, {"x": floats(2, 1, 6)}, {"x": floats(4, 1, 6)})


def test_reshape_that_copies_a_size_stays_behind_its_reshape() -> None:
    text = """g (float[2,6] x) => (float[A,B,C] z) {
        k = Constant<value_ints = [3, 4]>() y = Reshape(x, k) s = Constant<value_ints = [0, 2, 2]>() z = Reshape(y, s)
    }"""
    assert ops(apply_pass("merge_reshapes", text)) == ["Reshape", "Reshape"]


def test_zero_that_means_an_empty_dimension_copies_nothing() -> None:
    text = """g (float[N,2] x) => (float[A,B] z) {
        k = Constant<value_ints = [2, -1]>() y = Reshape(x, k)
        s = Constant<value_ints = [0, 3]>() z = Reshape<allowzero = 1>(y, s)
    }"""
    model = apply_pass("merge_reshapes", text)
    assert ops(model) == ["Reshape"]
    assert_same_results(text, model, {"x": floats(0, 2)})


def test_computed_target_stays() -> None:
    text = """g (float[2,6] x, int64[2] s) => (float[A,B] z) {
        k = Constant<value_ints = [3, 4]>() y = Reshape(x, k) z = Reshape(y, s)
    }"""
    assert ops(apply_pass("merge_reshapes", text)) == ["Reshape", "Reshape"]


def test_overridable_target_stays() -> None:
    text = """g (float[2,6] x, int64[2] s = {4, 3}) => (float[A,B] z) {
        k = Constant<value_ints = [3, 4]>() y = Reshape(x, k) z = Reshape(y, s)
    }"""
    assert ops(apply_pass("merge_reshapes", text)) == ["Reshape", "Reshape"]
