from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from conv_helpers import Writer, assert_same, op_types, rewritten
from fusion_helpers import floats

SHAPE = (2, 12, 7, 9)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def passed(model: onnx.ModelProto) -> list[str]:
    """The operators behind the first convolution."""
    found = op_types(rewritten(model, "use_blocked_layout", "sink_from_blocked"))
    return found[found.index("BlockedConv") + 1 :]


def behind_conv(channels: int, *steps: Callable[[Writer, str], str], shape: tuple[int, ...] = SHAPE) -> onnx.ModelProto:
    """A convolution and what follows it."""
    writer = Writer()
    y = writer.conv("x", 12, channels, *(3,) * (len(shape) - 2))
    for step in steps:
        y = step(writer, y)
    return writer.model(shape, y)


def step(op_type: str, *constants: Any, **attributes: Any) -> Callable[[Writer, str], str]:
    def add(writer: Writer, y: str) -> str:
        return writer.op(op_type, y, *("" if c is None else writer.constant(c) for c in constants), **attributes)

    return add


def batch_norm(channels: int) -> Callable[[Writer, str], str]:
    return lambda writer, y: writer.batch_norm(y, channels)


ELEMENTWISE = [
    step("Relu"),
    step("Clip", np.float32(-0.5), np.float32(0.5)),
    step("Clip", None, np.float32(0.5)),
    step("HardSigmoid", alpha=0.3, beta=0.4),
    step("Mul", floats(20, 1, 1)),
    step("Sub", floats(1, 20, 1, 1)),
    step("Add", floats(1)),
    step("Add", floats(1, 1, 1)),
    step("PRelu", floats(20, 1, 1)),
]


@pytest.mark.parametrize("first", ELEMENTWISE)
def test_elementwise_operators_work_in_blocks(first: Callable[[Writer, str], str]) -> None:
    model = behind_conv(20, step("Exp"), first, step("Softplus"))
    assert passed(model)[-1] == "FromBlocked"
    assert passed(model).count("FromBlocked") == 1
    assert_same(model, {"x": floats(*SHAPE)})


@pytest.mark.parametrize("shape", [(2, 12, 11), SHAPE, (1, 12, 3, 4, 5)])
def test_batch_norm_is_a_scale_and_a_shift(shape: tuple[int, ...]) -> None:
    model = behind_conv(20, step("Relu"), batch_norm(20), shape=shape)
    assert passed(model) == ["Relu", "Mul", "Add", "FromBlocked"]
    assert_same(model, {"x": floats(*shape)})


@pytest.mark.parametrize(
    "last",
    [
        step("Mul", floats(7, 9)),
        step("Mul", floats(20, 7, 1)),
        step("Mul", floats(2, 20, 1, 1)),
        step("Mul", floats(9)),
        step("Add", floats(1, 1, 1, 1, 1)),
        step("Softmax", axis=1),
        step("ReduceMean", ints(1)),
        step("ReduceMean", ints(2, 3), keepdims=0),
        step("Concat", floats(2, 3, 7, 9), axis=1),
        step("Pad", ints(0, 1, 0, 0, 0, 1, 0, 0)),
        step("Flatten"),
    ],
)
def test_operators_across_channels_stay(last: Callable[[Writer, str], str]) -> None:
    model = behind_conv(20, last)
    assert passed(model)[0] == "FromBlocked"
    assert_same(model, {"x": floats(*SHAPE)})


def test_constants_that_widen_the_channels_stay() -> None:
    model = behind_conv(1, step("Mul", floats(20, 1, 1)))
    assert passed(model) == ["FromBlocked", "Mul"]
    assert_same(model, {"x": floats(*SHAPE)})


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (step("MaxPool", kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]), "BlockedMaxPool"),
        (step("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), "BlockedAveragePool"),
        (step("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), "BlockedAveragePool"),
        (step("GlobalAveragePool"), "BlockedGlobalAveragePool"),
        (step("ReduceMean", ints(-1, 2)), "BlockedGlobalAveragePool"),
        (step("Resize", None, np.array([1, 1, 2, 2], np.float32)), "BlockedResize"),
        (step("Resize", None, None, ints(2, 20, 10, 5), mode="linear"), "BlockedResize"),
        (step("Pad", ints(0, 0, 1, 2, 0, 0, 3, 0), mode="reflect"), "Pad"),
        (step("Pad", ints(0, 0, -1, 2, 0, 0, 3, 0), np.float32(0.5)), "Pad"),
        (step("Pad", ints(2, 1), None, ints(-1), mode="edge"), "Pad"),
    ],
)
def test_spatial_operators_work_in_blocks(first: Callable[[Writer, str], str], expected: str) -> None:
    model = behind_conv(20, first)
    assert passed(model)[0] == expected
    assert_same(model, {"x": floats(*SHAPE)})


@pytest.mark.parametrize("channels", [16, 20])
def test_concat_works_in_blocks_if_they_are_whole(channels: int) -> None:
    writer = Writer()
    y = writer.op("Concat", writer.conv("x", 12, channels, 1, 1), writer.conv("x", 12, 32, 3, 3), axis=1)
    z = writer.conv(y, channels + 32, 16, 1, 1)
    model = writer.model(SHAPE, z)
    assert (passed(model).count("FromBlocked") == 1) == (channels == 16)
    assert_same(model, {"x": floats(*SHAPE)})


@pytest.mark.parametrize(("first", "second"), [(16, 32), (20, 28)])
def test_split_works_in_blocks_if_they_are_whole(first: int, second: int) -> None:
    writer = Writer()
    y = writer.op("Relu", writer.conv("x", 12, first + second, 3, 3))
    part = writer.op("Split", y, writer.constant(ints(first, second)), n_outputs=2, axis=1)
    z = writer.op("Concat", writer.conv(part, first, 16, 1, 1), writer.conv(f"{part}_1", second, 16, 1, 1), axis=1)
    model = writer.model(SHAPE, z)
    assert (passed(model).count("FromBlocked") == 1) == (first == 16)
    assert_same(model, {"x": floats(*SHAPE)})


def test_scales_of_images_are_converted() -> None:
    writer = Writer()
    y = writer.conv("x", 12, 20, 3, 3)
    z = writer.conv(writer.op("Mul", y, "s"), 20, 20, 1, 1)
    model = writer.model(SHAPE, z, s=(2, 20, 1, 1))
    assert passed(model).count("FromBlocked") == 1
    assert_same(model, {"x": floats(*SHAPE), "s": floats(2, 20, 1, 1)})


@pytest.mark.parametrize("shape", [(2, 1, 7, 9), (1, 20, 7, 9), (20, 1, 1), (2, 1, 1, 1), (2, 20, 7, 9)])
def test_other_variable_operands_stay(shape: tuple[int, ...]) -> None:
    writer = Writer()
    z = writer.op("Mul", writer.conv("x", 12, 20, 3, 3), "s")
    model = writer.model(SHAPE, z, s=shape)
    assert passed(model) == ["FromBlocked", "Mul"]
    assert_same(model, {"x": floats(*SHAPE), "s": floats(*shape)})


def test_squeeze_and_excitation_has_no_conversions_of_maps() -> None:
    writer = Writer()
    y = writer.op("HardSwish", writer.conv("x", 12, 24, 3, 3))
    s = writer.op("Relu", writer.conv(writer.op("GlobalAveragePool", y), 24, 12, 1, 1))
    s = writer.op("HardSigmoid", writer.conv(s, 12, 24, 1, 1))
    z = writer.conv(writer.op("Mul", s, y), 24, 16, 1, 1)
    model = writer.model(SHAPE, z)
    assert passed(model).count("FromBlocked") == 1
    assert_same(model, {"x": floats(*SHAPE)})


def test_sum_of_different_heights_broadcasts_in_blocks() -> None:
    writer = Writer()
    y = writer.conv("x", 12, 20, 3, 3)
    low = writer.op("MaxPool", y, kernel_shape=[7, 1])
    model = writer.model(SHAPE, writer.op("Add", low, y))
    assert passed(model)[-1] == "FromBlocked"
    assert_same(model, {"x": floats(*SHAPE)})


def test_indices_of_maxpool_stay() -> None:
    writer = Writer()
    y = writer.op("MaxPool", writer.conv("x", 12, 20, 3, 3), n_outputs=2, kernel_shape=[2, 2])
    model = writer.model(SHAPE, y)
    model.graph.output.add(name=f"{y}_1").type.tensor_type.elem_type = onnx.TensorProto.INT64
    assert passed(model) == ["FromBlocked", "MaxPool"]
