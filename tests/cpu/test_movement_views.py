"""Reshape, Flatten, Squeeze, Unsqueeze, Split along the outermost axis, contiguous Slice: the input's memory, seen anew."""

import numpy as np
import pytest
from movement_session import FIXED_SIZE, REJECTIONS, assert_same, numbers, run_node

X = numbers((2, 3, 4), np.float32)


@pytest.mark.parametrize("constants", [(), (1,)])
@pytest.mark.parametrize(
    ("target", "shape"),
    [([6, 4], (6, 4)), ([0, -1], (2, 12)), ([-1], (24,)), ([4, 0, 2], (4, 3, 2)), ([2, 3, -1, 1], (2, 3, 4, 1))],
)
def test_reshape(target, shape, constants):
    assert_same(run_node("Reshape", X, np.array(target), constants=constants), X.reshape(shape))


@pytest.mark.parametrize("dtype", FIXED_SIZE, ids=str)
def test_reshape_of_every_type(dtype):
    x = numbers((2, 3), dtype)
    assert_same(run_node("Reshape", x, np.array([3, 2]), constants=(1,)), x.reshape(3, 2))


def test_reshape_to_and_from_a_scalar():
    assert_same(run_node("Reshape", np.float32([[7]]), np.zeros(0, np.int64), constants=(1,)), np.float32(7))
    assert_same(run_node("Reshape", np.float32(7), np.array([1, -1]), constants=(1,)), np.float32([[7]]))


def test_reshape_takes_zero_literally_where_the_attribute_says_so():
    empty = np.zeros((0, 3), np.float32)
    assert_same(run_node("Reshape", empty, np.array([5, 0, 7]), allowzero=1), np.zeros((5, 0, 7), np.float32))
    with pytest.raises(REJECTIONS):
        run_node("Reshape", empty, np.array([0, -1]), allowzero=1)


@pytest.mark.parametrize("target", [[5, 5], [-1, -1], [7, -1], [-2, 12], [2, 3, 4, 0], [2**62, 2**62], [2**63 - 1, -1]])
def test_reshape_rejects(target):
    with pytest.raises(REJECTIONS):
        run_node("Reshape", X, np.array(target))


@pytest.mark.parametrize("axis", range(-3, 4))
def test_flatten(axis):
    rows = int(np.prod(X.shape[:axis]))
    assert_same(run_node("Flatten", X, axis=axis), X.reshape(rows, X.size // rows))


@pytest.mark.parametrize("axes", [None, [0], [-1, 0], [2]])
def test_squeeze(axes):
    x = numbers((1, 3, 1, 1), np.int16)
    expected = np.squeeze(x, None if axes is None else tuple(axes))
    assert_same(run_node("Squeeze", x, None if axes is None else np.array(axes)), expected)


@pytest.mark.parametrize("axes", [[0], [-1], [0, -1], [3, 1], [0, 1, 2, 3]])
def test_unsqueeze(axes):
    x = numbers((3, 2), np.int16)
    assert_same(run_node("Unsqueeze", x, np.array(axes)), np.expand_dims(x, tuple(axes)))


@pytest.mark.parametrize(
    ("op", "axes"), [("Squeeze", [1]), ("Squeeze", [9]), ("Unsqueeze", [0, 0]), ("Unsqueeze", [9])]
)
def test_wrong_axes_are_rejected(op, axes):
    with pytest.raises(REJECTIONS):
        run_node(op, X, np.array(axes))


@pytest.mark.parametrize("constants", [(), (1,)])
@pytest.mark.parametrize("sizes", [[1, 3, 0, 4], [8, 0, 0, 0]])
@pytest.mark.parametrize("axis", [0, -1])
def test_split_by_sizes(axis, sizes, constants):
    x = np.moveaxis(numbers((8, 3, 5), np.float32), 0, axis).copy()
    results = run_node("Split", x, np.array(sizes), outputs=4, axis=axis, constants=constants)
    for part, expected in zip(results, np.split(x, np.cumsum(sizes)[:-1], axis), strict=True):
        assert_same(part, expected)


@pytest.mark.parametrize(("size", "sizes"), [(9, [3, 3, 3]), (7, [3, 3, 1]), (4, [2, 2, 0]), (0, [0, 0, 0])])
@pytest.mark.parametrize("axis", [0, 1])
def test_split_into_parts_as_equal_as_possible(axis, size, sizes):
    x = np.moveaxis(numbers((size, 3), np.float64), 0, axis).copy()
    results = run_node("Split", x, outputs=3, axis=axis, num_outputs=3)
    for part, expected in zip(results, np.split(x, np.cumsum(sizes)[:-1], axis), strict=True):
        assert_same(part, expected)


@pytest.mark.parametrize("sizes", [[1, 2], [-1, 3], [2, 2**62]])
def test_split_rejects(sizes):
    with pytest.raises(REJECTIONS):
        run_node("Split", X, np.array(sizes), outputs=2)
