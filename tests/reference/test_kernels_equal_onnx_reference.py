"""Our kernels against `onnx.reference`, where that is right: the same numbers, sooner."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_helpers import f32, i64, noise, run_all, run_onnx_reference


def check(op_type, *inputs, rtol=1e-5, atol=1e-5, **attributes) -> None:
    ours = run_all(op_type, *inputs, **attributes)
    theirs = run_onnx_reference(op_type, *inputs, **attributes)
    for a, b in zip(ours, theirs, strict=False):
        assert a.shape == np.shape(b)
        np.testing.assert_allclose(a.astype(np.float64), np.asarray(b).astype(np.float64), rtol=rtol, atol=atol)


@st.composite
def windows(draw, *, dilated: bool = True):
    rank = draw(st.integers(1, 2))
    kernel = draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank))
    attributes = {"kernel_shape": kernel, "strides": draw(st.lists(st.integers(1, 3), min_size=rank, max_size=rank))}
    if dilated:
        attributes["dilations"] = draw(st.lists(st.integers(1, 2), min_size=rank, max_size=rank))
    if draw(st.booleans()):
        attributes["pads"] = [draw(st.integers(0, k - 1)) for k in kernel * 2]
    sizes = draw(st.lists(st.integers(5, 7), min_size=rank, max_size=rank))
    return sizes, attributes


@settings(max_examples=40, deadline=None)
@given(windows(), st.integers(1, 2), st.integers(1, 2), st.integers(1, 3), st.booleans())
def test_conv(geometry, group, per_group, outputs, bias) -> None:
    sizes, attributes = geometry
    x = noise(2, group * per_group, *sizes)
    w = noise(group * outputs, per_group, *attributes["kernel_shape"], seed=1)
    inputs = (x, w, noise(group * outputs, seed=2)) if bias else (x, w)
    check("Conv", *inputs, group=group, **attributes)


@settings(max_examples=20, deadline=None)
@given(windows(), st.integers(1, 3))
def test_conv_transpose_of_one_group(geometry, outputs) -> None:
    sizes, attributes = geometry
    kernel = attributes["kernel_shape"]
    check("ConvTranspose", noise(1, 2, *sizes), noise(2, outputs, *kernel, seed=1), noise(outputs), **attributes)


@settings(max_examples=20, deadline=None)
@given(windows(), st.integers(0, 1))
def test_max_pool_with_indices(geometry, storage_order) -> None:
    sizes, attributes = geometry
    attributes["strides"][0] = 2
    check("MaxPool", noise(1, 2, *sizes), outputs=2, storage_order=storage_order, **attributes)


@settings(max_examples=20, deadline=None)
@given(windows(), st.integers(0, 1))
def test_average_pool(geometry, count_include_pad) -> None:
    sizes, attributes = geometry
    check("AveragePool", noise(1, 2, *sizes), count_include_pad=count_include_pad, **attributes)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("op_type", ["Conv", "AveragePool"])
def test_automatic_padding(op_type: str, auto_pad: str) -> None:
    weights = [noise(2, 2, 3, 2)] if op_type == "Conv" else []
    check(op_type, noise(1, 2, 6, 7), *weights, kernel_shape=[3, 2], strides=[2, 3], auto_pad=auto_pad)


def test_one_by_one_and_depthwise_convolutions() -> None:
    check("Conv", noise(2, 4, 3, 3), noise(6, 4, 1, 1))
    check("Conv", noise(2, 4, 5, 5), noise(8, 1, 3, 3), group=4, pads=[1, 1, 1, 1])


def test_col2im() -> None:
    check("Col2Im", noise(2, 12, 9), i64(4, 5), i64(2, 3), pads=[0, 0, 0, 0])
    check("Col2Im", noise(1, 8, 9), i64(5, 5), i64(2, 2), strides=[2, 2], pads=[1, 0, 0, 1])


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("op_type", "gates"), [("RNN", 1), ("GRU", 3), ("LSTM", 4)])
@pytest.mark.parametrize("layout", [0, 1])
def test_recurrent_layers(op_type: str, gates: int, direction: str, layout: int) -> None:
    d = 2 if direction == "bidirectional" else 1
    x = noise(4, 3, 2)
    w, r, b = noise(d, gates * 5, 2, seed=1), noise(d, gates * 5, 5, seed=2), noise(d, 2 * gates * 5, seed=3)
    h = noise(4, d, 5, seed=4) if layout else noise(d, 3, 5, seed=4)
    activations = ["Tanh"] * d if op_type == "RNN" else None
    check(
        op_type, x, w, r, b, None, h,
        outputs=2, hidden_size=5, direction=direction, layout=layout, activations=activations,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "padding_mode"),
    [(m, p) for m in ("linear", "nearest", "cubic") for p in ("zeros", "reflection")]
    + [("linear", "border"), ("nearest", "border")],
)
@pytest.mark.parametrize("align_corners", [0, 1])
def test_grid_sample(mode: str, padding_mode: str, align_corners: int) -> None:
    grid = np.random.default_rng(0).uniform(-1.3, 1.3, (2, 3, 4, 2)).astype(np.float32)
    check("GridSample", noise(2, 2, 4, 5), grid, mode=mode, padding_mode=padding_mode, align_corners=align_corners)


def test_grid_sample_of_volumes() -> None:
    grid = np.random.default_rng(0).uniform(-1.3, 1.3, (1, 2, 2, 3, 3)).astype(np.float32)
    check("GridSample", noise(1, 2, 3, 4, 2), grid)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("coordinates", ["half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"])
def test_resize_to_sizes(mode: str, coordinates: str) -> None:
    for sizes in ((7, 3), (2, 9), (5, 4)):
        check("Resize", noise(1, 2, 5, 4), None, None, i64(1, 2, *sizes), mode=mode,
              coordinate_transformation_mode=coordinates, rtol=1e-4, atol=1e-4)  # fmt: skip


@pytest.mark.parametrize(
    "attributes",
    [
        {"mode": "linear", "antialias": 1},
        {"mode": "cubic", "antialias": 1},
        {"mode": "cubic", "exclude_outside": 1},
        {"mode": "cubic", "cubic_coeff_a": -0.5},
        {"mode": "linear", "keep_aspect_ratio_policy": "not_larger"},
        {"mode": "linear", "keep_aspect_ratio_policy": "not_smaller"},
    ],
)
def test_resize_options(attributes) -> None:
    check("Resize", noise(1, 1, 6, 5), None, None, i64(4, 3), axes=[2, 3], rtol=1e-4, atol=1e-4, **attributes)


def test_resize_crops_a_region() -> None:
    roi = f32(0.2, -0.1, 0.9, 1.3)
    check("Resize", noise(1, 1, 6, 5), roi, None, i64(4, 6), axes=[2, 3], mode="linear", extrapolation_value=9.0,
          coordinate_transformation_mode="tf_crop_and_resize", rtol=1e-4, atol=1e-4)  # fmt: skip


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("sampling_ratio", [0, 2])
@pytest.mark.parametrize("coordinates", ["half_pixel", "output_half_pixel"])
def test_roi_align(mode: str, sampling_ratio: int, coordinates: str) -> None:
    rois = f32([0, 0, 5, 4], [-2, 1, 3, 9], [4, 4, 4, 4])
    check("RoiAlign", noise(2, 3, 6, 7), rois, i64(0, 1, 1), mode=mode, sampling_ratio=sampling_ratio, output_height=2,
          output_width=3, spatial_scale=0.8, coordinate_transformation_mode=coordinates)  # fmt: skip


@pytest.mark.parametrize("center_point_box", [0, 1])
def test_non_max_suppression(center_point_box: int) -> None:
    boxes = np.random.default_rng(0).random((2, 15, 4)).astype(np.float32)
    scores = np.random.default_rng(1).random((2, 3, 15)).astype(np.float32).round(1)
    for limit, overlap, least in ((4, 0.3, 0.2), (20, 0.0, 0.0), (2, 0.9, 0.95)):
        check(
            "NonMaxSuppression", boxes, scores, i64(limit), f32(overlap), f32(least), center_point_box=center_point_box
        )


def test_deform_conv() -> None:
    x, w = noise(1, 4, 5, 5), noise(2, 2, 2, 2)
    offset, mask = noise(1, 16, 4, 4, seed=1) * 0.5, np.abs(noise(1, 8, 4, 4, seed=2))
    check(
        "DeformConv", x, w, offset, noise(2), mask, group=2, offset_group=2, kernel_shape=[2, 2], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("reduction", ["none", "add", "mul", "max", "min"])
def test_scatter(reduction: str) -> None:
    data = noise(4, 5)
    rows = np.array([[3, 0, 2, 1, 3], [1, 2, 0, 3, 0]])
    check("ScatterElements", data, rows, noise(2, 5, seed=1), reduction=reduction)
    check("ScatterND", data, np.array([[0], [-1]]), noise(2, 5, seed=1), reduction=reduction)
    check("ScatterND", data, np.array([[0, 1], [-1, 2]]), noise(2, seed=1), reduction=reduction)


def test_gather_nd() -> None:
    data = noise(3, 4, 5)
    check("GatherND", data, np.array([[0, 1], [2, -1]]))
    check("GatherND", data, np.array([[[1]], [[0]], [[3]]]), batch_dims=1)
    check("GatherND", data, np.array([[0, 1, 2]]))


@pytest.mark.parametrize("zero", [np.uint8, np.int8, np.int16, np.uint16])
def test_quantize_linear(zero) -> None:
    x = noise(3, 4) * 50
    check("QuantizeLinear", x, np.float32(0.5), np.array(3, zero))
    check("QuantizeLinear", x, f32(0.5, 0.2, 1, 2), np.array([1, 2, 3, 4], zero), axis=-1)
    check("QuantizeLinear", x, f32(*[[0.5, 0.2]] * 3), np.array([[1, 2]] * 3, zero), axis=1, block_size=2)


def test_quantised_products() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.integers(0, 255, (1, 2, 5, 5)).astype(np.uint8), rng.integers(-128, 127, (3, 2, 3, 3)).astype(np.int8)
    scales = [
        np.float32(0.02),
        np.uint8(100),
        w,
        f32(0.01, 0.02, 0.03),
        np.int8([1, 2, 3]),
        np.float32(0.5),
        np.uint8(120),
    ]
    inputs = [np.asarray(v) for v in (x, *scales)]
    check("QLinearConv", *inputs, rng.integers(-500, 500, 3).astype(np.int32), pads=[1, 1, 1, 1])
    check("ConvInteger", x, w, np.array(7, np.uint8), np.array(2, np.int8))
    a, b = rng.integers(0, 255, (3, 4)).astype(np.uint8), rng.integers(0, 255, (4, 5)).astype(np.uint8)
    check("MatMulInteger", a, b, np.array(3, np.uint8), np.array(2, np.uint8))
    quantisation = [np.float32(0.02), np.uint8(100)]
    inputs = [np.asarray(v) for v in (a, *quantisation, b, *quantisation, np.float32(0.1), np.uint8(128))]
    check("QLinearMatMul", *inputs)


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes"),
    [
        ("Erf", (noise(3, 4),), {}),
        ("Gemm", (noise(3, 2), noise(4, 3), noise(4)), {"transA": 1, "transB": 1, "alpha": 0.5, "beta": 2.0}),
        ("MatMul", (noise(2, 3, 4), noise(4, 5)), {}),
        ("MatMul", (noise(4), noise(4)), {}),
        ("Det", (noise(2, 3, 3),), {}),
        ("InstanceNormalization", (noise(2, 3, 4, 5), noise(3), noise(3)), {"epsilon": 0.1}),
        ("LayerNormalization", (noise(2, 3, 4), noise(3, 4), noise(3, 4)), {"axis": 1, "outputs": 3}),
        ("RMSNormalization", (noise(2, 3, 4), noise(4)), {"epsilon": 0.1}),
        ("LogSoftmax", (noise(2, 3),), {"axis": 0}),
        ("ReduceLogSumExp", (noise(2, 3, 4), i64(-1, 0)), {"keepdims": 0}),
        ("ReduceMean", (noise(2, 3, 4), i64(1)), {}),
        ("ReduceProd", (noise(2, 3, 4), i64(-2, 0)), {"keepdims": 0}),
        ("LRN", (noise(4, 4, 2, 2),), {"size": 3, "alpha": 0.5, "bias": 2.0}),
        ("LpNormalization", (noise(2, 3),), {"axis": 0, "p": 2}),
        ("LpPool", (noise(1, 2, 6),), {"kernel_shape": [2], "p": 3}),
        ("GlobalAveragePool", (noise(2, 3, 4),), {}),
        ("Unique", (i64(3, 1, 3, 2),), {"outputs": 4}),
        ("Pad", (noise(3, 4), i64(1, 0, 2, 1), np.array(5, np.float32)), {}),
        ("Pad", (noise(3, 4), i64(2, 1), None, i64(-1)), {"mode": "reflect"}),
        ("Pad", (noise(3, 4), i64(2, 1), None, i64(0)), {"mode": "edge"}),
        ("Pad", (noise(3, 4), i64(2, 1), None, i64(0)), {"mode": "wrap"}),
        ("OneHot", (i64(-1, 0, 5), np.array(3), f32(2, 5)), {"axis": 0}),
        ("Div", (i64(7, -7, 7, -7, 6), i64(2, 2, -2, -2, 3)), {}),
        ("Cast", (noise(4) * 5,), {"to": 6}),
        ("Range", (np.float32(1), np.float32(4.5), np.float32(0.7)), {}),
    ],
)
def test_small_kernels(op_type, inputs, attributes) -> None:
    check(op_type, *(np.asarray(v) if v is not None else None for v in inputs), **attributes)
