"""Written cases: sequences and optional values."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from ort_core.testing.conformance.opset_cases.recipe import case
from ort_core.testing.conformance.opset_cases.samples import f32, scalar

A, B = f32(2, 3), f32(2, 3)
SECOND, LAST = scalar(1, np.int64), scalar(-1, np.int64)

RECIPES = [
    case("ConcatFromSequence", 11, [A, B], axis=1),
    case("ConcatFromSequence", 11, [A, B], axis=0, new_axis=1, note="new_axis"),
    case("SequenceAt", 11, [A, B], SECOND),
    case("SequenceAt", 11, [A, B], LAST, note="last"),
    case("SequenceConstruct", 11, A, B),
    case("SequenceEmpty", 11, dtype=TensorProto.INT64),
    case("SequenceErase", 11, [A, B], SECOND),
    case("SequenceErase", 11, [A, B, A], note="default"),
    case("SequenceInsert", 11, [A], B, scalar(0, np.int64), note="first"),
    case("SequenceLength", 11, [A, B]),
    case("SplitToSequence", (11, 24), A, axis=1, keepdims=0),
    case("Optional", (15, 28), A, expected=[A]),
    case("Optional", (15, 28), [A, B], expected=[[A, B]], note="sequence"),
]
