"""Written cases: reductions and what selects along an axis."""

from __future__ import annotations

import numpy as np

from ort_core.testing.conformance.opset_cases.recipe import case
from ort_core.testing.conformance.opset_cases.samples import P, X, floats, i64, scalar

COUNTS = np.array([[1, 2, 3], [5, 3, 2]])

RECIPES = [
    case("ReduceSum", (7, 11, 12), X, axes=[1], keepdims=0),
    case("ReduceSum", 11, X, note="all"),
    *(
        made
        for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
        for made in (
            case(f"Reduce{kind}", (7, 11, 13, 17), P, axes=[0, 2]),
            case(f"Reduce{kind}", 13, P, axes=[-1], keepdims=0, note="negative"),
            case(f"Reduce{kind}", (13, 18), P, note="all"),
        )
    ),
    case("ReduceLogSumExp", (11, 13, 18), COUNTS.astype(np.int32), keepdims=0, note="integers"),
    case("ReduceLogSum", (11, 18), COUNTS, note="integers"),
    *(case(op, (7, 11, 12), X, axis=1) for op in ("ArgMax", "ArgMin")),
    case("CumSum", (11, 14), X, scalar(1, np.int64)),
    *(case(op, (12, 13), floats(1, 3, 3, 1), select_last_index=1, note="last") for op in ("ArgMax", "ArgMin")),
    *(case(op, (11, 13), X, axis=-2, keepdims=0, note="negative") for op in ("ArgMax", "ArgMin")),
    *(
        case(f"Reduce{kind}", 18, P, i64(), noop_with_empty_axes=1, note="none")
        for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
    ),
    case("CumSum", (11, 14), X, scalar(-1, np.int64), exclusive=1, reverse=1, note="reverse"),
]
