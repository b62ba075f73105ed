import pytest
from optimize_helpers import apply_pass, assert_same_results, floats, ops


@pytest.mark.parametrize(
    ("first", "second", "merged"),
    [
        ("<perm = [1, 0, 2]>", "<perm = [1, 0, 2]>", None),
        ("<perm = [1, 2, 0]>", "<perm = [1, 2, 0]>", (2, 0, 1)),
        ("<perm = [0, 2, 1]>", "<perm = [1, 0, 2]>", (2, 0, 1)),
        ("", "", None),
        ("", "<perm = [0, 2, 1]>", (2, 0, 1)),
    ],
)
def test_two_transposes_become_their_product(first: str, second: str, merged: tuple[int, ...] | None) -> None:
    text = f"g (float[A,B,C] x) => (float[D,E,F] z) {{ y = Transpose{first}(x) z = Transpose{second}(y) }}"
    model = apply_pass("merge_transposes", text)
    assert ops(model) == ([] if merged is None else ["Transpose"])
    if merged is not None:
        assert tuple(model.graph.nodes[0].attr("perm")) == merged
    assert_same_results(text, model, {"x": floats(2, 3, 4)})


def test_first_transpose_stays_for_its_other_users() -> None:
    text = """g (float[2,3,4] x) => (float[A,B,C] y, float[D,E,F] z) {
        y = Transpose<perm = [1, 2, 0]>(x)
        z = Transpose<perm = [1, 2, 0]>(y)
    }"""
    model = apply_pass("merge_transposes", text)
    assert ops(model) == ["Transpose", "Transpose"]
    assert model.graph.nodes[1].inputs == model.graph.inputs
    assert_same_results(text, model, {"x": floats(2, 3, 4)})


def test_default_permutations_of_unknown_rank_stay() -> None:
    text = "g (float[2] x, int64[K] s) => (float[N] z) { r = Reshape(x, s) y = Transpose(r) z = Transpose(y) }"
    assert ops(apply_pass("merge_transposes", text)) == ["Reshape", "Transpose", "Transpose"]


def test_operator_between_two_transposes_keeps_them() -> None:
    text = """g (float[2,3] x) => (float[2,3] z) { y = Transpose(x) n = Neg(y) z = Transpose(n) }"""
    assert ops(apply_pass("merge_transposes", text)) == ["Transpose", "Neg", "Transpose"]
