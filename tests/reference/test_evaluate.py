import numpy as np
import pytest
from reference_helpers import OPSETS, f32, i64, make_node, noise

from ort_core.reference_ops import evaluate


def fold(op_type, *inputs, max_bytes=None, **settings):
    return evaluate(make_node(op_type, *inputs, **settings), inputs, OPSETS, max_bytes=max_bytes)


def test_constants_are_computed() -> None:
    (result,) = fold("Mul", i64(2, 3), i64(4))
    assert result.tolist() == [8, 12]


def test_several_outputs_come_as_a_tuple() -> None:
    first, second = fold("Split", i64(1, 2, 3, 4), outputs=2)
    assert (first.tolist(), second.tolist()) == ([1, 2], [3, 4])


@pytest.mark.parametrize("op_type", ["RandomNormal", "RandomUniform"])
def test_random_numbers_are_not_folded(op_type: str) -> None:
    assert fold(op_type, shape=[2]) is None


def test_dropout_is_folded_for_inference_only() -> None:
    x = noise(4)
    assert fold("Dropout", x)[0].tolist() == x.tolist()
    assert fold("Dropout", x, np.array(0.5, np.float32), np.array(True)) is None


@pytest.mark.parametrize("op_type", ["If", "Gelu", "NoSuchOperator"])
def test_unsupported_operators_are_not_folded(op_type: str) -> None:
    assert fold(op_type, f32(1)) is None


def test_what_fails_is_not_folded() -> None:
    assert fold("Gather", i64(1), i64(7)) is None


def test_floating_point_warnings_stay_inside() -> None:
    assert np.isnan(fold("Log", f32(-1))[0]).all()
    assert np.isinf(fold("Div", f32(1), f32(0))[0]).all()
    assert np.isnan(fold("ReduceMean", np.zeros((0,), np.float32))[0]).all()


def test_nodes_that_differ_in_attributes_do_not_share_a_binding() -> None:
    x = i64(1, 2, 3, 4).reshape(2, 2)
    results = [fold("Concat", x, x, axis=axis)[0].shape for axis in (0, 1, 0)]
    assert results == [(4, 2), (2, 4), (4, 2)]


def test_nodes_that_differ_in_output_types_do_not_share_a_binding() -> None:
    assert [fold("Abs", f32(-1), types=(t,))[0].dtype for t in (np.float32, np.float64)] == [np.float32, np.float64]


def test_tensor_attributes_are_not_confused() -> None:
    made = [fold("ConstantOfShape", i64(1), value=np.array([v], np.float32))[0] for v in (1, 2)]
    assert [m.tolist() for m in made] == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes"),
    [
        ("ConstantOfShape", (i64(1 << 40),), {}),
        ("Expand", (f32(1), i64(1 << 20, 1 << 20)), {}),
        ("Tile", (f32(1), i64(1 << 40)), {}),
        ("Range", (np.array(0), np.array(1 << 40), np.array(1)), {}),
        ("OneHot", (i64(1), i64(1 << 40), f32(0, 1)), {}),
        ("Pad", (f32(1), i64(0, 1 << 40)), {}),
        ("Resize", (noise(1, 1, 2, 2), None, f32(1, 1, 1 << 20, 1 << 20)), {}),
    ],
)
def test_huge_results_are_declined_before_they_are_computed(op_type, inputs, attributes) -> None:
    assert fold(op_type, *inputs, max_bytes=1 << 20, **attributes) is None


def test_results_within_the_cap_are_computed() -> None:
    assert fold("Range", np.array(0), np.array(4), np.array(2), max_bytes=64)[0].tolist() == [0, 2]
    assert fold("Pad", f32(1), i64(1, 0), max_bytes=64)[0].tolist() == [0, 1]
    assert fold("Tile", f32(1), i64(2), max_bytes=64)[0].tolist() == [1, 1]
    assert fold("OneHot", i64(1), i64(2), f32(0, 1), max_bytes=64)[0].tolist() == [[0, 1]]


def test_range_that_never_ends_is_declined() -> None:
    assert fold("Range", np.array(0), np.array(4), np.array(0), max_bytes=64) is None
