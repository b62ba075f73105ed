"""Images as inputs of `ort-core run`: layout, channels, size, scaling."""

from __future__ import annotations

import json

import numpy as np
import pytest
from onnx import TensorProto

from ort_core.cli import main
from ort_core.cli.images import ImageOptions, deduce_layout, load_image
from ort_core.errors import InvalidArgument, NoSuchFile
from ort_core.ir.types import ElementType

Image = pytest.importorskip("PIL.Image")

FLOAT, UINT8 = ElementType.FLOAT, ElementType.UINT8
RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
GREY = RGB[..., 0].copy()


@pytest.fixture
def rgb_file(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "rgb.png")
    return tmp_path / "rgb.png"


@pytest.fixture
def grey_file(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "grey.png")
    return tmp_path / "grey.png"


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        (["N", 1, 8, 8], "NCHW"),
        ([1, 3, 224, 224], "NCHW"),
        (["N", 8, 8, 1], "NHWC"),
        ([None, None, None, 3], "NHWC"),
        (["N", 3, "H", "W"], "NCHW"),
        ([3, 8, 9], "CHW"),
        ([8, 9, 3], "HWC"),
        ([5, 28, 28], "NHW"),
        ([8, 8], "HW"),
        ([1, 3, 3, 224], "NCHW"),
    ],
)
def test_layout_follows_from_the_channel_dimension(shape, layout):
    assert deduce_layout(shape) == layout


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (["N", 3, 8, 3], "could be NCHW or NHWC"),
        (["N", 1, 28, 1], "could be NCHW or NHWC"),
        ([None, None, None, None], "could be NCHW or NHWC"),
        (["N", 28, 28], "could be CHW or NHW"),
        ([1, 5, 8, 8], "is not that of an image"),
        ([1], "is not that of an image"),
        ([1, 2, 3, 4, 5], "is not that of an image"),
    ],
)
def test_ambiguous_and_impossible_layouts_are_refused(shape, message):
    with pytest.raises(InvalidArgument, match=message):
        deduce_layout(shape)


def test_float_inputs_get_zero_to_one(rgb_file):
    array = load_image(rgb_file, FLOAT, ["N", 3, 4, 6], ImageOptions())
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    np.testing.assert_array_equal(array, (RGB / 255).astype(np.float32).transpose(2, 0, 1)[None])


def test_uint8_inputs_keep_the_pixel_values(rgb_file):
    array = load_image(rgb_file, UINT8, ["N", None, None, 3], ImageOptions())
    np.testing.assert_array_equal(array, RGB[None])
    assert array.dtype == np.uint8


@pytest.mark.parametrize(
    ("shape", "expected"),
    [([1, 1, 4, 6], GREY[None, None]), ([4, 6, 1], GREY[..., None]), ([1, 4, 6], GREY[None]), ([4, 6], GREY)],
)
def test_grey_images_take_the_shape_of_the_input(shape, expected, grey_file):
    np.testing.assert_array_equal(load_image(grey_file, UINT8, shape, ImageOptions()), expected)


def test_channels_are_converted_to_what_the_input_wants(rgb_file, grey_file):
    grey = load_image(rgb_file, UINT8, [1, 1, 4, 6], ImageOptions())
    assert grey.shape == (1, 1, 4, 6)
    rgb = load_image(grey_file, UINT8, [1, 3, 4, 6], ImageOptions())
    np.testing.assert_array_equal(rgb[0, 2], GREY)


def test_unknown_channel_count_follows_the_image(rgb_file, grey_file):
    options = ImageOptions(layout="NCHW")
    assert load_image(rgb_file, UINT8, [None] * 4, options).shape == (1, 3, 4, 6)
    assert load_image(grey_file, UINT8, [None] * 4, options).shape == (1, 1, 4, 6)
    assert load_image(grey_file, UINT8, [], options).shape == (1, 1, 4, 6)


def test_layout_option_settles_an_ambiguous_shape(tmp_path):
    Image.fromarray(RGB[:3, :3].copy()).save(tmp_path / "i.png")
    array = load_image(tmp_path / "i.png", UINT8, [1, 3, 3, 3], ImageOptions(layout="NHWC"))
    np.testing.assert_array_equal(array[0], RGB[:3, :3])


def test_layout_of_another_rank_is_refused(rgb_file):
    with pytest.raises(InvalidArgument, match=r"--layout HWC has 3 dimensions, the input \[1, 3, 4, 6\] 4"):
        load_image(rgb_file, UINT8, [1, 3, 4, 6], ImageOptions(layout="HWC"))


def test_mean_and_std_apply_per_channel_after_scaling(rgb_file):
    options = ImageOptions(mean=(0.5, 0.25, 0.0), std=(2.0,))
    array = load_image(rgb_file, ElementType.DOUBLE, [1, 4, 6, 3], options)
    np.testing.assert_allclose(array[0], (RGB / 255 - [0.5, 0.25, 0]) / 2)


def test_mean_of_another_channel_count_is_refused(rgb_file):
    with pytest.raises(InvalidArgument, match="--mean has 2 values; the image has 3 channels"):
        load_image(rgb_file, FLOAT, [1, 3, 4, 6], ImageOptions(mean=(0.5, 0.5)))


def test_mean_on_an_integer_input_is_refused(rgb_file):
    with pytest.raises(InvalidArgument, match="need a floating-point input"):
        load_image(rgb_file, UINT8, [1, 3, 4, 6], ImageOptions(mean=(0.5,)))


def test_other_size_is_refused_unless_resizing_is_asked_for(rgb_file):
    with pytest.raises(InvalidArgument, match=r"4 pixels high and 6 wide; .* \[8, 9\]. Give --resize"):
        load_image(rgb_file, FLOAT, [1, 3, 8, 9], ImageOptions())
    assert load_image(rgb_file, FLOAT, [1, 3, 8, 9], ImageOptions(resize=True)).shape == (1, 3, 8, 9)


def test_resizing_to_an_unknown_size_is_refused(rgb_file):
    with pytest.raises(InvalidArgument, match="fixed height and width"):
        load_image(rgb_file, FLOAT, [1, 3, "H", "W"], ImageOptions(resize=True))


@pytest.mark.parametrize("element", [ElementType.INT64, ElementType.STRING, ElementType.BOOL])
def test_other_element_types_are_refused(element, rgb_file):
    with pytest.raises(InvalidArgument, match="only floats and uint8"):
        load_image(rgb_file, element, [1, 3, 4, 6], ImageOptions())


def test_deep_images_are_refused(tmp_path):
    Image.fromarray(GREY.astype(np.uint16) * 200).save(tmp_path / "deep.png")
    with pytest.raises(InvalidArgument, match="more than 8 bits"):
        load_image(tmp_path / "deep.png", FLOAT, [1, 1, 4, 6], ImageOptions())


def test_transparent_images_are_refused_and_opaque_alpha_is_dropped(tmp_path):
    opaque = np.dstack([RGB, np.full((4, 6), 255, np.uint8)])
    Image.fromarray(opaque).save(tmp_path / "opaque.png")
    np.testing.assert_array_equal(load_image(tmp_path / "opaque.png", UINT8, [4, 6, 3], ImageOptions()), RGB)
    opaque[0, 0, 3] = 10
    Image.fromarray(opaque).save(tmp_path / "clear.png")
    with pytest.raises(InvalidArgument, match="transparent pixels"):
        load_image(tmp_path / "clear.png", UINT8, [4, 6, 3], ImageOptions())


@pytest.mark.parametrize("keep", [0, 20, 60])
def test_broken_images_are_explained(keep, rgb_file):
    rgb_file.write_bytes(rgb_file.read_bytes()[:keep])
    with pytest.raises(InvalidArgument, match="is not a readable PNG, JPEG or BMP image"):
        load_image(rgb_file, FLOAT, [1, 3, 4, 6], ImageOptions())


def test_missing_image_is_explained(tmp_path):
    with pytest.raises(NoSuchFile, match="does not exist"):
        load_image(tmp_path / "gone.png", FLOAT, [1, 3, 4, 6], ImageOptions())


def test_repeated_images_make_a_batch(digits_folder, capsys):
    images = [f"image={digits_folder / 'samples' / f'{digit}.png'}" for digit in (4, 2, 9)]
    argv = [part for image in images for part in ("--input", image)]
    assert main(["run", str(digits_folder / "digits.onnx"), *argv, "--output", "digit", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"][0]["values"] == [4, 2, 9]


def test_images_without_a_batch_dimension_do_not_make_a_batch(grey_file, save_identity, capsys):
    model = save_identity(x=(TensorProto.UINT8, [4, 6]))
    assert main(["run", model, "--input", f"x={grey_file}", "--input", f"x={grey_file}"]) == 2
    assert "images make a batch only if" in capsys.readouterr().err


def test_image_options_without_an_image_are_refused(save_identity, capsys):
    assert main(["run", save_identity(x=(TensorProto.FLOAT, ["N"])), "--input", "x=[1]", "--resize"]) == 2
    assert "no --input is one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--mean=a", "'a' is not a list of numbers"),
        ("--mean=nan", "'nan' is not a list of numbers"),
        ("--std=1,0", "--std must not be 0"),
        ("--layout=NWHC", "--layout NWHC is none of NCHW"),
    ],
)
def test_wrong_image_options_are_usage_errors(option, message, digits_folder, capsys):
    assert main(["run", str(digits_folder / "digits.onnx"), "--input", "image=x.png", option]) == 2
    assert message in capsys.readouterr().err


def test_ambiguous_layout_names_the_option(save_identity, rgb_file, capsys):
    model = save_identity(x=(TensorProto.FLOAT, ["N", 3, 3, 3]))
    assert main(["run", model, "--input", f"x={rgb_file}"]) == 2
    assert "--input x: the input shape [N, 3, 3, 3] could be NCHW or NHWC" in (err := capsys.readouterr().err)
    assert "--layout {NCHW,NHWC}" in err
