import pytest
from fusion_helpers import assert_same_results, floats, fused, ops


def _text(body: str, *, c: str = "1, 1, T") -> str:
    return f"g (float[B, S, T] x, float[{c}] c, float[B, S, T] z) => (float[E, F, G] y) {{ {body} }}"


FEED = {"x": floats(2, 3, 4), "z": floats(2, 3, 4, seed=2)}
FORMS = {
    "sum": "s = Shape(x) e = Expand(c, s) y = Add(x, e)",
    "choice": "s = Shape(x) e = Expand(c, s) n = Cast<to = 9>(x) y = Where(n, e, x)",
}


@pytest.mark.parametrize("form", FORMS)
def test_operators_broadcast_by_themselves(form: str) -> None:
    text = _text(FORMS[form])
    assert not {"Expand", "Shape"} & {*ops(fused(text, "drop_expand"))}
    assert_same_results(text, FEED | {"c": floats(1, 1, 4, seed=3)})


def test_operand_that_is_larger_widens_the_result_all_the_same() -> None:
    text = """g (float[B, 1, T] x, float[1, S, T] c) => (float[E, F, G] y) {
        s = Shape(x) e = Expand(c, s) y = Mul(e, x) }"""
    assert "Expand" not in ops(fused(text, "drop_expand"))
    assert_same_results(text, {"x": floats(2, 1, 4), "c": floats(1, 3, 4)})


@pytest.mark.parametrize(
    "body",
    [
        "s = Shape(z) e = Expand(c, s) y = Add(x, e)",
        "s = Shape<start = 1>(x) e = Expand(c, s) y = Add(x, e)",
        "s = Shape(x) y = Expand(c, s)",
    ],
)
def test_shapes_of_other_tensors_stay(body: str) -> None:
    text = _text(body)
    assert "Expand" in ops(fused(text, "drop_expand"))
    assert_same_results(text, FEED | {"c": floats(1, 1, 4, seed=3)})
