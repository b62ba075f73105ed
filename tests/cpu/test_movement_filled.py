"""Pad, CenterCropPad, DepthToSpace, SpaceToDepth, Trilu, EyeLike, Range, ConstantOfShape, TensorScatter, ReverseSequence."""

import itertools

import ml_dtypes
import numpy as np
import onnx
import pytest
from movement_session import FIXED_SIZE, ONE_OF_EACH_SIZE, REJECTIONS, assert_same, numbers, run_node
from onnx import helper


def padded(x, begins, ends, mode, value=0):
    """`numpy.pad` after cropping what negative pads remove."""
    crop = tuple(slice(max(-b, 0), n + min(e, 0)) for b, e, n in zip(begins, ends, x.shape, strict=True))
    widths = [(max(b, 0), max(e, 0)) for b, e in zip(begins, ends, strict=True)]
    extra = {"constant_values": value} if mode == "constant" else {}
    return np.pad(x[crop], widths, mode=mode, **extra)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize(
    ("begins", "ends"),
    [
        ((0, 0, 1, 2), (0, 0, 3, 1)),
        ((1, 0, 0, 0), (0, 2, 0, 0)),
        ((0, 1, 0, 0), (0, 0, 1, 0)),
        ((0, 0, -1, 2), (0, 0, 2, -3)),
        ((0, 0, 9, 14), (0, 0, 11, 1)),
        ((0, -1, 0, 0), (-1, 0, 0, 0)),
        ((1, 1, 1, 1), (1, 1, 1, 1)),
        ((0, 0, 0, 0), (0, 0, 0, 0)),
    ],
    ids=str,
)
def test_pad(mode, begins, ends):
    for dtype in ONE_OF_EACH_SIZE:
        x = numbers((2, 3, 4, 5), dtype)
        assert_same(run_node("Pad", x, np.array(begins + ends), mode=mode), padded(x, begins, ends, mode))


@pytest.mark.parametrize("dtype", FIXED_SIZE, ids=str)
def test_pad_with_a_value_of_every_type(dtype):
    x, value = numbers((3, 4), dtype), numbers((), dtype, seed=5)
    actual = run_node("Pad", x, np.array([1, 0, 2, 3]), value, constants=(1,))
    assert_same(actual, padded(x, (1, 0), (2, 3), "constant", value))


def test_pad_of_named_axes():
    x = numbers((2, 3, 4), np.float32)
    for index in (np.int64, np.int32):
        actual = run_node("Pad", x, np.array([1, 2, 0, 3]), None, np.array([-1, 0], index), mode="edge")
        assert_same(actual, padded(x, (2, 0, 1), (3, 0, 0), "edge"))


@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_pad_of_an_image_by_several_threads(mode):
    x = numbers((2, 3, 150, 140), np.float32)
    actual = run_node("Pad", x, np.array([0, 0, 1, 2, 0, 0, 3, 1]), mode=mode, threads=2)
    assert_same(actual, padded(x, (0, 0, 1, 2), (0, 0, 3, 1), mode))
    flat = numbers((300_000,), np.float32)
    assert_same(run_node("Pad", flat, np.array([5, 7]), mode=mode, threads=2), padded(flat, (5,), (7,), mode))


def test_pad_of_nothing():
    empty = np.zeros((0, 2), np.float32)
    assert_same(run_node("Pad", empty, np.array([2, 0, 1, 0])), np.zeros((3, 2), np.float32))
    assert_same(run_node("Pad", np.float32(3), np.zeros(0, np.int64)), np.float32(3))
    with pytest.raises(REJECTIONS):
        run_node("Pad", empty, np.array([2, 0, 1, 0]), mode="edge")


@pytest.mark.parametrize("pads", [[1], [-3, 0, 0, 0], [2**63 - 1, 0, 1, 0], [-(2**63), 0, 0, 0], [2**62, 2**62, 0, 0]])
def test_pad_rejects(pads):
    with pytest.raises(REJECTIONS):
        run_node("Pad", np.zeros((2, 2), np.float32), np.array(pads))


@pytest.mark.parametrize("sizes", list(itertools.product((2, 3, 5, 7, 8), repeat=2)), ids=str)
def test_center_crop_pad(sizes):
    x = numbers((5, 5), np.float32)
    added = [n - 5 for n in sizes]
    begins = [int(a / 2) for a in added]
    expected = padded(x, begins, [a - b for a, b in zip(added, begins, strict=True)], "constant")
    assert_same(run_node("CenterCropPad", x, np.array(sizes)), expected)
    assert_same(run_node("CenterCropPad", x[None], np.array(sizes[::-1]), axes=[-1, 1]), expected[None])


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize("block", [1, 2, 3])
def test_depth_to_space_and_back(block, mode):
    for dtype in ONE_OF_EACH_SIZE:
        x = numbers((2, 5 * block * block, 3, 4), dtype)
        n, c, h, w = x.shape
        kept = c // block**2
        if mode == "DCR":
            expected = x.reshape(n, block, block, kept, h, w).transpose(0, 3, 4, 1, 5, 2)
        else:
            expected = x.reshape(n, kept, block, block, h, w).transpose(0, 1, 4, 2, 5, 3)
        y = run_node("DepthToSpace", x, blocksize=block, mode=mode)
        assert_same(y, expected.reshape(n, kept, h * block, w * block))
        assert_same(run_node("SpaceToDepth", y, blocksize=block, mode=mode), x)


@pytest.mark.parametrize("block", [0, -1, 2**40, 2])
def test_depth_to_space_rejects(block):
    with pytest.raises(REJECTIONS):
        run_node("DepthToSpace", np.zeros((1, 3, 2, 2), np.float32), blocksize=block)


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("k", [None, -(2**63), -3, -1, 0, 1, 2, 9, 2**63 - 1])
def test_trilu(k, upper):
    reference = np.triu if upper else np.tril
    for dtype in ONE_OF_EACH_SIZE:
        x = numbers((2, 4, 6), dtype)
        offset = 0 if k is None else int(np.clip(k, -99, 99))
        assert_same(run_node("Trilu", x, None if k is None else np.array(k), upper=upper), reference(x, offset))


@pytest.mark.parametrize("k", [-(2**63), -4, -1, 0, 2, 5, 2**63 - 1])
def test_eye_like(k):
    x = np.zeros((4, 5), np.int32)
    for dtype in (t for t in FIXED_SIZE if t.kind != "c"):
        actual = run_node("EyeLike", x, k=k, dtype=helper.np_dtype_to_tensor_dtype(dtype))
        assert_same(actual, np.eye(4, 5, int(np.clip(k, -9, 9))).astype(dtype))


@pytest.mark.parametrize(
    "dtype", [np.int16, np.int32, np.int64, np.float32, np.float64, np.float16, ml_dtypes.bfloat16]
)
@pytest.mark.parametrize(
    ("start", "limit", "step"), [(0, 10, 1), (3, 9, 3), (10, 4, -2), (0, 0, 1), (5, 1, 1), (-7, 8, 4)]
)
def test_range(dtype, start, limit, step):
    actual = run_node("Range", *(np.array(v).astype(dtype) for v in (start, limit, step)))
    assert_same(actual, np.arange(start, limit, step).astype(dtype))


def test_range_of_fractions_and_extremes():
    expected = np.arange(0.5, 2.0, 0.25, np.float32)
    assert_same(run_node("Range", np.float32(0.5), np.float32(2), np.float32(0.25)), expected)
    least, most = np.int64(-(2**63)), np.int64(2**63 - 1)
    assert_same(run_node("Range", least, most, most), np.array([least, -1, most - 1]))
    assert_same(run_node("Range", most, least, least), np.array([most, -1]))


@pytest.mark.parametrize(
    "values", [(0, 5, 0), (-(2**63), 2**63 - 1, 1), (0.0, np.inf, 1.0), (np.nan, 1.0, 1.0), (0.0, 5.0, 0.0)]
)
def test_range_rejects(values):
    with pytest.raises(REJECTIONS):
        run_node("Range", *(np.array(v) for v in values))


@pytest.mark.parametrize("dtype", [t for t in FIXED_SIZE if t.kind != "c"], ids=str)
def test_constant_of_shape(dtype):
    value = onnx.numpy_helper.from_array(numbers((1,), dtype, seed=4))
    for shape in ((2, 3), (), (0, 4), (300,)):
        actual = run_node("ConstantOfShape", np.array(shape, np.int64), value=value)
        assert_same(actual, np.full(shape, numbers((), dtype, seed=4)))


def test_constant_of_shape_is_zero_by_default():
    assert_same(run_node("ConstantOfShape", np.array([2, 2])), np.zeros((2, 2), np.float32))
    with pytest.raises(REJECTIONS):
        run_node("ConstantOfShape", np.array([2, -1]))


@pytest.mark.parametrize("mode", ["linear", "circular"])
@pytest.mark.parametrize("axis", [-2, 1, 2, -1])
def test_tensor_scatter(axis, mode):
    for dtype in ONE_OF_EACH_SIZE:
        past, shape = numbers((3, 4, 6, 5), dtype), [3, 4, 6, 5]
        length, shape[axis] = past.shape[axis], 2
        update = numbers(shape, dtype, seed=1)
        starts = np.array([0, 2, length - 2]) if mode == "linear" else np.array([length - 1, 17, -3])
        expected = np.moveaxis(past.copy(), axis, 1)
        for batch, start in enumerate(starts):
            for step in range(2):
                expected[batch, (start + step) % length] = np.moveaxis(update, axis, 1)[batch, step]
        actual = run_node("TensorScatter", past, update, starts, axis=axis, mode=mode)
        assert_same(actual, np.moveaxis(expected, 1, axis))


def test_tensor_scatter_without_indices_and_out_of_range():
    past, update = numbers((2, 4, 3), np.float32), numbers((2, 2, 3), np.float32, seed=1)
    assert_same(run_node("TensorScatter", past, update), np.concatenate([update, past[:, 2:]], 1))
    for wrong in (3, -1, 2**63 - 1):
        with pytest.raises(REJECTIONS):
            run_node("TensorScatter", past, update, np.array([0, wrong]))


@pytest.mark.parametrize("batch_axis", [0, 1])
def test_reverse_sequence(batch_axis):
    for dtype in ONE_OF_EACH_SIZE:
        x = numbers((4, 4, 3), dtype)
        lengths = np.array([0, 1, 3, 4])
        expected = np.moveaxis(x.copy(), batch_axis, 0)
        for batch, n in enumerate(lengths):
            expected[batch, :n] = expected[batch, :n][::-1].copy()
        actual = run_node("ReverseSequence", x, lengths, batch_axis=batch_axis, time_axis=1 - batch_axis)
        assert_same(actual, np.moveaxis(expected, 0, batch_axis))


@pytest.mark.parametrize("lengths", [[1, 5], [-1, 1], [1]])
def test_reverse_sequence_rejects(lengths):
    with pytest.raises(REJECTIONS):
        run_node("ReverseSequence", np.zeros((4, 2), np.float32), np.array(lengths))
