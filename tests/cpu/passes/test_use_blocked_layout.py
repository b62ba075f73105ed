from typing import Any

import numpy as np
import pytest
from conv_helpers import Writer, assert_same, op_types, rewritten
from fusion_helpers import floats


def passed(writer: Writer, shape: list[int | str], output: str) -> list[str]:
    return op_types(rewritten(writer.model(shape, output), "use_blocked_layout"))


@pytest.mark.parametrize(
    ("channels", "out_channels", "kernel", "attributes"),
    [
        (20, 24, (3, 3), {}),
        (20, 24, (3, 3), {"strides": [2, 2], "pads": [0, 1, 1, 0]}),
        (16, 16, (3,), {"dilations": [2]}),
        (9, 17, (1, 2, 3), {"pads": [0, 0, 1, 0, 1, 1]}),
        (20, 20, (5, 3), {"group": 20}),
        (20, 40, (3, 3), {"group": 20}),
        (64, 32, (3, 3), {"group": 2}),
        (64, 64, (3, 3), {"group": 32}),
        (15, 21, (3, 3), {"group": 3, "strides": [2, 2]}),
        (4, 6, (3, 3), {"group": 2}),
    ],
)
def test_convolutions_work_in_blocks(
    channels: int, out_channels: int, kernel: tuple[int, ...], attributes: dict[str, Any]
) -> None:
    writer = Writer()
    shape = [2, channels, 9, 11, 8][: len(kernel) + 2]
    y = writer.conv("x", channels, out_channels, *kernel, **attributes)
    assert passed(writer, shape, y) == ["ToBlocked", "BlockedConv", "FromBlocked"]
    assert_same(writer.model(shape, y), {"x": floats(*shape)})


def test_few_input_channels_are_read_as_they_are() -> None:
    writer = Writer()
    y = writer.conv("x", 3, 20, 3, 3, strides=[2, 2])
    assert passed(writer, ["N", 3, "H", "W"], y) == ["StemConv", "FromBlocked"]
    assert_same(writer.model(["N", 3, "H", "W"], y), {"x": floats(2, 3, 13, 10)})


def test_groups_of_many_inputs_and_few_outputs_stay() -> None:
    writer = Writer()
    y = writer.conv("x", 96, 32, 3, 3, group=16)
    assert passed(writer, [1, 96, 5, 6], y) == ["Conv"]
    assert_same(writer.model([1, 96, 5, 6], y), {"x": floats(1, 96, 5, 6)})


def test_variable_weights_stay() -> None:
    writer = Writer()
    y = writer.op("Conv", "x", "w")
    model = writer.model([1, 16, 5, 6], y, w=[16, 16, 3, 3])
    assert op_types(rewritten(model, "use_blocked_layout")) == ["Conv"]
    assert_same(model, {"x": floats(1, 16, 5, 6), "w": floats(16, 16, 3, 3)})


def test_float64_stays() -> None:
    writer = Writer()
    x = writer.op("Cast", "x", to=11)
    y = writer.op("Conv", x, writer.constant(floats(16, 16, 3, 3).astype(np.float64)))
    y = writer.op("Cast", y, to=1)
    assert "BlockedConv" not in passed(writer, [1, 16, 5, 6], y)


def test_an_input_is_converted_once_for_all_its_convolutions() -> None:
    writer = Writer()
    y = writer.op("Concat", writer.conv("x", 16, 16, 1, 1), writer.conv("x", 16, 32, 3, 3), axis=1)
    assert passed(writer, [1, 16, 5, 6], y).count("ToBlocked") == 1
