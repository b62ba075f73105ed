"""GridSample, AffineGrid, RoiAlign and MaxRoiPool against the reference provider."""

import numpy as np
import pytest
from parity_session import FLOATS, REJECTIONS, assert_parity, run_native


def random(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [0, 1])
@pytest.mark.parametrize("sizes", [[11], [7, 9], [4, 5, 6]], ids=str)
def test_grid_sample_interpolates_in_one_to_three_dimensions(mode, padding_mode, align_corners, sizes):
    grid = np.random.default_rng(1).uniform(-1.7, 1.7, (2, *(s + 3 for s in sizes), len(sizes))).astype(np.float32)
    attributes = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    assert_parity("GridSample", [random(2, 3, *sizes), grid], tolerance=2e-4, **attributes)


@pytest.mark.parametrize("dtype", [*FLOATS, np.dtype(np.uint8)], ids=str)
def test_grid_sample_of_every_type(dtype):
    x = (random(1, 2, 6, 7) * 20 + 100).astype(dtype)
    grid = np.random.default_rng(1).uniform(-0.9, 0.9, (1, 5, 4, 2)).astype(np.float32)
    assert_parity("GridSample", [x, grid], tolerance=1e-4)


def test_grid_sample_ignores_infinities_outside_and_survives_wild_grids():
    x = np.full((1, 1, 3, 3), np.inf, np.float32)
    grid = np.array([[[[-9, -9], [9, 0]]]], np.float32)
    (y,) = run_native("GridSample", [x, grid])
    np.testing.assert_array_equal(y, np.zeros((1, 1, 1, 2), np.float32))
    wild = np.array([[[[np.nan, 1e38], [-1e38, np.inf]]]], np.float32)
    for padding_mode in ("zeros", "border", "reflection"):
        run_native("GridSample", [random(1, 1, 3, 3), wild], padding_mode=padding_mode)


@pytest.mark.parametrize("align_corners", [0, 1])
@pytest.mark.parametrize("sizes", [[4, 5], [2, 3, 4]], ids=str)
@pytest.mark.parametrize("constants", [(), (1,)], ids=str)
def test_affine_grid_maps_positions(align_corners, sizes, constants):
    rank = len(sizes)
    inputs = [random(2, rank, rank + 1), np.array([2, 3, *sizes])]
    assert_parity("AffineGrid", inputs, constants=constants, align_corners=align_corners)


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "output_half_pixel"])
@pytest.mark.parametrize("sampling_ratio", [0, 1, 2])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_roi_align_samples_each_bin(mode, coordinates, sampling_ratio, dtype):
    corners = np.sort(np.random.default_rng(0).uniform(-2, 14, (5, 2, 2)), axis=1)
    inputs = [random(2, 3, 10, 12).astype(dtype), corners.reshape(5, 4).astype(dtype), np.array([0, 1, 1, 0, 1])]
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates, "sampling_ratio": sampling_ratio}
    assert_parity("RoiAlign", inputs, tolerance=1e-4, output_height=3, output_width=2, spatial_scale=0.7, **attributes)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_max_roi_pool_takes_the_largest_of_each_bin(dtype):
    rois = np.array([[0, 1, 1, 6, 8], [1, -3, 0, 30, 4], [1, 20, 20, 22, 22]], dtype)
    assert_parity("MaxRoiPool", [random(2, 3, 10, 12).astype(dtype), rois], pooled_shape=[3, 2], spatial_scale=0.5)


@pytest.mark.parametrize("batch", [-1, 2])
def test_regions_of_images_that_are_not_there_are_rejected(batch):
    x, region = random(2, 1, 4, 4), np.zeros((1, 4), np.float32)
    with pytest.raises(REJECTIONS, match="batch index"):
        run_native("RoiAlign", [x, region, np.array([batch])])
    with pytest.raises(REJECTIONS, match="batch index"):
        run_native("MaxRoiPool", [x, np.full((1, 5), batch, np.float32)], pooled_shape=[1, 1])


def test_regions_without_a_finite_size_are_rejected():
    with pytest.raises(REJECTIONS):
        run_native("RoiAlign", [random(1, 1, 4, 4), np.full((1, 4), np.nan, np.float32), np.array([0])])
