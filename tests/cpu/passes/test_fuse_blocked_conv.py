from typing import Any

import numpy as np
import onnx
import pytest
from conv_helpers import LAYOUT, Writer, assert_same, node_of, op_types, rewritten
from fusion_helpers import floats

SHAPE = (2, 20, 7, 9)


def passed(model: onnx.ModelProto) -> list[str]:
    return op_types(rewritten(model, *LAYOUT))


def activated(op_type: str, *constants: np.ndarray, channels: int = 20, **attributes: Any) -> onnx.ModelProto:
    writer = Writer()
    y = writer.conv("x", channels, 24, 3, 3)
    y = writer.op(op_type, y, *map(writer.constant, constants), **attributes)
    return writer.model((2, channels, 7, 9), y)


ACTIVATIONS: list[tuple[str, tuple[np.ndarray, ...], dict[str, Any], str]] = [
    ("Relu", (), {}, "relu"),
    ("LeakyRelu", (), {"alpha": 0.2}, "leaky_relu"),
    ("PRelu", (np.float32([[[0.3]]]),), {}, "leaky_relu"),
    ("PRelu", (np.float32(-0.3),), {}, "leaky_relu"),
    ("Clip", (np.float32(-0.25), np.float32(1)), {}, "clip"),
    ("Sigmoid", (), {}, "sigmoid"),
    ("Tanh", (), {}, "tanh"),
    ("HardSwish", (), {}, "hard_swish"),
    ("HardSigmoid", (), {"alpha": 0.4, "beta": 0.6}, "hard_sigmoid"),
    ("Gelu", (), {}, "gelu_erf"),
    ("Gelu", (), {"approximate": "tanh"}, "gelu_tanh"),
    ("Elu", (), {"alpha": 0.7}, "elu"),
    ("Softplus", (), {}, "softplus"),
    ("Mish", (), {}, "mish"),
]


@pytest.mark.parametrize("channels", [3, 20])
@pytest.mark.parametrize(("op_type", "constants", "attributes", "expected"), ACTIVATIONS)
def test_activations_fuse(
    op_type: str, constants: tuple[np.ndarray, ...], attributes: dict[str, Any], expected: str, channels: int
) -> None:
    model = activated(op_type, *constants, channels=channels, **attributes)
    name = "StemConv" if channels == 3 else "BlockedConv"
    result = rewritten(model, *LAYOUT)
    assert op_types(result)[-2:] == [name, "FromBlocked"]
    assert node_of(result, name).attr("activation") == expected
    assert_same(model, {"x": floats(2, channels, 7, 9)})


@pytest.mark.parametrize(
    ("op_type", "constants"),
    [("PRelu", (floats(24, 1, 1),)), ("Clip", (np.float32(1), np.float32(-1))), ("Exp", ()), ("Abs", ())],
)
def test_other_functions_stay(op_type: str, constants: tuple[np.ndarray, ...]) -> None:
    model = activated(op_type, *constants)
    assert passed(model)[-2:] == [op_type, "FromBlocked"]
    assert_same(model, {"x": floats(*SHAPE)})


@pytest.mark.parametrize("is_swapped", [True, False])
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (5, 5)])
@pytest.mark.parametrize("group", [1, 20])
def test_residual_and_activation_fuse(kernel: tuple[int, int], group: int, is_swapped: bool) -> None:
    writer = Writer()
    x = writer.op("Relu", writer.conv("x", 20, 20, 1, 1))
    y = writer.conv(x, 20, 20, *kernel, group=group)
    z = writer.op("LeakyRelu", writer.op("Add", *((y, x) if is_swapped else (x, y))))
    model = writer.model(SHAPE, z)
    assert passed(model) == ["ToBlocked", "BlockedConv", "BlockedConv", "FromBlocked"]
    assert_same(model, {"x": floats(*SHAPE)})


def test_the_last_of_two_convolutions_takes_their_sum() -> None:
    writer = Writer()
    y = writer.conv(writer.conv("x", 20, 20, 3, 3), 20, 20, 3, 3)
    z = writer.op("Relu", writer.op("Add", y, writer.conv("x", 20, 20, 1, 1)))
    model = writer.model(SHAPE, z)
    assert passed(model).count("BlockedConv") == 3
    assert "Add" not in passed(model)
    assert_same(model, {"x": floats(*SHAPE)})


def test_a_sum_behind_an_activation_stays() -> None:
    writer = Writer()
    x = writer.conv("x", 20, 20, 1, 1)
    z = writer.op("Add", writer.op("Relu", writer.conv(x, 20, 20, 3, 3)), x)
    model = writer.model(SHAPE, z)
    assert "Add" in passed(model)
    assert_same(model, {"x": floats(*SHAPE)})


def test_a_sum_with_itself_stays() -> None:
    writer = Writer()
    y = writer.conv("x", 20, 20, 3, 3)
    model = writer.model(SHAPE, writer.op("Add", y, y))
    assert "Add" in passed(model)
    assert_same(model, {"x": floats(*SHAPE)})


def test_a_broadcast_sum_stays() -> None:
    writer = Writer()
    y = writer.conv("x", 20, 20, 3, 3)
    z = writer.op("Add", y, writer.conv(writer.op("GlobalAveragePool", y), 20, 20, 1, 1))
    model = writer.model(SHAPE, z)
    assert "Add" in passed(model)
    assert_same(model, {"x": floats(*SHAPE)})


def test_sizes_that_are_not_known_stay() -> None:
    writer = Writer()
    y = writer.op("Add", writer.conv("x", 20, 20, 3, 3), writer.conv("w", 20, 20, 3, 3))
    model = writer.model(("N", 20, "H", "W"), y, w=("N", 20, "H", "V"))
    assert_same(model, {"x": floats(2, 20, 7, 9), "w": floats(2, 20, 7, 1)})


def test_results_that_are_used_elsewhere_stay() -> None:
    writer = Writer()
    y = writer.conv("x", 20, 20, 3, 3)
    z = writer.op("Relu", y)
    model = writer.model(SHAPE, y, z)
    assert "Relu" in passed(model)
    assert_same(model, {"x": floats(*SHAPE)})


def test_a_stem_takes_no_residual() -> None:
    writer = Writer()
    y = writer.op("Add", writer.conv("x", 3, 20, 3, 3), writer.conv("x", 3, 20, 1, 1))
    model = writer.model((1, 3, 7, 9), y)
    assert passed(model) == ["StemConv", "StemConv", "Add", "FromBlocked"]
    assert_same(model, {"x": floats(1, 3, 7, 9)})


VARIABLE = ("N", 20, "H", "W")


def variable_sum(writer: Writer, left: str, right: str, **others: tuple[int | str, ...]) -> onnx.ModelProto:
    return writer.model(VARIABLE, writer.op("Relu", writer.op("Add", left, right)), **others)


@pytest.mark.parametrize("size", [(1, 20, 7, 9), (2, 20, 8, 4), (1, 20, 1, 1)])
def test_variable_sizes_that_come_about_alike_fuse(size: tuple[int, ...]) -> None:
    writer = Writer()
    x = writer.op("MaxPool", writer.conv("x", 20, 20, 3, 3), kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    scale = writer.op("Sigmoid", writer.conv(writer.op("GlobalAveragePool", x), 20, 20, 1, 1))
    x = writer.op("Mul", writer.batch_norm(writer.op("Relu", x), 20), scale)
    y = writer.conv(writer.conv(x, 20, 32, 3, 3, strides=[2, 2]), 32, 20, 3, 3, dilations=[2, 2], pads=[2] * 4)
    model = variable_sum(writer, writer.conv(x, 20, 20, 1, 1, strides=[2, 2]), y)
    assert "Add" not in passed(model)[-4:]
    assert_same(model, {"x": floats(*size)})


@pytest.mark.parametrize(
    "attributes",
    [{"strides": [2, 2]}, {"strides": [1, 2]}, {"pads": [0] * 4}, {"pads": [1, 0, 0, 1]}, {"dilations": [3, 1]}],
)
def test_variable_sizes_that_may_differ_stay(attributes: dict[str, Any]) -> None:
    writer = Writer()
    x = writer.conv("x", 20, 20, 3, 3, strides=[2, 2])
    model = variable_sum(writer, x, writer.conv(x, 20, 20, 3, 3, **attributes))
    assert "Add" in passed(model)


def test_automatic_padding_of_variable_sizes_stays() -> None:
    writer = Writer()
    x = writer.conv("x", 20, 20, 3, 3)
    y = writer.op("Conv", x, writer.constant(floats(20, 20, 3, 3)), auto_pad="SAME_UPPER")
    model = variable_sum(writer, x, y)
    assert_same(model, {"x": floats(2, 20, 6, 7)}, tolerance=1e-4)


@pytest.mark.parametrize("shape", [(2, 20, 1, 9), (1, 20, 7, 9), (2, 20, 7, 9)])
def test_variable_sizes_of_several_inputs_stay(shape: tuple[int, ...]) -> None:
    writer = Writer()
    model = variable_sum(writer, writer.conv("x", 20, 20, 3, 3), writer.conv("w", 20, 20, 3, 3), w=("M", 20, "K", "L"))
    assert "Add" in passed(model)
    assert_same(model, {"x": floats(2, 20, 7, 9), "w": floats(*shape)})


def test_pooling_that_rounds_up_is_no_pooling_that_rounds_down() -> None:
    writer = Writer()
    y = writer.conv("x", 20, 20, 3, 3)
    down = writer.op("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    model = variable_sum(writer, down, writer.conv(y, 20, 20, 2, 2, strides=[2, 2], pads=[0] * 4))
    assert "Add" in passed(model)
    assert_same(model, {"x": floats(1, 20, 6, 8)})
