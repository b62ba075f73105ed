from typing import Any

import numpy as np
import pytest
from conv_helpers import Writer, assert_same, op_types, rewritten
from fusion_helpers import floats


def passed(writer: Writer, *outputs: str, shape: tuple[int, ...] = (2, 6, 7, 8)) -> list[str]:
    return op_types(rewritten(writer.model(shape, *outputs), "fuse_conv_batch_norm"))


@pytest.mark.parametrize("group", [1, 2])
@pytest.mark.parametrize("has_bias", [True, False])
def test_batch_norm_behind_a_convolution_is_folded(group: int, has_bias: bool) -> None:
    writer = Writer()
    y = writer.conv("x", 6, 8, 3, 3, group=group)
    if not has_bias:
        del writer.nodes[-1].input[2]
    y = writer.batch_norm(y, 8, epsilon=1e-3)
    assert passed(writer, y) == ["Conv"]
    assert_same(writer.model((2, 6, 7, 8), y), {"x": floats(2, 6, 7, 8)})


@pytest.mark.parametrize("group", [1, 2])
def test_batch_norm_behind_a_transposed_convolution_is_folded(group: int) -> None:
    writer = Writer()
    y = writer.op("ConvTranspose", "x", writer.constant(floats(6, 4, 3, 2)), group=group, strides=[2, 1])
    y = writer.batch_norm(y, 4 * group)
    assert passed(writer, y) == ["ConvTranspose"]
    assert_same(writer.model((2, 6, 7, 8), y), {"x": floats(2, 6, 7, 8)})


@pytest.mark.parametrize("group", [1, 2, 6])
def test_batch_norm_in_front_of_an_unpadded_convolution_is_folded(group: int) -> None:
    writer = Writer()
    y = writer.conv(writer.batch_norm("x", 6), 6, 12, 3, 2, group=group, pads=[0] * 4)
    assert passed(writer, y) == ["Conv"]
    assert_same(writer.model((2, 6, 7, 8), y), {"x": floats(2, 6, 7, 8)})


@pytest.mark.parametrize("attributes", [{}, {"pads": None, "auto_pad": "SAME_UPPER"}])
def test_batch_norm_in_front_of_padding_stays(attributes: dict[str, Any]) -> None:
    writer = Writer()
    y = writer.conv(writer.batch_norm("x", 6), 6, 8, 3, 3, **attributes)
    assert passed(writer, y) == ["BatchNormalization", "Conv"]
    assert_same(writer.model((2, 6, 7, 8), y), {"x": floats(2, 6, 7, 8)})


def test_batch_norm_in_front_that_others_use_stays() -> None:
    writer = Writer()
    norm = writer.batch_norm("x", 6)
    y = writer.conv(norm, 6, 8, 1, 1)
    assert passed(writer, y, norm) == ["BatchNormalization", "Conv"]


@pytest.mark.parametrize("shape", [(8, 1, 1), (1, 8, 1, 1), (1,), ()])
@pytest.mark.parametrize("op_type", ["Mul", "Add"])
def test_constants_of_channels_are_folded(op_type: str, shape: tuple[int, ...]) -> None:
    writer = Writer()
    y = writer.conv("x", 6, 8, 3, 3)
    y = writer.op(op_type, writer.constant(floats(*shape)), y)
    assert passed(writer, y) == ["Conv"]
    assert_same(writer.model((2, 6, 7, 8), y), {"x": floats(2, 6, 7, 8)})


@pytest.mark.parametrize("shape", [(8,), (7, 1), (8, 7, 8), (2, 8, 1, 1), (1, 1, 8, 1, 1)])
@pytest.mark.parametrize("op_type", ["Mul", "Add"])
def test_constants_that_vary_elsewhere_stay(op_type: str, shape: tuple[int, ...]) -> None:
    writer = Writer()
    y = writer.conv("x", 6, 8, 3, 3)
    y = writer.op(op_type, y, writer.constant(floats(*shape)))
    assert passed(writer, y) == ["Conv", op_type]
    assert_same(writer.model((2, 6, 7, 8), y), {"x": floats(2, 6, 7, 8)})


def test_a_result_that_is_used_elsewhere_stays() -> None:
    writer = Writer()
    y = writer.conv("x", 6, 8, 3, 3)
    z = writer.batch_norm(y, 8)
    assert passed(writer, y, z) == ["Conv", "BatchNormalization"]


def test_shared_weights_are_not_scaled() -> None:
    writer = Writer()
    weight = writer.constant(floats(6, 6, 1, 1))
    y = writer.batch_norm(writer.op("Conv", "x", weight), 6)
    z = writer.op("Conv", y, weight)
    assert passed(writer, z).count("BatchNormalization") == 1
    assert_same(writer.model((2, 6, 7, 8), z), {"x": floats(2, 6, 7, 8)})


def test_training_and_unbounded_factors_stay() -> None:
    writer = Writer()
    y = writer.conv("x", 6, 8, 3, 3)
    parameters = [np.ones(8, np.float32), np.zeros(8, np.float32), np.zeros(8, np.float32), np.zeros(8, np.float32)]
    y = writer.op("BatchNormalization", y, *map(writer.constant, parameters), epsilon=0.0)
    assert passed(writer, y) == ["Conv", "BatchNormalization"]
