"""Written cases: resampling, pooling and convolution."""

from __future__ import annotations

import numpy as np

from ort_core.testing.conformance.opset_cases.recipe import case
from ort_core.testing.conformance.opset_cases.samples import IMAGE, WINDOW, Attributes, f32, floats, i64

ROIS = (f32(1, 2, 6, 6), floats([0, 0, 4, 4], [1, 2, 5, 5]), i64(0, 0))
TF_RESIZE: Attributes = {"mode": "nearest", "coordinate_transformation_mode": "tf_half_pixel_for_nn"}

REGIONS = floats([0, 0, 0, 4, 3], [0, 1, 1, 3, 2])
WINDOWS = [
    [[0, 2, 0, 3], [0, 2, 2, 5], [2, 4, 0, 3], [2, 4, 2, 5]],
    [[1, 2, 1, 3], [1, 2, 2, 4], [2, 3, 1, 3], [2, 3, 2, 4]],
]
REGION_MAXIMA = np.array(
    [
        [[image[top:bottom, left:right].max() for top, bottom, left, right in windows] for image in IMAGE[0]]
        for windows in WINDOWS
    ]
).reshape(2, 2, 2, 2)
"""Each region has 2 x 2 windows, given by their first and last row and column."""

AUTO: Attributes = {"kernel_shape": [3, 2], "strides": [2, 2]}
UPWARD = (f32(1, 2, 4, 5), f32(2, 3, 3, 3))
GROUPED = (f32(1, 4, 4, 5), f32(4, 3, 3, 3))
BOXES = (floats([[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 10, 1, 11], [0, 10.1, 1, 11.1]]), floats([[0.9, 0.75, 0.6, 0.95]]))
"""Boxes [1, 4, 4] and scores [1, 1, 4]."""

RECIPES = [
    *(
        made
        for mode in ("nearest", "linear")
        for made in (
            case("Upsample", (7, 8), IMAGE, mode=mode, scales=[1.0, 1.0, 2.0, 3.0], note=mode),
            case("Upsample", 9, IMAGE, floats(1, 1, 1.6, 2), mode=mode, note=mode),
            case("Resize", 10, IMAGE, floats(1, 1, 2, 1.7), mode=mode, constants=(1,), note=f"{mode}_up"),
            case("Resize", 10, IMAGE, floats(1, 1, 0.6, 0.8), mode=mode, constants=(1,), note=f"{mode}_down"),
            case("Resize", 10, IMAGE, floats(1, 1, 0.6, 1.7), mode=mode, constants=(1,), note=f"{mode}_both"),
            case("Resize", 10, IMAGE, floats(1, 1, 2.3, 0.6), mode=mode, note=f"{mode}_computed"),
        )
    ),
    case("Resize", 11, IMAGE, floats(), floats(1, 1, 2, 1.7), mode="cubic"),
    *(
        case(
            "Resize",
            (11, 12),
            IMAGE,
            floats(),
            floats(),
            i64(1, 2, 7, 3),
            nearest_mode=r,
            **TF_RESIZE,
            note=r,
        )
        for r in ("floor", "round_prefer_floor")
    ),
    case("Resize", (13, 18, 19), IMAGE, None, floats(1, 1, 2, 1.7), mode="linear", note="optional"),
    *(
        case("GridSample", (16, 19), IMAGE, f32(1, 3, 3, 2) / 2, mode=mode, align_corners=1, note=mode)
        for mode in ("bilinear", "bicubic", "nearest")
    ),
    case("GridSample", 16, IMAGE, f32(1, 3, 3, 2), note="default"),
    case("RoiAlign", (10, 15, 16), *ROIS, output_height=2, output_width=2, sampling_ratio=2),
    case("MaxPool", (7, 8, 10, 11, 12), IMAGE, **WINDOW),
    case("MaxPool", (10, 12), IMAGE, ceil_mode=1, **WINDOW, note="ceil"),
    case("AveragePool", (7, 10, 11, 19), IMAGE, **WINDOW),
    case("AveragePool", (7, 10, 11, 19), IMAGE, count_include_pad=1, **WINDOW, note="pad"),
    case("AveragePool", (10, 11, 19), IMAGE, count_include_pad=1, ceil_mode=1, **WINDOW, note="ceil"),
    case("LpPool", (7, 11), IMAGE, p=3, **WINDOW),
    case("GlobalLpPool", (7, 22), IMAGE, p=3, expected=[np.cbrt((abs(IMAGE) ** 3).sum((2, 3), keepdims=True))]),
    case("MaxRoiPool", (7, 22), IMAGE, REGIONS, pooled_shape=[2, 2], expected=[REGION_MAXIMA]),
    case("MaxRoiPool", 7, IMAGE, floats([0, 2, 2, 8, 7]), pooled_shape=[1, 2], spatial_scale=0.5, note="scaled"),
    case("Conv", (7, 11), IMAGE, f32(3, 2, 2, 2), f32(3)),
    case("ConvTranspose", (7, 11), f32(1, 1, 3), f32(1, 1, 3), output_shape=[4], note="output_shape"),
    case("ConvTranspose", (7, 11), f32(1, 1, 3), f32(1, 1, 3), auto_pad="SAME_UPPER", strides=[2]),
    *(
        made
        for padding in ("SAME_UPPER", "SAME_LOWER", "VALID")
        for made in (
            case("MaxPool", (7, 8, 11, 12, 22), IMAGE, **AUTO, auto_pad=padding, note=padding),
            case("AveragePool", (7, 10, 11, 19, 22), IMAGE, **AUTO, auto_pad=padding, note=padding),
            case("LpPool", (7, 11, 18), IMAGE, **AUTO, auto_pad=padding, note=padding),
            case("Conv", (7, 11), IMAGE, f32(3, 2, 2, 3), strides=[2, 2], auto_pad=padding, note=padding),
            case("ConvTranspose", (7, 11), *UPWARD, strides=[2, 2], auto_pad=padding, note=padding),
        )
    ),
    case("MaxPool", (8, 10, 11, 12), IMAGE, kernel_shape=[2, 2], strides=[2, 1], out="y indices", note="indices"),
    case(
        "MaxPool", (8, 12), IMAGE, kernel_shape=[2, 2], strides=[2, 1], storage_order=1, out="y indices", note="columns"
    ),
    case(
        "MaxPool", (10, 12), IMAGE, kernel_shape=[2, 2], strides=[2, 2], dilations=[2, 2], ceil_mode=1, note="dilated"
    ),
    case("ConvTranspose", (7, 11, 22), *UPWARD, strides=[3, 2], output_padding=[2, 1], note="output_padding"),
    *(
        case(
            "ConvTranspose",
            (7, 11),
            *UPWARD,
            strides=[3, 2],
            output_shape=[11, 8],
            auto_pad=padding,
            note=f"cut_{padding}",
        )
        for padding in ("NOTSET", "SAME_UPPER", "SAME_LOWER")
    ),
    case("ConvTranspose", (7, 11), *GROUPED, group=2, dilations=[2, 1], pads=[1, 0, 0, 2], note="grouped"),
    *(
        case(
            "Resize",
            (11, 12),
            IMAGE,
            floats(),
            floats(),
            i64(1, 2, 7, 3),
            mode=mode,
            coordinate_transformation_mode=coordinates,
            note=f"{mode}_{coordinates}",
        )
        for mode in ("nearest", "linear", "cubic")
        for coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
    ),
    *(
        case(
            "Resize", (11, 13), IMAGE, f32(8), floats(1, 1, 1.7, 0.6), nearest_mode=rounding, note=f"scales_{rounding}"
        )
        for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    ),
    case(
        "Resize",
        (11, 13),
        IMAGE,
        floats(),
        floats(1, 1, 1.7, 1.6),
        mode="cubic",
        cubic_coeff_a=-0.5,
        exclude_outside=1,
        note="exclude_outside",
    ),
    *(
        case("GridSample", 16, IMAGE, f32(1, 3, 3, 2), mode=mode, padding_mode=padding, note=f"{mode}_{padding}")
        for mode in ("bilinear", "bicubic", "nearest")
        for padding in ("border", "reflection")
    ),
    case("RoiAlign", (10, 16), *ROIS, mode="max", output_height=2, output_width=3, sampling_ratio=2, note="max"),
    case("RoiAlign", (10, 16), *ROIS, output_height=2, output_width=3, spatial_scale=0.7, note="adaptive"),
    case("NonMaxSuppression", (10, 11), *BOXES, i64(3), floats(0.5), floats(0.4)),
    case("NonMaxSuppression", (10, 11), *BOXES, note="default"),
    case("NonMaxSuppression", (10, 11), *BOXES, i64(2), center_point_box=1, note="centres"),
]
