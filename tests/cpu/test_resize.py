"""Resize: every mode against the reference provider, and on blocked channels."""

import itertools
import subprocess
import sys

import numpy as np
import onnx
import pytest
from parity_session import (
    FLOATS,
    REJECTIONS,
    assert_close,
    assert_parity,
    blocked,
    one_node,
    run_native,
    run_reference,
    unblocked,
)

import ort_core

COORDINATES = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"]
SCALES = [[2.0, 2.0], [0.5, 0.7], [1.5, 3.3], [3.0, 0.4]]


def image(dtype=np.float32, shape=(2, 3, 9, 17)):
    rng = np.random.default_rng(0)
    dtype = np.dtype(dtype)
    return (
        rng.integers(0, 120, shape).astype(dtype) if dtype.kind in "iub" else rng.standard_normal(shape).astype(dtype)
    )


def by_scale(*scales):
    return [None, np.array(scales, np.float32)]


@pytest.mark.parametrize("nearest_mode", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_nearest_picks_the_element_that_the_mode_says(nearest_mode, coordinates):
    for scales in SCALES:
        assert_parity(
            "Resize",
            [image(), *by_scale(*scales)],
            constants=(2,),
            axes=[2, 3],
            nearest_mode=nearest_mode,
            coordinate_transformation_mode=coordinates,
        )


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.float16, np.float64, np.int64], ids=str)
def test_nearest_moves_elements_of_every_size(dtype):
    for scales in ([1, 1, 2, 2], [1, 2, 1, 3], [2, 1, 1, 1]):
        assert_parity("Resize", [image(dtype), *by_scale(*scales)])


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("antialias", [0, 1])
@pytest.mark.parametrize("exclude_outside", [0, 1])
def test_interpolation_weighs_the_neighbours(mode, coordinates, antialias, exclude_outside):
    for scales in SCALES:
        assert_parity(
            "Resize",
            [image(), *by_scale(*scales)],
            tolerance=1e-4,
            axes=[-2, -1],
            mode=mode,
            antialias=antialias,
            exclude_outside=exclude_outside,
            coordinate_transformation_mode=coordinates,
        )


@pytest.mark.parametrize("dtype", [*FLOATS, *(np.dtype(t) for t in (np.uint8, np.int8, np.int32))], ids=str)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("antialias", [0, 1])
def test_interpolation_of_every_type_cuts_or_rounds_as_the_reference(dtype, mode, antialias):
    for scales in SCALES:
        assert_parity(
            "Resize", [image(dtype), *by_scale(1, 1, *scales)], tolerance=1e-4, mode=mode, antialias=antialias
        )


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_any_axes_are_resized(mode):
    x = image(shape=(3, 4, 5, 6))
    for axes in itertools.chain.from_iterable(itertools.combinations(range(4), n) for n in (1, 2, 3, 4)):
        assert_parity(
            "Resize", [x, *by_scale(*(1.5, 0.5, 2.0, 0.8)[: len(axes)])], tolerance=1e-4, axes=axes, mode=mode
        )


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_sizes_keep_the_aspect_ratio_if_asked(policy, mode):
    for sizes in ([5, 5], [30, 8], [9, 17]):
        inputs = [image(), None, None, np.array(sizes)]
        assert_parity(
            "Resize",
            inputs,
            constants=(3,),
            axes=[2, 3],
            keep_aspect_ratio_policy=policy,
            mode=mode,
            tolerance=1e-4,
        )


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("dtype", [np.float32, np.uint8], ids=str)
def test_a_region_is_cropped_and_what_is_outside_extrapolated(mode, dtype):
    roi = np.array([-0.2, 0.1, 0.9, 1.4], np.float32)
    inputs = [image(dtype), roi, None, np.array([6, 20])]
    attributes = {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 7.0}
    assert_parity("Resize", inputs, constants=(3,), tolerance=1e-4, axes=[2, 3], mode=mode, **attributes)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [[2.0, 2.0], [1.5, 0.5]], ids=str)
@pytest.mark.parametrize("threads", [1, 3])
def test_blocked_resize_is_the_plain_one(mode, scales, threads):
    x = image(shape=(1, 20, 9, 11))
    (actual,) = run_native("BlockedResize", [blocked(x)], domain="ort.cpu", threads=threads, mode=mode, scales=scales)
    (expected,) = run_reference("Resize", [x, *by_scale(*scales)], axes=[2, 3], mode=mode)
    assert_close(unblocked(actual, 20), expected)


@pytest.mark.parametrize(
    "scales", [[1, 1, -1, 2], [1, 1, 1e30, 2], [1, 1, np.nan, 2], [1, 2, 2], [1, 1, 0, 2]], ids=str
)
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_wrong_scales_are_rejected(scales, mode):
    with pytest.raises(REJECTIONS):
        run_native("Resize", [image(), *by_scale(*scales)], mode=mode)


def test_empty_images_stay_empty():
    assert_parity("Resize", [image(shape=(0, 3, 4, 4)), *by_scale(1, 1, 2, 2)], mode="linear")
    assert_parity("Resize", [image(), *by_scale(1, 1, 0.01, 2)], mode="linear")


@pytest.mark.parity
def test_antialiased_bytes_are_those_of_onnxruntime(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 37, 53)).astype(np.uint8)
    inputs = [x, None, None, np.array([1, 3, 64, 30], np.int64)]
    model, feed = one_node("Resize", inputs, mode="linear", antialias=1, constants=(3,))
    model = onnx.load_from_string(model)
    model.opset_import[0].version, model.ir_version = 18, 9
    model = model.SerializeToString()
    (tmp_path / "model.onnx").write_bytes(model)
    np.savez(tmp_path / "feed.npz", **feed)
    code = (
        "import sys, numpy as np, onnxruntime as ort; s = ort.InferenceSession(sys.argv[1] + '/model.onnx');"
        "np.save(sys.argv[1] + '/y.npy', s.run(None, dict(np.load(sys.argv[1] + '/feed.npz')))[0])"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    (got,) = ort_core.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, feed)
    difference = np.abs(got.astype(int) - np.load(tmp_path / "y.npy"))
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= difference.size / 1000
