"""Pools: every attribute, type and rank against the reference provider, and on blocked channels."""

import numpy as np
import pytest
from onnx import TensorProto
from parity_session import (
    FLOATS,
    REJECTIONS,
    assert_close,
    assert_parity,
    blocked,
    run_native,
    run_reference,
    unblocked,
)

GEOMETRIES = [
    {"kernel_shape": [3], "strides": [2], "pads": [1, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2]},
    {"kernel_shape": [13, 1], "pads": [6, 0, 6, 0]},
    {"kernel_shape": [3, 2], "strides": [3, 1], "pads": [0, 1, 2, 1], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "dilations": [2, 3], "strides": [1, 2], "pads": [2, 0, 1, 3]},
    {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [2, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [4, 3], "strides": [2, 1], "auto_pad": "VALID"},
    {"kernel_shape": [2, 3, 2], "strides": [1, 2, 2], "pads": [1, 0, 1, 0, 1, 1], "dilations": [1, 2, 1]},
    {"kernel_shape": [1, 300], "pads": [0, 299, 0, 299]},
    {"kernel_shape": [2, 2], "dilations": [20, 30], "pads": [10, 15, 10, 15]},
]
SIZES = {1: [37], 2: [20, 37], 3: [5, 9, 18]}


def images(geometry, dtype=np.float32, *, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((2, channels, *SIZES[len(geometry["kernel_shape"])])) * 20).astype(dtype)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("dtype", [*FLOATS, np.dtype(np.int8)], ids=str)
def test_max_pool_is_the_largest_of_each_window(geometry, dtype):
    assert_parity("MaxPool", [images(geometry, dtype)], **geometry)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("storage_order", [0, 1])
@pytest.mark.parametrize("outputs", [(0, 1), (1,)], ids=str)
def test_max_pool_tells_where_the_largest_are(geometry, storage_order, outputs):
    x = images(geometry, np.float16)
    types = {1: TensorProto.INT64}
    assert_parity("MaxPool", [x], outputs=outputs, types=types, storage_order=storage_order, **geometry)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("count_include_pad", [0, 1])
def test_average_pool_divides_by_what_it_counts(geometry, dtype, count_include_pad):
    assert_parity("AveragePool", [images(geometry, dtype)], count_include_pad=count_include_pad, **geometry)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_lp_pool_is_a_norm(p, dtype):
    for geometry in GEOMETRIES[:4]:
        assert_parity("LpPool", [images(geometry, dtype)], p=p, **geometry)


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_global_pools_leave_one_element_of_each_channel(op, dtype):
    rng = np.random.default_rng(0)
    for shape in [(2, 3), (2, 5, 7), (2, 3, 7, 7), (1, 2, 20, 31), (1, 2, 3, 4, 5), (0, 3, 4)]:
        assert_parity(op, [rng.standard_normal(shape).astype(dtype)])


@pytest.mark.parametrize("geometry", [g for g in GEOMETRIES if len(g["kernel_shape"]) == 2], ids=str)
@pytest.mark.parametrize("place", [(0, 0), (7, 20), (19, 36)], ids=str)
def test_a_nan_wins_in_every_window_that_it_is_in(geometry, place):
    x = images(geometry)
    x[0, 1][place] = np.nan
    x[1, 2][place] = np.inf
    assert_parity("MaxPool", [x], **geometry)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("geometry", [g for g in GEOMETRIES if g.get("auto_pad") is None], ids=str)
def test_blocked_pools_are_the_plain_ones(op, threads, geometry):
    x = images(geometry, channels=20)
    (actual,) = run_native(f"Blocked{op}", [blocked(x)], domain="ort.cpu", threads=threads, **geometry)
    assert_close(unblocked(actual, 20), run_reference(op, [x], **geometry)[0])


def test_blocked_global_average_pool_makes_plain_channels():
    x = np.random.default_rng(0).standard_normal((2, 20, 9, 7)).astype(np.float32)
    (actual,) = run_native("BlockedGlobalAveragePool", [blocked(x)], domain="ort.cpu", channels=20)
    assert_close(actual, x.mean(axis=(2, 3), keepdims=True))


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (1, 0, 8, 8), (1, 1, 0, 4)], ids=str)
def test_empty_images_make_empty_results(shape):
    assert_parity("MaxPool", [np.zeros(shape, np.float32)], kernel_shape=[1, 3], pads=[1, 1, 1, 1])


@pytest.mark.parametrize(
    "geometry",
    [
        {"kernel_shape": [0, 1]},
        {"kernel_shape": [2]},
        {"kernel_shape": [2, 2], "strides": [0, 1]},
        {"kernel_shape": [2, 2], "pads": [2**62] * 4},
        {"kernel_shape": [2**62, 2**62], "dilations": [2**62, 3]},
        {"kernel_shape": [99, 1]},
        {"kernel_shape": [2, 2], "auto_pad": "SAME"},
    ],
    ids=str,
)
def test_wrong_geometries_are_rejected(geometry):
    with pytest.raises(REJECTIONS):
        run_native("MaxPool", [np.zeros((1, 1, 6, 6), np.float32)], **geometry)


@pytest.mark.parametrize("output_shape", [None, [1, 1, 4, 4], [1, 1, 5, 6]], ids=str)
def test_max_unpool_puts_elements_back(output_shape):
    x = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 2, 2)
    indices = np.array([[[[5, 7], [13, 15]]]])
    extra = [] if output_shape is None else [np.array(output_shape)]
    assert_parity("MaxUnpool", [x, indices, *extra], kernel_shape=[2, 2], strides=[2, 2])


@pytest.mark.parametrize("index", [-1, 16, 2**62])
def test_max_unpool_rejects_indices_out_of_range(index):
    x, indices = np.ones((1, 1, 1, 1), np.float32), np.full((1, 1, 1, 1), index)
    with pytest.raises(REJECTIONS, match=str(index)):
        run_native("MaxUnpool", [x, indices], kernel_shape=[4, 4])
