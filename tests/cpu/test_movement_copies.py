"""Transpose, Concat, Slice, Expand, Tile: copies between layouts, against numpy."""

import itertools

import numpy as np
import pytest
from movement_session import FIXED_SIZE, ONE_OF_EACH_SIZE, REJECTIONS, assert_same, numbers, run_node


@pytest.mark.parametrize("perm", list(itertools.permutations(range(4))), ids=str)
def test_transpose_of_every_order(perm):
    for shape in ((2, 3, 5, 7), (3, 1, 17, 4), (2, 33, 2, 18), (2, 0, 3, 4)):
        x = numbers(shape, np.float32)
        assert_same(run_node("Transpose", x, perm=perm), x.transpose(perm))


@pytest.mark.parametrize("dtype", FIXED_SIZE, ids=str)
@pytest.mark.parametrize("shape", [(70, 131), (3, 50, 40), (1, 5), (2, 300), (300, 3)])
def test_transpose_of_every_type(shape, dtype):
    x = numbers(shape, dtype)
    assert_same(run_node("Transpose", x), x.T)


@pytest.mark.parametrize("perm", [(0, 2, 1), (2, 0, 1), (1, 0, 2), (2, 1, 0)], ids=str)
@pytest.mark.parametrize("shape", [(700, 301, 3), (2, 1000, 260), (1, 500, 600)])
def test_large_transpose_by_several_threads(shape, perm):
    x = numbers(shape, np.float32)
    assert_same(run_node("Transpose", x, perm=perm, threads=2), x.transpose(perm))


@pytest.mark.parametrize(
    "perm", [(5, 3, 1, 0, 2, 4), (0, 1, 2, 3, 5, 4), (5, 4, 3, 2, 1, 0), (1, 0, 3, 2, 5, 4)], ids=str
)
def test_transpose_of_rank_six(perm):
    x = numbers((2, 3, 4, 5, 2, 3), np.uint16)
    assert_same(run_node("Transpose", x, perm=perm), x.transpose(perm))


@pytest.mark.parametrize("perm", [(0, 0), (0, 2), (0,), (-3, 0)], ids=str)
def test_transpose_rejects(perm):
    with pytest.raises(REJECTIONS):
        run_node("Transpose", np.zeros((2, 3), np.float32), perm=perm)


@pytest.mark.parametrize("dtype", ONE_OF_EACH_SIZE, ids=str)
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("threads", [1, 2])
def test_concat(axis, dtype, threads):
    for base in ((3, 4, 5), (40, 2, 3), (100, 30, 41)):
        parts = []
        for i, size in enumerate((2, 0, 5, 1)):
            shape = list(base)
            shape[axis] *= size
            parts.append(numbers(shape, dtype, seed=i))
        assert_same(run_node("Concat", *parts, axis=axis, threads=threads), np.concatenate(parts, axis))


def test_concat_of_one_input_and_of_nothing():
    x = numbers((2, 3), np.float32)
    assert_same(run_node("Concat", x, axis=0), x)
    empty = np.zeros((0, 3), np.float32)
    assert_same(run_node("Concat", empty, empty, axis=0), empty)


@pytest.mark.parametrize(("a", "b", "axis"), [((2, 3), (2, 4), 0), ((2, 3), (2,), 0), ((2, 3), (2, 3), 2), ((), (), 0)])
def test_concat_rejects(a, b, axis):
    with pytest.raises(REJECTIONS):
        run_node("Concat", np.zeros(a, np.float32), np.zeros(b, np.float32), axis=axis)


LEAST, MOST = -(2**63), 2**63 - 1
SLICES = {
    "leading": ([1], [3], None, None),
    "all_axes": ([0, 1, 2], [2, 3, 5], None, None),
    "negative_axis": ([1], [-1], [-1], None),
    "step_two": ([0], [MOST], [2], [2]),
    "step_three": ([1, 1], [MOST, MOST], [1, 2], [2, 3]),
    "reversed": ([-1], [LEAST], [2], [-1]),
    "reversed_all": ([MOST] * 3, [LEAST] * 3, [0, 1, 2], [-1, -2, -3]),
    "huge_step": ([0, MOST], [MOST, LEAST], [0, 1], [MOST, LEAST]),
    "empty": ([3], [1], [1], None),
    "outside": ([10], [20], [1], None),
    "before_the_start": ([LEAST], [2], [1], None),
    "before_the_start_reversed": ([LEAST], [LEAST], [1], [-1]),
    "repeated_middle": ([1], [2], [1], None),
}


def expected_slice(x, starts, ends, axes, steps):
    """As the operator defines it: a negative step clamps `start` to the axis."""
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis, step = (i if axes is None else axes[i]), (1 if steps is None else steps[i])
        size = x.shape[axis]
        first, last = (v + size if v < 0 else v for v in (start, end))
        low, high = (0, size) if step > 0 else (-1, size - 1)
        indices = np.array(range(min(max(first, 0), high), min(max(last, low), high), step), np.int64)
        x = np.take(x, indices, axis)
    return x


@pytest.mark.parametrize("case", SLICES)
@pytest.mark.parametrize("index_type", [np.int64, np.int32])
@pytest.mark.parametrize("constant", [True, False])
def test_slice(case, index_type, constant):
    limits = np.iinfo(index_type)
    rows = [None if row is None else np.clip(row, limits.min, limits.max).tolist() for row in SLICES[case]]
    arguments = [None if row is None else np.array(row, index_type) for row in rows]
    constants = [i + 1 for i, a in enumerate(arguments) if a is not None] if constant else ()
    for dtype in ONE_OF_EACH_SIZE:
        x = numbers((4, 5, 9), dtype)
        assert_same(run_node("Slice", x, *arguments, constants=constants), expected_slice(x, *rows))


@pytest.mark.parametrize(
    ("starts", "steps"), [((0, 0, 0, 0), (1, 1, 2, 2)), ((3, 0, 0, -1), (-1, 1, 1, -1)), ((0, 1, 2, 3), (1,) * 4)]
)
def test_slice_of_an_image(starts, steps):
    x = numbers((4, 3, 40, 60), np.float32)
    ends = [MOST if s > 0 else LEAST for s in steps]
    result = run_node(
        "Slice", x, *(np.array(v) for v in (starts, ends, range(4), steps)), constants=(1, 2, 3, 4), threads=2
    )
    assert_same(result, x[tuple(slice(a, None, s) for a, s in zip(starts, steps, strict=True))])


@pytest.mark.parametrize(
    "arguments",
    [([0], [1], [0], [0]), ([0, 0], [1, 1], [0, 0], None), ([0], [1, 1], None, None), ([0], [1], [5], None)],
)
def test_slice_rejects(arguments):
    with pytest.raises(REJECTIONS):
        run_node("Slice", np.zeros((2, 2), np.float32), *(None if a is None else np.array(a) for a in arguments))


@pytest.mark.parametrize("dtype", FIXED_SIZE, ids=str)
def test_expand_of_every_type(dtype):
    for shape, target in (
        ((3, 1), (2, 3, 5)),
        ((1, 7), (40, 1)),
        ((), (4, 3)),
        ((4, 1, 3), (2, 1)),
        ((2, 2), (1,)),
        ((1, 3), (0, 3)),
    ):
        x = numbers(shape, dtype)
        expected = np.broadcast_to(x, np.broadcast_shapes(shape, target))
        assert_same(run_node("Expand", x, np.array(target, np.int64)), expected)


@pytest.mark.parametrize("target", [[3, 3], [-1, 2], [2**62, 2**62, 2]])
def test_expand_rejects(target):
    with pytest.raises(REJECTIONS):
        run_node("Expand", np.zeros((2, 2), np.float32), np.array(target))


@pytest.mark.parametrize("dtype", ONE_OF_EACH_SIZE, ids=str)
@pytest.mark.parametrize(
    "repeats", [(1, 1, 1), (2, 1, 1), (1, 3, 1), (1, 1, 4), (2, 3, 4), (0, 1, 1), (3, 1, 2)], ids=str
)
def test_tile(dtype, repeats):
    for shape in ((2, 3, 4), (1, 5, 1), (30, 2, 19)):
        x = numbers(shape, dtype)
        assert_same(run_node("Tile", x, np.array(repeats)), np.tile(x, repeats))


@pytest.mark.parametrize("repeats", [[1], [-1, 1], [2**62, 2**62]])
def test_tile_rejects(repeats):
    with pytest.raises(REJECTIONS):
        run_node("Tile", np.zeros((2, 2), np.float32), np.array(repeats))
