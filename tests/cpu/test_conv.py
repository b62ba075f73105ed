"""Convolutions against sums over kernel elements in float64: layouts, algorithms, attributes, types, rejections."""

import itertools

import ml_dtypes
import numpy as np
import onnx
import pytest
from movement_session import REJECTIONS, run_node
from onnx import helper

import ort_core


def random(shape, dtype=np.float32, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(dtype)


def pad_of(size, kernel, stride, dilation, auto_pad, pads):
    extent = (kernel - 1) * dilation + 1
    if auto_pad == "NOTSET":
        return pads
    if auto_pad == "VALID":
        return 0, 0
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    small, large = total // 2, total - total // 2
    return (small, large) if auto_pad == "SAME_UPPER" else (large, small)


def conv(x, w, b=None, strides=None, pads=None, dilations=None, group=1, auto_pad="NOTSET"):
    """Conv in float64, one kernel element at a time."""
    x, w = x.astype(np.float64), w.astype(np.float64)
    rank = x.ndim - 2
    strides, dilations, pads = strides or [1] * rank, dilations or [1] * rank, pads or [0] * 2 * rank
    both = [
        pad_of(x.shape[d + 2], w.shape[d + 2], strides[d], dilations[d], auto_pad, (pads[d], pads[d + rank]))
        for d in range(rank)
    ]
    padded = np.pad(x, [(0, 0), (0, 0), *both])
    out = [(padded.shape[d + 2] - (w.shape[d + 2] - 1) * dilations[d] - 1) // strides[d] + 1 for d in range(rank)]
    y = np.zeros((x.shape[0], w.shape[0], *out))
    depth, rows = w.shape[1], w.shape[0] // group
    for tap in itertools.product(*map(range, w.shape[2:])):
        window = tuple(
            slice(t * dil, t * dil + (o - 1) * s + 1, s)
            for t, dil, o, s in zip(tap, dilations, out, strides, strict=True)
        )
        for g in range(group):
            part = padded[(slice(None), slice(g * depth, (g + 1) * depth), *window)]
            weights = w[(slice(g * rows, (g + 1) * rows), slice(None), *tap)]
            y[:, g * rows : (g + 1) * rows] += np.einsum("nc...,oc->no...", part, weights)
    return y if b is None else y + b.astype(np.float64).reshape(1, -1, *[1] * rank)


def conv_transpose(x, w, b=None, strides=None, pads=None, dilations=None, group=1, output_padding=None):
    """ConvTranspose in float64, one kernel element at a time."""
    x, w = x.astype(np.float64), w.astype(np.float64)
    rank = x.ndim - 2
    strides, dilations, pads = strides or [1] * rank, dilations or [1] * rank, pads or [0] * 2 * rank
    output_padding = output_padding or [0] * rank
    full = [
        (x.shape[d + 2] - 1) * strides[d] + (w.shape[d + 2] - 1) * dilations[d] + 1 + output_padding[d]
        for d in range(rank)
    ]
    y = np.zeros((x.shape[0], w.shape[1] * group, *full))
    depth, rows = x.shape[1] // group, w.shape[1]
    for tap in itertools.product(*map(range, w.shape[2:])):
        window = tuple(
            slice(t * dil, t * dil + (n - 1) * s + 1, s)
            for t, dil, n, s in zip(tap, dilations, x.shape[2:], strides, strict=True)
        )
        for g in range(group):
            part = np.einsum(
                "nc...,co->no...",
                x[:, g * depth : (g + 1) * depth],
                w[(slice(g * depth, (g + 1) * depth), slice(None), *tap)],
            )
            y[(slice(None), slice(g * rows, (g + 1) * rows), *window)] += part
    y = y[(..., *(slice(pads[d], full[d] - pads[d + rank]) for d in range(rank)))]
    return y if b is None else y + b.astype(np.float64).reshape(1, -1, *[1] * rank)


def tolerance(dtype, terms):
    epsilon = {2: 1e-3 if dtype == np.float16 else 8e-3, 4: 1e-6, 8: 1e-14}[np.dtype(dtype).itemsize]
    return epsilon * 12 * np.sqrt(max(terms, 1))


def assert_close(actual, expected, dtype, terms):
    assert actual.dtype == dtype
    assert actual.shape == expected.shape
    error = np.abs(actual.astype(np.float64) - expected) / (1 + np.abs(expected))
    assert error.size == 0 or error.max() < tolerance(dtype, terms)


GEOMETRIES = {
    "pointwise": ((2, 24, 6, 29), (40, 24, 1, 1), {}),
    "pointwise_of_one_pixel": ((1, 70, 1, 1), (130, 70, 1, 1), {}),
    "pointwise_strided": ((1, 32, 9, 9), (48, 32, 1, 1), {"strides": [2, 2]}),
    "3x3": ((1, 40, 9, 15), (24, 40, 3, 3), {"pads": [1, 1, 1, 1]}),
    "3x3_of_many_channels": ((1, 64, 30, 28), (64, 64, 3, 3), {"pads": [1, 1, 1, 1]}),
    "3x3_batch": ((3, 72, 13, 10), (80, 72, 3, 3), {"pads": [1, 0, 2, 1]}),
    "3x3_small_map": ((1, 96, 7, 7), (100, 96, 3, 3), {"pads": [1, 1, 1, 1]}),
    "3x3_strided": ((2, 33, 15, 15), (100, 33, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "3x3_strided_uneven_pads": ((1, 20, 8, 8), (36, 20, 3, 3), {"strides": [2, 2], "pads": [0, 0, 1, 1]}),
    "dilated": ((1, 18, 12, 12), (20, 18, 3, 3), {"dilations": [2, 3], "pads": [2, 3, 2, 3]}),
    "5x5": ((1, 20, 10, 11), (36, 20, 5, 5), {"pads": [2, 2, 2, 2]}),
    "strides_of_three_and_four": ((1, 20, 13, 17), (36, 20, 3, 5), {"strides": [3, 4], "pads": [1, 2, 0, 3]}),
    "more_padding_than_input": ((1, 20, 1, 2), (20, 20, 3, 3), {"pads": [4, 5, 4, 5]}),
    "same_upper": ((1, 20, 10, 11), (36, 20, 4, 3), {"strides": [2, 3], "auto_pad": "SAME_UPPER"}),
    "same_lower": ((1, 20, 10, 11), (36, 20, 4, 3), {"strides": [2, 3], "auto_pad": "SAME_LOWER"}),
    "valid": ((1, 20, 10, 11), (36, 20, 4, 3), {"auto_pad": "VALID"}),
    "stem": ((2, 3, 30, 33), (40, 3, 7, 7), {"strides": [2, 2], "pads": [3, 3, 3, 3]}),
    "patches": ((1, 3, 32, 48), (72, 3, 16, 16), {"strides": [16, 16]}),
    "depthwise": ((2, 40, 15, 16), (40, 1, 3, 3), {"group": 40, "pads": [1, 1, 1, 1]}),
    "depthwise_strided": ((1, 40, 15, 16), (40, 1, 3, 3), {"group": 40, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "depthwise_7x7": ((1, 24, 14, 15), (24, 1, 7, 7), {"group": 24, "pads": [3, 3, 3, 3]}),
    "depthwise_multiplied": ((1, 24, 9, 8), (72, 1, 3, 3), {"group": 24, "pads": [1, 1, 1, 1]}),
    "groups_of_blocks": ((1, 64, 7, 7), (96, 32, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    "narrow_groups": ((2, 32, 9, 31), (32, 4, 3, 3), {"group": 8, "pads": [1, 1, 1, 1]}),
    "groups_strided": ((1, 72, 15, 16), (48, 24, 5, 5), {"group": 3, "strides": [2, 2], "pads": [2, 2, 2, 2]}),
    "groups_of_one_dimension": ((1, 40, 50), (60, 8, 10), {"group": 5, "strides": [5], "pads": [3, 1]}),
    "odd_groups": ((2, 21, 8, 9), (15, 7, 3, 3), {"group": 3, "pads": [1, 1, 1, 1]}),
    "one_dimension": ((2, 20, 31), (22, 20, 4), {"strides": [3], "dilations": [2], "pads": [1, 2]}),
    "three_dimensions": ((1, 17, 5, 6, 7), (20, 17, 3, 2, 2), {"strides": [2, 1, 2], "pads": [2, 0, 1, 0, 1, 0]}),
    "no_images": ((0, 20, 5, 5), (20, 20, 3, 3), {}),
    "no_channels": ((2, 0, 5, 5), (20, 0, 3, 3), {}),
}


@pytest.mark.parametrize("constants", [(1, 2), ()], ids=["packed", "fed"])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_conv_equals_sums(name, constants):
    x_shape, w_shape, attributes = GEOMETRIES[name]
    x, w, b = random(x_shape), random(w_shape, seed=1), random(w_shape[:1], seed=2)
    y = run_node("Conv", x, w, b, constants=constants, threads=2, **attributes)
    assert_close(y, conv(x, w, b, **attributes), np.float32, np.prod(w_shape[1:]))


@pytest.mark.parametrize("constants", [(1, 2), ()], ids=["packed", "fed"])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 56, 64])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_groups_do_not_see_values_of_others(width, value, constants):
    groups = max(3, 48 // width)
    channels, ill = groups * width, groups // 2
    x, w, b = random((1, channels, 5, 16)), random((channels, width, 3, 3), seed=1), random((channels,), seed=2)
    expected = conv(x, w, b, pads=[1, 1, 1, 1], group=groups)
    x[:, ill * width : (ill + 1) * width] = value
    y = run_node("Conv", x, w, b, constants=constants, group=groups, pads=[1, 1, 1, 1])
    others = np.delete(np.arange(channels), np.s_[ill * width : (ill + 1) * width])
    assert_close(y[:, others], expected[:, others], np.float32, width * 9)
    assert not np.isfinite(np.delete(y, others, axis=1)).any()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
@pytest.mark.parametrize("name", ["3x3", "odd_groups", "depthwise", "three_dimensions", "strides_of_three_and_four"])
@pytest.mark.parametrize("constants", [(1,), ()], ids=["packed", "fed"])
def test_conv_of_other_types(name, dtype, constants):
    x_shape, w_shape, attributes = GEOMETRIES[name]
    x, w, b = random(x_shape, dtype), random(w_shape, dtype, 1), random(w_shape[:1], dtype, 2)
    y = run_node("Conv", x, w, b, constants=constants, **attributes)
    assert_close(y, conv(x, w, b, **attributes), dtype, np.prod(w_shape[1:]))


TRANSPOSED = {
    "plain": ((2, 20, 7, 6), (20, 24, 3, 3), {}),
    "upsampling": ((1, 32, 9, 8), (32, 20, 4, 4), {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "kernel_as_stride": ((1, 32, 9, 8), (32, 20, 2, 2), {"strides": [2, 2]}),
    "kernel_below_stride": ((1, 12, 5, 4), (12, 7, 2, 1), {"strides": [3, 4]}),
    "dilated": ((1, 12, 6, 7), (12, 9, 3, 2), {"strides": [2, 3], "dilations": [2, 4], "pads": [2, 0, 1, 3]}),
    "output_padding": ((1, 12, 6, 7), (12, 9, 3, 3), {"strides": [2, 3], "output_padding": [1, 2]}),
    "groups": ((2, 24, 6, 5), (24, 7, 3, 3), {"group": 3, "strides": [2, 2], "pads": [1, 0, 0, 1]}),
    "depthwise": ((1, 24, 6, 5), (24, 1, 4, 4), {"group": 24, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "one_dimension": ((2, 10, 9), (10, 6, 5), {"strides": [3], "pads": [1, 2]}),
    "three_dimensions": ((1, 10, 3, 4, 5), (10, 6, 2, 3, 3), {"strides": [1, 2, 2], "pads": [0, 1, 1, 1, 1, 0]}),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("constants", [(1, 2), ()], ids=["packed", "fed"])
@pytest.mark.parametrize("name", TRANSPOSED)
def test_conv_transpose_equals_sums(name, constants, dtype):
    x_shape, w_shape, attributes = TRANSPOSED[name]
    channels = w_shape[1] * attributes.get("group", 1)
    x, w, b = random(x_shape, dtype), random(w_shape, dtype, 1), random((channels,), dtype, 2)
    y = run_node("ConvTranspose", x, w, b, constants=constants, threads=2, **attributes)
    assert_close(y, conv_transpose(x, w, b, **attributes), dtype, np.prod(w_shape) / w_shape[1])


@pytest.mark.parametrize(
    ("attributes", "pads", "added"),
    [
        ({"output_shape": [13, 15]}, [1, 0, 0, 0], [0, 0]),
        ({"output_shape": [13, 15], "auto_pad": "SAME_UPPER"}, [0, 0, 1, 0], [0, 0]),
        ({"auto_pad": "SAME_UPPER"}, [1, 0, 1, 1], [0, 0]),
        ({"auto_pad": "SAME_LOWER"}, [1, 1, 1, 0], [0, 0]),
        ({"output_shape": [15, 16]}, [0, 0, 0, 0], [1, 1]),
    ],
)
def test_conv_transpose_to_a_given_shape(attributes, pads, added):
    x, w = random((1, 8, 6, 7)), random((8, 5, 4, 3), seed=1)
    y = run_node("ConvTranspose", x, w, strides=[2, 2], **attributes)
    expected = conv_transpose(x, w, strides=[2, 2], output_padding=added)
    shape = [expected.shape[d + 2] - pads[d] - pads[d + 2] for d in range(2)]
    expected = expected[:, :, pads[0] : pads[0] + shape[0], pads[1] : pads[1] + shape[1]]
    assert_close(y, expected, np.float32, 200)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_deform_conv_without_offsets_is_a_convolution(dtype):
    x, w, b = random((2, 6, 7, 9), dtype), random((8, 3, 3, 3), dtype, 1), random((8,), dtype, 2)
    offset, mask = np.zeros((2, 3 * 9 * 2, 4, 5), dtype), np.ones((2, 3 * 9, 4, 5), dtype)
    attributes = {"group": 2, "strides": [2, 2], "pads": [1, 1, 1, 1]}
    y = run_node("DeformConv", x, w, offset, b, mask, offset_group=3, threads=2, **attributes)
    assert_close(y, conv(x, w, b, **attributes), dtype, 27)


def test_deform_conv_samples_between_pixels():
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    offset = np.zeros((1, 2, 4, 4), np.float32)
    offset[:, 0], offset[:, 1] = 0.5, -0.25
    padded = np.pad(x[0, 0].astype(np.float64), 1)
    rows = (padded[1:-1] + padded[2:]) / 2
    expected = 0.75 * rows[:, 1:-1] + 0.25 * rows[:, :-2]
    weights, mask = np.full((1, 1, 1, 1), 2, np.float32), np.full((1, 1, 4, 4), 0.5, np.float32)
    y = run_node("DeformConv", x, weights, offset, None, mask)
    np.testing.assert_allclose(y[0, 0], expected, atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_deform_conv_reads_zeros_far_outside(value):
    x, w = random((1, 2, 4, 4)), random((3, 2, 1, 1), seed=1)
    y = run_node("DeformConv", x, w, np.full((1, 2, 4, 4), value, np.float32))
    np.testing.assert_array_equal(y, np.zeros((1, 3, 4, 4), np.float32))


@pytest.mark.parametrize(("channels", "group"), [(16, 1), (24, 1), (24, 3), (32, 8), (48, 2)])
@pytest.mark.parametrize("activation", ["Relu", "Sigmoid", "HardSwish", "Tanh", "LeakyRelu"])
def test_conv_then_residual_then_activation(activation, channels, group):
    x, w = random((1, channels, 9, 9)), random((channels, channels // group, 3, 3), seed=1)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1], group=group),
            helper.make_node("Conv", ["a", "w"], ["b"], pads=[1, 1, 1, 1], group=group),
            helper.make_node("Add", ["b", "a"], ["c"]),
            helper.make_node(activation, ["c"], ["y"]),
        ],
        "residual",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(w, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    session = ort_core.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    a = conv(x, w, pads=[1, 1, 1, 1], group=group)
    c = conv(a, w, pads=[1, 1, 1, 1], group=group) + a
    expected = {
        "Relu": lambda: np.maximum(c, 0),
        "Sigmoid": lambda: 0.5 + 0.5 * np.tanh(c / 2),
        "HardSwish": lambda: c * np.clip(c / 6 + 0.5, 0, 1),
        "Tanh": lambda: np.tanh(c),
        "LeakyRelu": lambda: np.where(c < 0, 0.01 * c, c),
    }[activation]()
    assert_close(session.run(None, {"x": x})[0], expected, np.float32, 5000)


@pytest.mark.parametrize("constants", [(1,), ()], ids=["packed", "fed"])
@pytest.mark.parametrize(
    ("op", "attributes", "message"),
    [
        ("Conv", {"strides": [0, 1]}, "stride"),
        ("Conv", {"strides": [1, -2]}, "stride"),
        ("Conv", {"dilations": [1, 0]}, "dilation"),
        ("Conv", {"dilations": [2**62, 1]}, "."),
        ("Conv", {"pads": [0, 0, -1, 0]}, "pads"),
        ("Conv", {"pads": [2**62, 2**62, 2**62, 2**62]}, "."),
        ("Conv", {"kernel_shape": [2, 3]}, "kernel_shape"),
        ("Conv", {"group": 3}, "group"),
        ("Conv", {"group": 0}, "group"),
        ("Conv", {"dilations": [9, 9]}, "fit"),
        ("Conv", {"auto_pad": "SAME"}, "auto_pad"),
        ("ConvTranspose", {"strides": [0, 1]}, "stride"),
        ("ConvTranspose", {"strides": [2**62, 2**62]}, "."),
        ("ConvTranspose", {"pads": [9, 9, 9, 9]}, "."),
        ("ConvTranspose", {"group": 5}, "group"),
        ("ConvTranspose", {"output_padding": [-1, 0]}, "output_padding"),
        ("ConvTranspose", {"output_shape": [1]}, "output_shape"),
    ],
)
def test_wrong_attributes_are_rejected(op, attributes, message, constants):
    with pytest.raises(REJECTIONS, match=message):
        run_node(op, random((1, 4, 6, 6)), random((4, 4, 3, 3)), constants=constants, **attributes)
