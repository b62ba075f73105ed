from typing import Any

import numpy as np
import pytest
from conv_helpers import Writer, assert_same, node_of, op_types, rewritten
from fusion_helpers import floats

from ort_provider_cpu.passes._groups import groups_to_merge, merge_groups


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


@pytest.mark.parametrize(("group", "count"), [(8, 4), (4, 2), (2, 2)])
@pytest.mark.parametrize("strides", [[1, 1], [2, 2]])
def test_narrow_groups_become_wider(group: int, count: int, strides: list[int]) -> None:
    channels = 32 if group != 2 else 12
    writer = Writer()
    y = writer.conv("x", channels, channels, 3, 3, group=group, strides=strides)
    model = writer.model([1, channels, 7, 9], y)
    blocked = node_of(rewritten(model, "use_blocked_layout"), "BlockedConv")
    assert blocked.attr("group") == group // count
    assert blocked.attr("channels") == channels
    assert_same(model, {"x": floats(1, channels, 7, 9)})


@pytest.mark.parametrize(
    ("group", "in_channels", "out_channels", "count"),
    [
        (32, 4, 4, 4),
        (32, 4, 8, 4),
        (32, 8, 8, 2),
        (14, 24, 24, 2),
        (3, 5, 7, 3),
        (2, 16, 32, 1),
        (32, 2, 2, None),
        (5, 24, 24, None),
        (7, 8, 8, None),
    ],
)
def test_number_of_groups_to_merge(group: int, in_channels: int, out_channels: int, count: int | None) -> None:
    assert groups_to_merge(group, in_channels, out_channels, 16) == count


def test_merged_weights_are_zero_between_old_groups() -> None:
    weight = floats(8, 3, 2)
    merged = merge_groups(weight, 4, 2)
    assert merged.shape == (8, 6, 2)
    for row in range(8):
        start = 3 * (row // 2 % 2)
        np.testing.assert_array_equal(merged[row, start : start + 3], weight[row])
        assert np.count_nonzero(merged[row]) == np.count_nonzero(weight[row])


def test_many_narrow_groups_stay() -> None:
    writer = Writer()
    y = writer.conv("x", 64, 64, 3, 3, group=32)
    assert passed(writer, [1, 64, 5, 6], y) == ["Conv"]
    assert_same(writer.model([1, 64, 5, 6], y), {"x": floats(1, 64, 5, 6)})


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
