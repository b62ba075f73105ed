"""Gather, GatherElements, GatherND, ScatterElements, ScatterND: against numpy's indexing."""

import numpy as np
import pytest
from movement_session import FIXED_SIZE, NUMBERS, ONE_OF_EACH_SIZE, REJECTIONS, assert_same, numbers, run_node

UFUNCS = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("index_type", [np.int32, np.int64])
@pytest.mark.parametrize("indices", [0, -1, [1, 0, -2], [[0, 1], [1, -1], [0, 0]], []], ids=str)
def test_gather(axis, index_type, indices):
    index = np.array(indices, index_type)
    for dtype in ONE_OF_EACH_SIZE:
        x = numbers((2, 3, 4), dtype)
        for constants in ((), (1,)):
            assert_same(run_node("Gather", x, index, axis=axis, constants=constants), np.take(x, index, axis))


@pytest.mark.parametrize("dtype", FIXED_SIZE, ids=str)
def test_gather_of_every_type(dtype):
    x = numbers((7, 3), dtype)
    assert_same(run_node("Gather", x, np.array([6, 0, -7])), x[[6, 0, 0]])


def test_gather_of_one_row_is_right_wherever_the_row_lies():
    x = numbers((1, 5, 8), np.float32)
    for index in range(-5, 5):
        assert_same(run_node("Gather", x, np.array(index), axis=1, constants=(1,)), x[:, index])


def test_large_gather_by_several_threads():
    x = numbers((1000, 300), np.float32)
    index = np.random.default_rng(1).integers(-1000, 1000, (20, 70))
    assert_same(run_node("Gather", x, index, threads=2), x[index])
    assert_same(run_node("Gather", x, index % 300, axis=1, threads=2), np.take(x, index % 300, 1))


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("index_type", [np.int32, np.int64])
def test_gather_elements(axis, index_type):
    for dtype in ONE_OF_EACH_SIZE:
        x = numbers((3, 4, 5), dtype)
        shape = [3, 4, 5]
        shape[axis] = 7
        index = np.random.default_rng(2).integers(-x.shape[axis], x.shape[axis], shape).astype(index_type)
        assert_same(
            run_node("GatherElements", x, index, axis=axis), np.take_along_axis(x, index.astype(np.int64), axis)
        )


def test_gather_elements_of_fewer_rows_than_data():
    x = numbers((5, 4, 6), np.float32)
    index = np.random.default_rng(2).integers(0, 4, (2, 3, 4))
    assert_same(run_node("GatherElements", x, index, axis=1), np.take_along_axis(x[:2, :, :4], index, 1))
    assert_same(run_node("GatherElements", x, np.zeros((0, 3, 4), np.int64), axis=1), np.zeros((0, 3, 4), np.float32))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_gather_nd(depth):
    for dtype in ONE_OF_EACH_SIZE:
        x = numbers((3, 4, 5), dtype)
        index = np.stack([np.random.default_rng(i).integers(-n, n, (6, 2)) for i, n in enumerate(x.shape[:depth])], -1)
        assert_same(run_node("GatherND", x, index), x[tuple(np.moveaxis(index, -1, 0))])


@pytest.mark.parametrize("batch_dims", [1, 2])
def test_gather_nd_by_batches(batch_dims):
    x = numbers((2, 3, 4, 5), np.float32)
    index = np.random.default_rng(1).integers(0, 3, (*x.shape[:batch_dims], 6, 1))
    expected = np.zeros((*index.shape[:-1], *x.shape[batch_dims + 1 :]), np.float32)
    for at in np.ndindex(*index.shape[:-1]):
        expected[at] = x[(*at[:batch_dims], index[at][0])]
    assert_same(run_node("GatherND", x, index, batch_dims=batch_dims), expected)


def test_gather_nd_of_empty_tuples_and_of_no_tuples():
    x = numbers((2, 3), np.float32)
    assert_same(run_node("GatherND", x, np.zeros((0, 1), np.int64)), np.zeros((0, 3), np.float32))


@pytest.mark.parametrize("op", ["Gather", "GatherElements", "GatherND"])
@pytest.mark.parametrize("wrong", [3, -4, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("constants", [(), (1,)])
def test_indices_out_of_range_are_rejected(op, wrong, constants):
    for shape in ((1, 1), (2, 1)):
        index = np.zeros(shape, np.int64)
        index[-1] = wrong
        with pytest.raises(REJECTIONS, match=r"index|out of range"):
            run_node(op, np.zeros((3, 3), np.float32), index, constants=constants)


def test_nothing_can_be_gathered_from_an_empty_axis():
    empty = np.zeros((0, 3), np.float32)
    with pytest.raises(REJECTIONS):
        run_node("Gather", empty, np.array([0]))
    assert_same(run_node("Gather", empty, np.zeros(0, np.int64)), empty)


def scattered(x, index, updates, axis, reduction):
    expected = x.copy()
    for at in np.ndindex(*index.shape):
        to = list(at)
        to[axis] = index[at]
        to = tuple(to)
        expected[to] = updates[at] if reduction == "none" else UFUNCS[reduction](expected[to], updates[at])
    return expected


@pytest.mark.parametrize("reduction", ["none", *UFUNCS])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("threads", [1, 2])
def test_scatter_elements(axis, reduction, threads):
    for dtype in (np.float32, np.int16):
        x, shape = numbers((3, 4, 5), dtype), [3, 3, 4]
        shape[axis] = 8
        index = np.random.default_rng(4).integers(-x.shape[axis], x.shape[axis], shape)
        updates = numbers(shape, dtype, seed=9)
        actual = run_node("ScatterElements", x, index, updates, axis=axis, reduction=reduction, threads=threads)
        assert_same(actual, scattered(x, index, updates, axis, reduction))


@pytest.mark.parametrize("reduction", ["none", *UFUNCS])
def test_scatter_elements_of_every_type(reduction):
    for dtype in FIXED_SIZE if reduction == "none" else [np.dtype(bool), *NUMBERS]:
        x, updates = numbers((6,), dtype), numbers((9,), dtype, seed=2)
        index = np.array([0, 5, 2, 2, -1, 0, 3, -6, 1], np.int32)
        with np.errstate(over="ignore"):
            expected = scattered(x, index, updates, 0, reduction)
        assert_same(run_node("ScatterElements", x, index, updates, reduction=reduction), expected)


def test_large_scatter_elements_by_several_threads():
    x = numbers((50, 3000), np.float32)
    updates = numbers((60, 3000), np.float32, seed=1)
    index = np.random.default_rng(4).integers(0, 50, updates.shape)
    expected = x.copy()
    np.add.at(expected, (index, np.arange(3000)), updates)
    assert_same(run_node("ScatterElements", x, index, updates, axis=0, reduction="add", threads=2), expected)


@pytest.mark.parametrize("reduction", ["none", *UFUNCS])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_scatter_nd(depth, reduction):
    for dtype in (np.float32, np.float16, np.int64, np.uint8):
        x = numbers((3, 4, 5), dtype)
        index = np.stack([np.random.default_rng(i).integers(-n, n, (7, 2)) for i, n in enumerate(x.shape[:depth])], -1)
        updates = numbers((7, 2, *x.shape[depth:]), dtype, seed=3)
        expected = x.copy()
        for at in np.ndindex(7, 2):
            to = tuple(index[at])
            expected[to] = updates[at] if reduction == "none" else UFUNCS[reduction](expected[to], updates[at])
        for threads in (1, 2):
            assert_same(run_node("ScatterND", x, index, updates, reduction=reduction, threads=threads), expected)


@pytest.mark.parametrize("reduction", ["max", "min"])
def test_scattered_nan_stays(reduction):
    x = np.array([1, np.nan, 3], np.float32)
    actual = run_node("ScatterND", x, np.array([[0], [1]]), np.array([np.nan, 2], np.float32), reduction=reduction)
    assert_same(actual, np.array([np.nan, np.nan, 3], np.float32))


def test_the_input_of_a_scatter_stays_as_it_was():
    x = numbers((4, 3), np.float32)
    before = x.copy()
    run_node("ScatterND", x, np.array([[1]]), np.zeros((1, 3), np.float32))
    assert_same(x, before)


@pytest.mark.parametrize("wrong", [3, -4, 2**63 - 1, -(2**63)])
def test_scatter_indices_out_of_range_are_rejected(wrong):
    x = np.zeros((3, 3), np.float32)
    with pytest.raises(REJECTIONS, match="index"):
        run_node("ScatterElements", x, np.array([[0, wrong]]), np.ones((1, 2), np.float32))
    with pytest.raises(REJECTIONS, match="index"):
        run_node("ScatterND", x, np.array([[0, wrong]]), np.ones(1, np.float32))


@pytest.mark.parametrize(
    ("op", "index", "updates"),
    [
        ("ScatterElements", (2, 2), (2, 3)),
        ("ScatterElements", (2,), (2,)),
        ("ScatterElements", (2, 4), (2, 4)),
        ("ScatterND", (2, 3), (2,)),
        ("ScatterND", (2, 1), (2, 4)),
        ("GatherElements", (2, 4), None),
        ("GatherND", (2, 3), None),
    ],
)
def test_shapes_that_do_not_fit_are_rejected(op, index, updates):
    inputs = [np.zeros((3, 3), np.float32), np.zeros(index, np.int64)]
    if updates is not None:
        inputs.append(np.zeros(updates, np.float32))
    with pytest.raises(REJECTIONS):
        run_node(op, *inputs)
