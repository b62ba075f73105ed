"""Written cases: operators that work on each element, and products."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from ort_core.testing.conformance.opset_cases.recipe import case
from ort_core.testing.conformance.opset_cases.samples import BOOLS, P, X, f32, floats, i64, scalar

SPECIAL = floats(1.5, -0.25, 0, 3, np.nan, np.inf, -np.inf)
ROWS = np.arange(12, dtype=np.int8).reshape(3, 4)

RECIPES = [
    case("Clip", (6, 7, 10), X, min=-0.5, max=0.25),
    case("Clip", (6, 7, 10), X, min=0.0, note="relu"),
    case("Clip", (6, 7), X, note="no_bounds"),
    case("Clip", (11, 12), X, scalar(-0.5), scalar(0.5), note="inputs"),
    case("PRelu", (7, 9), X, f32(3, 1)),
    case("Selu", (6, 7), X),
    case("Erf", (9, 13), X),
    *(case(op, (7, 13), X, f32(3, 1)) for op in ("Add", "Sub", "Mul", "Div")),
    *(case(op, (7, 11), X, f32(3, 1)) for op in ("Greater", "Less")),
    case("Equal", (7, 11), i64(1, 2), i64(2, 2)),
    case("Pow", (7, 12), P, f32(3, 1)),
    *(case(op, 7, BOOLS, BOOLS[:1]) for op in ("And", "Or", "Xor")),
    *(
        case(op, (6, 13), P)
        for op in ("Abs", "Ceil", "Exp", "Floor", "Log", "Neg", "Reciprocal", "Relu", "Sqrt", "Tanh")
    ),
    *(case(op, (6, 22), X) for op in ("Elu", "HardSigmoid")),
    *(case(op, (6, 8, 12), X, X[::-1].copy(), X) for op in ("Max", "Min", "Sum", "Mean")),
    case("LeakyRelu", (6, 16), X),
    case("Sigmoid", (6, 13), X),
    case("ThresholdedRelu", (7, 10), X, alpha=0.5),
    case("Cast", (6, 9, 13), X, to=6),
    case("Mod", (10, 13), i64(7, -7), i64(3, 3)),
    case("Where", (9, 16), BOOLS, f32(2, 3), f32(3)),
    case("IsNaN", (9, 13), X),
    case("QuantizeLinear", (10, 13, 19, 21), X, scalar(0.1), scalar(100, np.uint8)),
    case("DequantizeLinear", (10, 13, 19, 21), np.arange(6, dtype=np.uint8), scalar(0.1), scalar(3, np.uint8)),
    case("Gemm", (7, 9), f32(2, 3), f32(3, 4), f32(4), alpha=0.5),
    case("MatMul", (7, 9), X, f32(4, 2)),
    case("Cast", (9, 13, 19), SPECIAL, to=TensorProto.STRING, note="to_strings"),
    case("Cast", (9, 13), np.array(["1.5", "-3", "NaN", "-INF", "1e3"], object), to=TensorProto.FLOAT, note="strings"),
    case("Cast", (7, 9, 13), SPECIAL[:4], to=TensorProto.BOOL, note="to_bool"),
    case("Clip", 10, SPECIAL, min=-0.5, max=0.5, note="special"),
    case("Clip", (11, 12), X, None, scalar(0.1), note="above"),
    case("PRelu", (7, 9), X, f32(1), note="shared"),
    *(
        case("Gemm", (7, 9, 11), f32(2, 3), f32(3, 4), f32(*shape), note=f"c_{len(shape)}")
        for shape in ((), (4,), (2, 1))
    ),
    case("Mod", (10, 13), floats(5.5, -5.5), floats(2, 2), fmod=1, note="fmod"),
    case("Pow", (12, 13, 15), i64(2, 3), floats(2.5, 0.5), note="mixed"),
    case("DequantizeLinear", (13, 19, 21), ROWS, f32(4), np.array([1, 2, 3, 4], np.int8), axis=-1, note="axis"),
    case("QuantizeLinear", (13, 19, 21), X, P[0, :, 0], np.array([100, 120, 140], np.uint8), axis=1, note="axis"),
    case(
        "QuantizeLinear", (10, 13), floats(0.5, 1.5, 2.5, -0.5, 300, -300), scalar(1.0), scalar(0, np.int8), note="int8"
    ),
]
