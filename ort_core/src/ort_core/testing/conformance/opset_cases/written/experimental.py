"""Written cases: operators that left ONNX before opset 10 and that onnxruntime still runs there."""

from __future__ import annotations

from ort_core.testing.conformance.opset_cases.recipe import case
from ort_core.testing.conformance.opset_cases.samples import IMAGE, X, i64

RECIPES = [
    case("Affine", (1, 7, 9), X, alpha=2.0, beta=0.5),
    case("Scale", (7, 9), X, scale=3.0),
    case("ScaledTanh", (7, 9), X, alpha=2.0, beta=0.5),
    case("ParametricSoftplus", (7, 9), X, alpha=2.0, beta=0.5),
    case("ImageScaler", (7, 9), IMAGE, scale=2.0, bias=[0.5, -1.0]),
    case("Crop", (7, 9), IMAGE, border=[1, 0, 2, 1]),
    case("Crop", 7, IMAGE, border=[1, 1, 0, 0], scale=[2, 3], note="window"),
    case("DynamicSlice", (7, 9), X, i64(0, 1), i64(2, -1), i64(1, 2)),
]
