from typing import Any

import numpy as np
import pytest
from conv_helpers import LAYOUT, Writer, assert_same, node_of, op_types, rewritten
from fusion_helpers import floats

SPLIT = ("split_conv_transpose", *LAYOUT)


def transposed(
    x: tuple[int | str, ...], weight: tuple[int, ...], has_bias: bool = True, **attributes: Any
) -> tuple[Writer, str]:
    writer = Writer()
    inputs = [writer.constant(floats(*weight) / np.sqrt(weight[0]).astype(np.float32))]
    if has_bias:
        inputs.append(writer.constant(floats(weight[1] * attributes.get("group", 1))))
    return writer, writer.op("ConvTranspose", "x", *inputs, **attributes)


@pytest.mark.parametrize(
    ("x", "kernel", "attributes"),
    [
        ((2, 20, 5, 6), (2, 2), {"strides": [2, 2]}),
        ((1, 20, 5, 6), (4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((1, 20, 5, 6), (4, 6), {"strides": [2, 3], "pads": [0, 3, 2, 1]}),
        ((1, 20, 5, 6), (3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
        ((1, 20, 5, 6), (3, 3), {"pads": [1, 1, 1, 1]}),
        ((1, 20, 5, 1), (4, 4), {"strides": [2, 1]}),
        ((2, 20, 1, 1), (4, 3), {"pads": [1, 0, 0, 1]}),
        ((1, 20, 9), (16,), {"strides": [8], "pads": [4, 4]}),
        ((1, 20, 2, 3, 4), (2, 2, 2), {"strides": [2, 2, 2], "pads": [0, 1, 0, 1, 0, 1]}),
    ],
)
@pytest.mark.parametrize("has_bias", [True, False])
def test_phases_become_channels(
    x: tuple[int, ...], kernel: tuple[int, ...], attributes: dict[str, Any], has_bias: bool
) -> None:
    writer, y = transposed(x, (20, 31, *kernel), has_bias, **attributes)
    model = writer.model(x, writer.op("LeakyRelu", y))
    result = rewritten(model, *SPLIT)
    assert op_types(result) == ["ToBlocked", "BlockedConv", "BlockedDepthToSpace", "FromBlocked"]
    assert node_of(result, "BlockedConv").attr("activation") == "leaky_relu"
    assert_same(model, {"x": floats(*x)})


def test_sizes_may_be_variable() -> None:
    writer, y = transposed(("N", 20, "H", "W"), (20, 24, 4, 4), strides=[2, 2], pads=[1, 1, 1, 1])
    model = writer.model(("N", 20, "H", "W"), writer.conv(y, 24, 8, 3, 3))
    assert "ConvTranspose" not in op_types(rewritten(model, *SPLIT))
    assert_same(model, {"x": floats(2, 20, 3, 5)})
    assert_same(model, {"x": floats(1, 20, 1, 1)})


@pytest.mark.parametrize(
    ("weight", "attributes"),
    [
        ((20, 3, 2, 2), {"strides": [2, 2]}),
        ((20, 24, 3, 3), {"strides": [8, 8]}),
        ((20, 24, 2, 2), {"strides": [2, 2], "group": 2}),
        ((20, 24, 2, 2), {"strides": [2, 2], "dilations": [2, 1]}),
        ((20, 24, 2, 2), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        ((20, 24, 2, 2), {"strides": [2, 2], "output_shape": [10, 12]}),
        ((20, 24, 2, 2), {"strides": [2, 2], "output_padding": [1, 0]}),
    ],
)
def test_others_stay(weight: tuple[int, ...], attributes: dict[str, Any]) -> None:
    writer, y = transposed((2, 20, 5, 6), weight, **attributes)
    model = writer.model((2, 20, 5, 6), y)
    assert op_types(rewritten(model, *SPLIT)) == ["ConvTranspose"]
    assert_same(model, {"x": floats(2, 20, 5, 6)})


def test_variable_weights_stay() -> None:
    writer = Writer()
    model = writer.model((1, 16, 5, 6), writer.op("ConvTranspose", "x", "w", strides=[2, 2]), w=(16, 16, 2, 2))
    assert op_types(rewritten(model, *SPLIT)) == ["ConvTranspose"]
    assert_same(model, {"x": floats(1, 16, 5, 6), "w": floats(16, 16, 2, 2)})
