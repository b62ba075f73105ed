"""What the operators of the example library in C++ give."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.custom_ops.cpp_library import Case


def _f32(*values: Any) -> np.ndarray:
    return np.array(values, np.float32)


def _f64(*values: Any) -> np.ndarray:
    return np.array(values, np.float64)


def _i64(*values: Any) -> np.ndarray:
    return np.array(values, np.int64)


def _text(*values: Any) -> np.ndarray:
    return np.array(values, dtype=object)


_INF = np.inf
_LOGITS = _f32([3, 1, 2, 0], [0, 0, 0, 0], [-1, 5, -2, 4.5])

_SAMPLING = [
    Case("TopPMask", [_LOGITS, _f32(0.8)],
         [_f32([3, -_INF, 2, -_INF], [0, 0, 0, 0], [-_INF, 5, -_INF, 4.5]), _i64(2, 4, 2)]),
    Case("TopPMask", [_LOGITS, _f32(0.3)],
         [_f32([3, -9, -9, -9], [0, 0, -9, -9], [-9, 5, -9, -9])], {"filter_value": -9.0}),
    Case("TopPMask", [_LOGITS.astype(np.float64), _f32(0.1)],
         [_f64([3, 0, 2, 0], [0, 0, 0, 0], [0, 5, 0, 4.5]), _i64(2, 2, 2)], {"filter_value": 0.0, "min_keep": 2}),
    Case("TopPMask", [_LOGITS[0], _f32(0.8), _f32(100)],
         [_f32(3, 1, 2, 0), np.array(4, np.int64)]),
    Case("TopPMask", [_f32(2, 1), _f32(1), _f32(0.001)], [_f32(2, -_INF)]),
    Case("TopPMask", [_f32(np.nan, 1, -_INF, 2), _f32(0.99)], [_f32(-_INF, 1, -_INF, 2), np.array(2, np.int64)]),
    Case("TopPMask", [_f32(-_INF, -_INF), _f32(0.5)], [_f32(-_INF, -_INF), np.array(1, np.int64)]),
    Case("TopPMask", [np.zeros((0, 3), np.float32), _f32(0.5)], [np.zeros((0, 3), np.float32), _i64()]),
    Case("TopPMask", [_LOGITS, _f32(1.5)], "p must be in (0, 1], got 1.5"),
    Case("TopPMask", [_LOGITS, _f32(0.5), _f32(0)], "temperature must be positive, got 0.0"),
    Case("TopPMask", [_LOGITS, _f32(0.5, 0.5)], "invalid shape while trying to get a scalar"),
    Case("TopPMask", [np.array(1, np.float32), _f32(0.5)], "logits must be [..., V] with V > 0, got []"),
    Case("TopPMask", [_LOGITS, _f32(0.5)], "min_keep must be at least 1, got 0", {"min_keep": 0}),
]  # fmt: skip

_RUN_LENGTHS = [
    Case("RunLengthDecode", [_f32(1.5, -2), _i64(2, 1)], [_f32(1.5, 1.5, -2)]),
    Case("RunLengthDecode", [_f64(1.5, -2), _i64(0, 3)], [_f64(-2, -2, -2)]),
    Case("RunLengthDecode", [_i64(2**60, 7), _i64(1, 2)], [_i64(2**60, 7, 7)]),
    Case("RunLengthDecode", [_f32(), _i64()], [_f32()]),
    Case("RunLengthDecode", [_f32(1, 2), _i64(1)], "got 2 values but 1 lengths"),
    Case("RunLengthDecode", [_i64(1, 2), _i64(1, -1)], "length 1 is negative: -1"),
    Case("RunLengthDecode", [_f32(1, 2), _i64(2**62, 2**62)], "the lengths sum up to more than fits into 64 bits"),
    Case("RunLengthDecode", [_f32([1, 2]), _i64(1)], "invalid shape while trying to get a span"),
    Case("RunLengthEncode", [_f32(1, 1, 2)], [_f32(1, 2), _i64(2, 1)]),
    Case("RunLengthEncode", [_f64([1, 2], [2, 2])], [_f64(1, 2), _i64(1, 3)]),
    Case("RunLengthEncode", [_i64(5, 5, 5)], [_i64(5), _i64(3)]),
    Case("RunLengthEncode", [_i64()], [_i64(), _i64()]),
]  # fmt: skip

_WORDS = [
    Case("SplitWords", [_text("The cat  sat", "", "naïve 日本語 😀")],
         [_text("The", "cat", "sat", "naïve", "日本語", "😀"), _i64(3, 0, 3)]),
    Case("SplitWords", [_text(["a,b", "C"]), _text("c", "x")],
         [_text("a", "b"), _i64([2, 0])], {"separators": ",", "lowercase": 1}),
    Case("SplitWords", [_text()], [_text(), _i64()], version=1),
    Case("SplitWords", [_text("a b")], "separators must not be empty", {"separators": ""}, outputs=2),
    Case("JoinWords", [_text("a", "bé", "c"), _i64(2, 0, 1)], [_text("a bé", "", "c")]),
    Case("JoinWords", [_text("a", "b"), _i64(2), _text("·")], [_text("a·b")]),
    Case("JoinWords", [_text("a", "b"), _i64(3)], "count 0 is 3, but 2 words are left"),
    Case("JoinWords", [_text("a", "b"), _i64(2), _text(",", ";")], "invalid shape while trying to get a scalar string"),
]  # fmt: skip

_SCALE_BIAS = [
    Case("FusedScaleBias", [_f32([[1, 2], [3, 4]]), _f32(10, -1), _f32(0.5, 0)], [_f32([[10.5, 20.5], [-3, -4]])]),
    Case("FusedScaleBias", [_f32([1, 2], [3, 4]), _f32(10, -1)], [_f32([10, 0], [30, 0])],
         {"axis": -1, "activation": "relu"}),
    Case("FusedScaleBias", [_f32([1, 2]), _f32(2, 3), None], [_f32([2, 6])]),
    Case("FusedScaleBias", [np.zeros((2, 0), np.float32), _f32()], [np.zeros((2, 0), np.float32)]),
    Case("FusedScaleBias", [_f32([1, 2]), _f32(1, 2, 3)], "scale and bias must be [2], got [3]"),
    Case("FusedScaleBias", [_f32([1, 2]), _f32(1, 2), _f32([1, 2])], "scale and bias must be [2], got [1, 2]"),
    Case("FusedScaleBias", [_f32([1, 2]), _f32(1, 2)], "axis 2 is not one of x, which is [1, 2]", {"axis": 2}),
    Case("FusedScaleBias", [_f32([1, 2]), _f32(1, 2)], "activation must be none or relu, got tanh",
         {"activation": "tanh"}),
]  # fmt: skip

_VARIADIC = [
    Case("PadRagged", [_f32(1, 2), _f32(), _f32(3)], [_f32([1, 2], [0, 0], [3, 0]), _i64(2, 0, 1)]),
    Case("PadRagged", [_i64(1), _i64(2, 3)], [_i64([1, -1], [2, 3]), _i64(1, 2)], {"fill": _i64(-1)}),
    Case("PadRagged", [_f32(1), _f32(2, 3)], "fill must be one value of the type of the vectors", {"fill": _i64(-1)},
         outputs=2),
    Case("PadRagged", [_f32(1), _f32([2, 3])], "input 1 must be a vector, got [1, 2]", outputs=2),
    Case("WeightedSum", [_f32([1, 2]), _f32([10, 20])], [_f32([21, 42])], {"weights": [1.0, 2.0]}),
    Case("WeightedSum", [_f32(1, 2)], [_f32(0.5, 1)], {"weights": [0.5]}),
    Case("WeightedSum", [_f32(1, 2), _f64(1, 2)], "term 1 is not a tensor(float)", {"weights": [1.0, 1.0]}),
    Case("WeightedSum", [_f32(1, 2), _f32(1)], "term 1 has the shape [1], the first one [2]", {"weights": [1.0, 1.0]}),
    Case("WeightedSum", [_f32(1, 2)], "got 2 weights for 1 terms", {"weights": [1.0, 1.0]}),
    Case("SplitColumns", [_f32([1, 2, 3], [4, 5, 6])], [_f32(1, 4), _f32(2, 5), _f32(3, 6)], declared=np.float32),
    Case("SplitColumns", [_f32([1, 2, 3])], "table must be [N, 2], got [1, 3]", declared=np.float32, outputs=2),
    Case("FormatRows", [_text("a", "é"), _i64(1, -2), np.array([True, False])], [_text("a,1,true", "é,-2,false")]),
    Case("FormatRows", [_f32([0.1, 2e30]), _f64([0.1, 1 / 3]), np.array([[7, 8]], np.int32)],
         [_text(["x=0.1; y=0.1; z=7", "x=2e+30; y=0.3333333333333333; z=8"])],
         {"separator": "; ", "labels": ["x=", "y=", "z="]}),
    Case("FormatRows", [_i64(1), np.array([1], np.uint8)], "columns must be of type float, double"),
    Case("FormatRows", [_i64(1), _i64(1, 2)], "column 1 has the shape [2], the first one [1]"),
    Case("FormatRows", [_i64(1)], "got 2 labels for 1 columns", {"labels": ["a", "b"]}),
]  # fmt: skip

CASES = _SAMPLING + _RUN_LENGTHS + _WORDS + _SCALE_BIAS + _VARIADIC
REFUSED = [
    Case("JoinWords", [_text("a"), _i64(1)], "JoinWords", version=1),
    Case("TopPMask", [_i64([1, 2]), _f32(0.5)], "TopPMask"),
    Case("RunLengthDecode", [np.array([1], np.int32), _i64(1)], "RunLengthDecode"),
    Case("PadRagged", [_f32(1)], "PadRagged", outputs=2),
    Case("PadRagged", [_f32(1), _i64(1)], "PadRagged", outputs=2),
    Case("WeightedSum", [_f32(1)], ""),
]
