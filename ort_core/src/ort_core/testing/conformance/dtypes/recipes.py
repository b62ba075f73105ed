"""Cases of inputs that neither ONNX's node cases nor the opset sweep have."""

from __future__ import annotations

import numpy as np

from ort_core.ir.types import ElementType
from ort_core.load.opset import CANONICAL_OPSETS
from ort_core.testing.conformance.opset_cases.recipe import case
from ort_core.testing.conformance.opset_cases.samples import f32, scalar

_NEWEST = CANONICAL_OPSETS[""]
_LENGTHS = np.array([2, 1], np.int32)
_IMAGE = np.arange(16, dtype=np.uint8).reshape(1, 1, 4, 4)

RECIPES = [
    case("GRU", _NEWEST, f32(2, 2, 3), f32(1, 12, 3), f32(1, 12, 4), None, _LENGTHS, hidden_size=4),
    case("RNN", _NEWEST, f32(2, 2, 3), f32(1, 4, 3), f32(1, 4, 4), None, _LENGTHS, hidden_size=4),
    case("DFT", _NEWEST, f32(1, 5, 1), scalar(4, np.int64)),
    case(
        "QLinearConv",
        _NEWEST,
        _IMAGE,
        scalar(0.5),
        scalar(3, np.uint8),
        _IMAGE[:, :, :2, :2],
        scalar(0.25),
        scalar(2, np.uint8),
        scalar(0.5),
        scalar(7, np.uint8),
        np.array([-5], np.int32),
    ),
    case(
        "DequantizeLinear",
        _NEWEST,
        np.arange(-4, 4, dtype=np.int8),
        scalar(0.5),
        output_dtype=int(ElementType.FLOAT),
    ),
]
