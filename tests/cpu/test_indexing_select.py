"""TopK, Unique, NonZero, Compress, OneHot, NonMaxSuppression, Col2Im: against numpy."""

import ml_dtypes
import numpy as np
import pytest
from movement_session import FIXED_SIZE, NUMBERS, ONE_OF_EACH_SIZE, REJECTIONS, assert_same, numbers, run_node


def top(x, k, axis, largest):
    """The best k in order, NaN above all numbers, equal values by index."""
    wide = np.moveaxis(x, axis, -1).astype(np.float64 if x.dtype.kind not in "iu" else x.dtype)
    order = np.argsort(wide, axis=-1, kind="stable")
    if largest:
        order = wide.shape[-1] - 1 - np.flip(np.argsort(np.flip(wide, -1), axis=-1, kind="stable"), -1)
    order = np.moveaxis(order[..., :k], -1, axis)
    return np.take_along_axis(x, order, axis), order


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_top_k(dtype, axis, largest):
    x = (numbers((9, 40, 11), dtype) if dtype.kind in "iu" else np.round(numbers((9, 40, 11), np.float32) * 4)).astype(
        dtype
    )
    for k in (0, 1, 3, x.shape[axis]):
        values, indices = run_node("TopK", x, np.array([k]), outputs=2, axis=axis, largest=largest)
        expected = top(x, k, axis, largest)
        assert_same(values, expected[0])
        assert_same(indices, expected[1])


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("k", [1, 2, 50, 700, 5000, 20_000])
def test_top_k_of_long_rows(k, largest):
    rng = np.random.default_rng(k)
    for row in (
        rng.standard_normal((2, 20_000)),
        np.sort(rng.standard_normal((2, 20_000))),
        rng.integers(0, 9, (2, 20_000)),
    ):
        x = row.astype(np.float32)
        x[0, ::997] = np.nan
        x[1, 5:4000:7] = [-0.0, 0.0][k % 2]
        values, indices = run_node("TopK", x, np.array([k]), outputs=2, largest=largest, threads=2)
        expected = top(x, k, -1, largest)
        assert_same(indices, expected[1])
        assert_same(values, expected[0])


def test_top_k_of_rows_of_nan():
    x = np.full((1, 1000), np.nan, np.float16)
    x[0, 500:502] = 1, 2
    for largest, expected in ((1, [0, 1, 2]), (0, [500, 501, 0])):
        assert_same(run_node("TopK", x, np.array([3]), outputs=2, largest=largest)[1], np.array([expected]))


@pytest.mark.parametrize("k", [-1, 5, 2**63 - 1])
def test_top_k_rejects(k):
    with pytest.raises(REJECTIONS):
        run_node("TopK", np.zeros((3, 4), np.float32), np.array([k]), outputs=2)


@pytest.mark.parametrize("is_sorted", [0, 1])
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("dtype", [np.dtype(bool), *NUMBERS], ids=str)
def test_unique(dtype, axis, is_sorted):
    x = np.random.default_rng(6).integers(0, 2, (6, 3, 2)).astype(dtype)
    attributes = {} if axis is None else {"axis": axis}
    actual = run_node("Unique", x, outputs=4, sorted=is_sorted, **attributes)
    plain = x.astype(np.float64)
    _, first, inverse, counts = np.unique(plain, return_index=True, return_inverse=True, return_counts=True, axis=axis)
    inverse = inverse.reshape(-1)
    if not is_sorted:
        order = np.argsort(first)
        inverse = np.argsort(order)[inverse]
        first, counts = first[order], counts[order]
    expected = x.reshape(-1)[first] if axis is None else np.take(x, first, axis)
    for got, wanted in zip(actual, (expected, first, inverse, counts), strict=True):
        assert_same(got, wanted)


def test_unique_takes_all_nan_and_all_zeros_for_one():
    x = np.array([np.nan, 1, -0.0, np.nan, 0.0], np.float32)
    values, indices, inverse, counts = run_node("Unique", x, outputs=4)
    assert_same(values, np.array([-0.0, 1, np.nan], np.float32))
    assert [indices.tolist(), inverse.tolist(), counts.tolist()] == [[2, 1, 0], [2, 1, 0, 2, 0], [2, 1, 2]]


def test_unique_of_nothing():
    for got, shape in zip(
        run_node("Unique", np.zeros((0, 3), np.float32), outputs=4, axis=0), ((0, 3), 0, 0, 0), strict=True
    ):
        assert got.shape == (shape if isinstance(shape, tuple) else (shape,))


@pytest.mark.parametrize("dtype", FIXED_SIZE, ids=str)
def test_nonzero(dtype):
    for shape in ((4, 3, 5), (7,), (0, 3), (2, 0)):
        x = numbers(shape, dtype)
        x[np.random.default_rng(3).random(shape) < 0.4] = 0
        for constants in ((), (0,)):
            assert_same(run_node("NonZero", x, constants=constants), np.array(np.nonzero(x)))


def test_nonzero_of_special_values_and_scalars():
    for dtype in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64):
        assert_same(
            run_node("NonZero", np.array([-0.0, np.nan, 0, np.inf, 1e-45]).astype(dtype)[:4]), np.array([[1, 3]])
        )
    assert run_node("NonZero", np.float32(3)).shape == (0, 1)
    assert run_node("NonZero", np.float32(0)).shape == (0, 0)


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("dtype", FIXED_SIZE, ids=str)
def test_compress(dtype, axis):
    x = numbers((3, 4, 5), dtype)
    for condition in ([False, True, True], [], [True], [False] * 3):
        attributes = {} if axis is None else {"axis": axis}
        actual = run_node("Compress", x, np.array(condition, bool), **attributes)
        assert_same(actual, np.compress(np.array(condition, bool), x, axis=axis))


def test_compress_rejects_a_condition_beyond_the_axis():
    with pytest.raises(REJECTIONS):
        run_node("Compress", np.zeros((2, 3), np.float32), np.array([False, False, True]), axis=0)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("index_type", [t for t in NUMBERS if t != ml_dtypes.bfloat16], ids=str)
def test_one_hot(axis, index_type):
    signed = index_type.kind != "u"
    indices = np.array([[0, 4, 5], [-1 if signed else 1, -5 if signed else 9, -6 if signed else 2]]).astype(index_type)
    wide = indices.astype(np.float64)
    wrapped = np.expand_dims(np.where(wide < 0, wide + 5, wide), axis)
    places = np.moveaxis(np.broadcast_to(np.arange(5), (2, 3, 5)), -1, axis)
    for dtype in ONE_OF_EACH_SIZE:
        values = np.array([3, 7]).astype(dtype)
        expected = np.where(places == wrapped, values[1], values[0])
        assert_same(run_node("OneHot", indices, np.array(5, index_type), values, axis=axis), expected)


def test_one_hot_of_what_is_no_index():
    indices = np.array([0.5, np.nan, np.inf, -np.inf, 1e30, 1], np.float32)
    expected = np.zeros((6, 3), np.float32)
    expected[5, 1] = 1
    assert_same(run_node("OneHot", indices, np.array([3]), np.array([0, 1], np.float32)), expected)
    huge = np.array([2**64 - 1, 2], np.uint64)
    assert_same(run_node("OneHot", huge, np.array([3]), np.array([0, 1])), np.array([[0, 0, 0], [0, 0, 1]]))


@pytest.mark.parametrize("depth", [-1, np.nan, np.inf])
def test_one_hot_rejects(depth):
    with pytest.raises(REJECTIONS):
        run_node("OneHot", np.array([1]), np.array(depth, np.float64), np.array([0, 1]))


def iou(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


@pytest.mark.parametrize("centred", [0, 1])
@pytest.mark.parametrize("limit", [0, 3, 1000])
@pytest.mark.parametrize("least", [None, 0.5])
def test_non_max_suppression(centred, limit, least):
    rng = np.random.default_rng(8)
    corners = np.sort(rng.random((2, 60, 2, 2), np.float32), axis=2).reshape(2, 60, 4)
    scores = np.round(rng.random((2, 3, 60), np.float32), 1)
    expected = []
    for batch, label in np.ndindex(2, 3):
        chosen = []
        for box in np.argsort(-scores[batch, label], kind="stable"):
            free = all(iou(corners[batch, box], corners[batch, other]) <= 0.3 for other in chosen)
            if free and len(chosen) < limit and (least is None or scores[batch, label, box] > least):
                chosen.append(box)
        expected += [(batch, label, box) for box in chosen]
    boxes = corners
    if centred:
        boxes = np.concatenate(
            [(corners[..., :2] + corners[..., 2:])[..., ::-1] / 2, (corners[..., 2:] - corners[..., :2])[..., ::-1]], -1
        )
    else:
        boxes = corners[..., [2, 3, 0, 1]]
    actual = run_node(
        "NonMaxSuppression",
        boxes,
        scores,
        np.array([limit]),
        np.array([0.3], np.float32),
        None if least is None else np.array([least], np.float32),
        center_point_box=centred,
    )
    assert_same(actual, np.array(expected, np.int64).reshape(-1, 3))


def test_non_max_suppression_selects_nothing_by_default():
    assert run_node("NonMaxSuppression", np.ones((1, 2, 4), np.float32), np.ones((1, 1, 2), np.float32)).shape == (0, 3)


def folded(x, image, block, dilations, pads, strides):
    """The blocks of `x` added where they were taken, one element at a time."""
    rank = len(image)
    counts = [
        (image[i] + pads[i] + pads[i + rank] - dilations[i] * (block[i] - 1) - 1) // strides[i] + 1 for i in range(rank)
    ]
    blocks = x.reshape(x.shape[0], -1, *block, *counts)
    padded = np.zeros((*blocks.shape[:2], *(image[i] + pads[i] + pads[i + rank] for i in range(rank))), x.dtype)
    for at in np.ndindex(*block, *counts):
        tap, position = at[:rank], at[rank:]
        to = tuple(t * d + p * s for t, d, p, s in zip(tap, dilations, position, strides, strict=True))
        padded[(slice(None), slice(None), *to)] += blocks[(slice(None), slice(None), *at)]
    return padded[(slice(None), slice(None), *(slice(pads[i], pads[i] + image[i]) for i in range(rank)))]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, np.int32, np.float16], ids=lambda t: t.__name__)
@pytest.mark.parametrize(
    ("image", "block", "dilations", "pads", "strides"),
    [
        ((5, 6), (2, 3), (1, 1), (0, 0, 0, 0), (1, 1)),
        ((5, 6), (2, 2), (2, 1), (1, 0, 0, 2), (1, 2)),
        ((7,), (3,), (2,), (1, 2), (3,)),
        ((4, 3, 5), (2, 1, 3), (1, 1, 1), (0, 1, 1, 1, 0, 0), (2, 1, 1)),
    ],
    ids=str,
)
def test_col2im(dtype, image, block, dilations, pads, strides):
    rank = len(image)
    counts = [
        (image[i] + pads[i] + pads[i + rank] - dilations[i] * (block[i] - 1) - 1) // strides[i] + 1 for i in range(rank)
    ]
    x = np.round(numbers((2, 3 * int(np.prod(block)), int(np.prod(counts))), np.float32) * 8).astype(dtype)
    actual = run_node(
        "Col2Im", x, np.array(image), np.array(block), dilations=dilations, pads=pads, strides=strides, constants=(1, 2)
    )
    assert_same(actual, folded(x, image, block, dilations, pads, strides))


@pytest.mark.parametrize(
    ("image", "block"), [((5, 5), (6, 1)), ((4, 4), (2, 2)), ((2**62, 1), (1, 1)), ((-1, 5), (1, 1))]
)
def test_col2im_rejects(image, block):
    with pytest.raises(REJECTIONS):
        run_node("Col2Im", np.zeros((1, 5, 5), np.float32), np.array(image), np.array(block))
