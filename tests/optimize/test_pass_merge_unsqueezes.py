import pytest
from optimize_helpers import apply_pass, assert_same_results, floats, ops


def _text(first: str, axes: list[int], second: str, more: list[int], shape: str = "[N,3]") -> str:
    return f"""g (float{shape} x) => (float z) {{
        a = Constant<value_ints = {axes}>() y = {first}(x, a) b = Constant<value_ints = {more}>() z = {second}(y, b)
    }}""".replace("=> (float z)", "=> (float[R] z)")


@pytest.mark.parametrize(
    ("axes", "more"),
    [([0], [0]), ([0], [3]), ([2], [0]), ([-1], [-1]), ([0, 2], [1]), ([1], [-4, 0]), ([0, 1], [0, 5])],
)
def test_two_unsqueezes_become_one(axes: list[int], more: list[int]) -> None:
    text = _text("Unsqueeze", axes, "Unsqueeze", more)
    model = apply_pass("merge_unsqueezes", text)
    assert ops(model) == ["Unsqueeze"]
    assert_same_results(text, model, {"x": floats(2, 3)})


@pytest.mark.parametrize(("axes", "more"), [([0], [0]), ([3], [0]), ([-1], [1]), ([0, 1], [-1])])
def test_two_squeezes_become_one(axes: list[int], more: list[int]) -> None:
    text = _text(
        "Squeeze", axes, "Squeeze", more, "[1,1,N,1]" if 3 in axes or -1 in axes or -1 in more else "[1,1,N,3]"
    )
    model = apply_pass("merge_unsqueezes", text)
    assert ops(model) == ["Squeeze"]
    shape = (1, 1, 4, 1) if "[1,1,N,1]" in text else (1, 1, 4, 3)
    assert_same_results(text, model, {"x": floats(*shape)})


@pytest.mark.parametrize(("axes", "more"), [([0], [0]), ([-1], [2]), ([0, 2], [-2, 0])])
def test_unsqueeze_and_its_squeeze_vanish(axes: list[int], more: list[int]) -> None:
    text = _text("Unsqueeze", axes, "Squeeze", more)
    model = apply_pass("merge_unsqueezes", text)
    assert ops(model) == []
    assert_same_results(text, model, {"x": floats(2, 3)})


def test_squeeze_and_the_opposite_unsqueeze_stay_where_dimensions_change_places() -> None:
    text = _text("Squeeze", [0], "Unsqueeze", [1], "[1,3]")
    assert ops(apply_pass("merge_unsqueezes", text)) == ["Squeeze", "Unsqueeze"]


def test_squeeze_of_an_original_dimension_after_unsqueeze_stays() -> None:
    text = _text("Unsqueeze", [0], "Squeeze", [1], "[1,3]")
    model = apply_pass("merge_unsqueezes", text)
    assert ops(model) == ["Unsqueeze", "Squeeze"]
    assert_same_results(text, model, {"x": floats(1, 3)})


def test_squeeze_of_all_ones_stays() -> None:
    text = """g (float[1,3] x) => (float[R] z) {
        a = Constant<value_ints = [0]>() y = Unsqueeze(x, a) z = Squeeze(y)
    }"""
    assert ops(apply_pass("merge_unsqueezes", text)) == ["Unsqueeze", "Squeeze"]


def test_computed_axes_stay() -> None:
    text = """g (float[2,3] x, int64[1] a) => (float[R] z) {
        y = Unsqueeze(x, a) b = Constant<value_ints = [0]>() z = Unsqueeze(y, b)
    }"""
    assert ops(apply_pass("merge_unsqueezes", text)) == ["Unsqueeze", "Unsqueeze"]
