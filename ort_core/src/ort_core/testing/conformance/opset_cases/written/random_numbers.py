"""Written cases: operators that draw random numbers, of whose results only types and shapes are defined."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from ort_core.testing.conformance.opset_cases.recipe import case
from ort_core.testing.conformance.opset_cases.samples import Attributes, P, X, floats

DOUBLES: Attributes = {"dtype": TensorProto.DOUBLE, "note": "double"}


def like(*shape: int, dtype: type = np.float32) -> Attributes:
    """What is known of the result."""
    return {"expected": [np.zeros(shape, dtype)], "random": True}


RECIPES = [
    *(
        made
        for op in ("RandomNormal", "RandomUniform")
        for made in (
            case(op, (7, 22), shape=[2, 3], **like(2, 3)),
            case(op, (7, 22), shape=[4], seed=1.0, **DOUBLES, **like(4, dtype=np.float64)),
            case(f"{op}Like", (7, 22), X, **like(2, 3, 4)),
            case(f"{op}Like", (7, 22), X, **DOUBLES, **like(2, 3, 4, dtype=np.float64)),
        )
    ),
    case("Multinomial", (7, 22), P[0], sample_size=5, **like(3, 5, dtype=np.int32)),
    case(
        "Multinomial", (7, 22), P[0], sample_size=2, dtype=TensorProto.INT64, note="int64", **like(3, 2, dtype=np.int64)
    ),
    case("Bernoulli", (15, 22), floats(0, 0.5, 1), dtype=TensorProto.INT32, **like(3, dtype=np.int32)),
]
