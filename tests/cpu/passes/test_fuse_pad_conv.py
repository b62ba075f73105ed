import numpy as np
import pytest
from conv_helpers import Writer, assert_same, node_of, op_types, rewritten
from fusion_helpers import floats
from onnx import helper

SHAPE = (1, 6, 7, 8)


def padded(pads: list[int], *rest: str, mode: str = "constant", conv_pads: tuple[int, ...] = (0, 1, 1, 0)) -> Writer:
    writer = Writer()
    y = writer.op("Pad", "x", writer.constant(np.array(pads, np.int64)), *rest, mode=mode)
    writer.conv(y, 6, 16, 3, 3, pads=list(conv_pads))
    return writer


def test_spatial_zeros_become_pads() -> None:
    writer = padded([0, 0, 1, 2, 0, 0, 3, 0])
    model = writer.model(SHAPE, "v1")
    result = rewritten(model, "fuse_pad_conv")
    assert op_types(result) == ["Conv"]
    assert tuple(node_of(result, "Conv").attr("pads")) == (1, 3, 4, 0)
    assert_same(model, {"x": floats(*SHAPE)})


def test_chosen_axes_and_an_explicit_zero() -> None:
    writer = Writer()
    zero, axes = writer.constant(np.float32(0)), writer.constant(np.array([-1, 2], np.int64))
    y = writer.op("Pad", "x", writer.constant(np.array([1, 2, 3, 0], np.int64)), zero, axes)
    writer.conv(y, 6, 16, 3, 3, pads=[0] * 4)
    model = writer.model(SHAPE, "v1")
    result = rewritten(model, "fuse_pad_conv")
    assert tuple(node_of(result, "Conv").attr("pads")) == (2, 1, 0, 3)
    assert_same(model, {"x": floats(*SHAPE)})


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
def test_other_modes_stay(mode: str) -> None:
    model = padded([0, 0, 1, 2, 0, 0, 2, 1], mode=mode).model(SHAPE, "v1")
    assert op_types(rewritten(model, "fuse_pad_conv")) == ["Pad", "Conv"]
    assert_same(model, {"x": floats(*SHAPE)})


@pytest.mark.parametrize("pads", [[0, 0, -1, 0, 0, 0, 2, 0], [0, 2, 1, 1, 0, -2, 1, 1], [1, 0, 1, 1, -1, 0, 1, 1]])
def test_crops_and_pads_of_other_axes_stay(pads: list[int]) -> None:
    model = padded(pads).model(SHAPE, "v1")
    assert "Pad" in op_types(rewritten(model, "fuse_pad_conv"))


def test_other_values_stay() -> None:
    writer = Writer()
    value = writer.constant(np.float32(0.5))
    y = writer.op("Pad", "x", writer.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64)), value)
    writer.conv(y, 6, 16, 3, 3)
    model = writer.model(SHAPE, "v1")
    assert op_types(rewritten(model, "fuse_pad_conv")) == ["Pad", "Conv"]
    assert_same(model, {"x": floats(*SHAPE)})


def test_padding_that_is_used_elsewhere_stays() -> None:
    model = padded([0, 0, 1, 1, 0, 0, 1, 1]).model(SHAPE, "v0", "v1")
    assert op_types(rewritten(model, "fuse_pad_conv")) == ["Pad", "Conv"]


def test_automatic_padding_stays() -> None:
    writer = padded([0, 0, 1, 1, 0, 0, 1, 1])
    conv = writer.nodes[-1]
    del conv.attribute[:]
    conv.attribute.append(helper.make_attribute("auto_pad", "SAME_UPPER"))
    assert "Pad" in op_types(rewritten(writer.model(SHAPE, "v1"), "fuse_pad_conv"))
