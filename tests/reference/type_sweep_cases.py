"""Cases of operators that ONNX has none for, and what of the type sweep cannot be tested, with the reason."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper
from reference_helpers import ML, f32, i64, noise
from type_sweep import Case, E, Key

F = np.float32


def case(op_type: str, *inputs: Any, domain: str = "", outputs: int = 1, **attributes: Any) -> Case:
    names = [f"x{i}" if v is not None else "" for i, v in enumerate(inputs)]
    node = helper.make_node(op_type, names, [f"y{i}" for i in range(outputs)], domain=domain, **attributes)
    return Case(op_type, node, [np.asarray(v) if isinstance(v, np.generic) else v for v in inputs])


ROWS = f32([0.5, -1.5, 2], [3, 1, -2])
SVM = {
    "coefficients": [0.5, -1.0], "kernel_params": [0.5, 0.0, 2.0], "rho": [0.25], "support_vectors": [1.0, 2, 3, -1, 0, 1],
}  # fmt: skip

HAND_CASES: list[Case] = [
    case("ConcatFromSequence", [noise(2, 3), noise(2, 1)], axis=1),
    case("GlobalLpPool", noise(1, 2, 3, 3), p=3),
    case("DFT", noise(1, 4, 1), np.array(6), np.array(1)),
    case("GRU", noise(3, 1, 2), noise(1, 6, 2), noise(1, 6, 2), noise(1, 12), np.int32([2]), hidden_size=2),
    case("Identity", [noise(2), noise(3)]),
    case("LSTM", noise(3, 1, 2), noise(1, 8, 2), noise(1, 8, 2), noise(1, 16), np.int32([2]), hidden_size=2),
    case("LinearAttention", noise(1, 2, 4), noise(1, 2, 4), noise(1, 2, 4), noise(1, 1, 4, 4), outputs=2, q_num_heads=1,
         kv_num_heads=1, update_rule="linear"),
    case("MaxRoiPool", noise(1, 2, 6, 6), f32([0, 0, 0, 3, 3], [0, 1, 1, 5, 5]), pooled_shape=[2, 2]),
    case("Multinomial", np.log(f32([0.2, 0.8], [0.5, 0.5])), sample_size=5),
    case("Optional", noise(2)),
    case("Optional", [noise(2), noise(3)]),
    case("OptionalGetElement", noise(2)),
    case("OptionalHasElement", noise(2)),
    case("OptionalHasElement", [noise(2)]),
    case("Pad", noise(2, 3), i64(1, 2), None, i64(1)),
    case("QLinearConv", np.uint8([[[[1, 2], [3, 4]]]]), F(0.5), np.uint8(1), np.uint8([[[[2]]]]), F(0.5), np.uint8(1), F(1),
         np.uint8(0), np.int32([7])),
    case("QuantizeLinear", f32(-3, -0.5, 0, 0.6, 1.6, 4), F(0.5), np.uint8(0)),
    case("DequantizeLinear", np.int8([-3, 0, 1, 4]), F(0.5), np.int8(0)),
    case("RandomNormalLike", noise(2, 3), dtype=1),
    case("RandomUniformLike", noise(2, 3), dtype=1),
    case("Resize", noise(1, 1, 2, 2), f32(0, 0, 0, 0, 1, 1, 1, 0.5), f32(1, 1, 2, 2), mode="linear",
         coordinate_transformation_mode="tf_crop_and_resize"),
    case("RNN", noise(3, 1, 2), noise(1, 2, 2), noise(1, 2, 2), noise(1, 4), np.int32([2]), hidden_size=2),
    case("SequenceAt", [noise(2), noise(3)], np.array(-1)),
    case("SequenceConstruct", noise(2), noise(3)),
    case("SequenceErase", [noise(2), noise(3)], np.array(0)),
    case("SequenceInsert", [noise(2), noise(3)], noise(1), np.array(1)),
    case("SequenceLength", [noise(2), noise(3)]),
    case("CategoryMapper", i64(2, 7, 9), domain=ML, cats_int64s=[2, 7], cats_strings=["two", "seven"]),
    case("CategoryMapper", np.array(["two", "x"], object), domain=ML, cats_int64s=[2, 7], cats_strings=["two", "seven"]),
    case("FeatureVectorizer", ROWS, ROWS, domain=ML, inputdimensions=[3, 3]),
    case("Imputer", ROWS, domain=ML, imputed_value_floats=[9.0], replaced_value_float=-2.0),
    case("Imputer", i64([1, 2], [3, 4]), domain=ML, imputed_value_int64s=[9], replaced_value_int64=3),
    case("LinearClassifier", ROWS, domain=ML, outputs=2, coefficients=[1.0, 0.5, -1, 0.25, 2, -2], intercepts=[0.5, -0.5],
         classlabels_ints=[3, 8], post_transform="SOFTMAX"),
    case("LinearRegressor", ROWS, domain=ML, coefficients=[1.0, 0.5, -1], intercepts=[0.5]),
    case("Normalizer", ROWS, domain=ML, norm="L2"),
    case("OneHotEncoder", i64(1, 3, 2), domain=ML, cats_int64s=[1, 2, 3]),
    case("OneHotEncoder", np.array(["a", "b"], object), domain=ML, cats_strings=["b", "c"], zeros=1),
    case("Scaler", ROWS, domain=ML, offset=[0.5, 1, 2], scale=[2.0, 1, 0.5]),
    case("SVMClassifier", ROWS, domain=ML, outputs=2, classlabels_ints=[0, 1], vectors_per_class=[1, 1], **SVM),
    case("SVMRegressor", ROWS, domain=ML, n_supports=2, **SVM),
    case("ZipMap", ROWS, domain=ML, classlabels_int64s=[1, 2, 3]),
]  # fmt: skip

HAND_ONLY = frozenset({"DequantizeLinear", "QuantizeLinear"})
"""Operators whose ONNX cases do not recast: float zero points must be zero."""

ELSEWHERE: dict[Key, str] = {
    ("", "BitCast"): "only types of one width; test_attribute_types",
    ("", "Constant"): "no inputs; test_attribute_types",
    ("", "RandomNormal"): "no inputs; test_random_ops",
    ("", "RandomUniform"): "no inputs; test_random_ops",
    ("", "SequenceEmpty"): "no inputs; test_attribute_types",
    ("", "If"): "the core runs it; test_control_flow_carries_every_type",
    ("", "Loop"): "the core runs it; test_control_flow_carries_every_type",
    ("", "Scan"): "the core runs it; test_control_flow_carries_every_type",
    ("", "SequenceMap"): "the body declares one type; test_control_flow_carries_every_type",
    ("", "ImageDecoder"): "takes bytes only; ONNX's own cases",
    ("ai.onnx.ml", "CastMap"): "maps; test_ml_ops",
    ("ai.onnx.ml", "DictVectorizer"): "maps; test_ml_ops",
    ("ai.onnx.ml", "LabelEncoder"): "attributes of the input's type; test_attribute_types",
    ("ai.onnx.ml", "TreeEnsemble"): "attributes of the input's type; test_attribute_types",
    ("ai.onnx.preview.training", "Gradient"): "replaced at load; tests/load_opset",
}
"""Operators that cannot be recast by their inputs, and where their types are tested."""

TYPES_TOGETHER: dict[Key, tuple[str, ...]] = {("", "SequenceInsert"): ("S", "T")}
"""Type constraints that must have one element type."""

ONLY_TYPES: dict[tuple[str, str], str] = {
    ("Bernoulli", "*"): "random",
    ("CastLike", "T2"): "the type is what it computes; test_conversions",
    ("DequantizeLinear", "T1"): "test_quantization_types",
    ("Dropout", "*"): "random in training mode",
    ("Multinomial", "*"): "random",
    ("QLinearConv", "*"): "the range follows from the type; test_quantization_types",
    ("QLinearMatMul", "*"): "the range follows from the type; test_quantization_types",
    ("QuantizeLinear", "T3"): "the range follows from the type; test_quantization_types",
    ("RandomNormalLike", "*"): "random",
    ("RandomUniformLike", "*"): "random",
}
"""Operator and constraint (or all) of which the sweep compares types and shapes only, with the reason."""

UNTESTABLE: dict[tuple[str, E], str] = {
    ("Col2Im", E.STRING): "the schema allows strings, which have no sum",
    ("GridSample", E.STRING): "the schema allows strings, which have no weighted sum",
    ("DequantizeLinear", E.FLOAT8E8M0): "needs output_dtype; test_quantization_types",
    ("CastLike", E.STRING): "text of numbers only; test_conversions",
}
"""Element types that the schema allows and the sweep leaves out, with the reason."""

COMPUTING: dict[tuple[str, str], tuple[bytes, ...]] = {
    ("Resize", "mode"): (b"linear", b"cubic"),
    ("ScatterElements", "reduction"): (b"add", b"mul", b"max", b"min"),
    ("ScatterND", "reduction"): (b"add", b"mul", b"max", b"min"),
}
"""Attribute values with which an operator calculates, so that strings do not go."""

ULPS: dict[str, float] = {"RMSNormalization": 2**18}
"""Units in the last place that an operator may be off the rounded exact result, 4 by default.

RMSNormalization rounds to the type of X before it multiplies by a scale of a wider type.
"""
