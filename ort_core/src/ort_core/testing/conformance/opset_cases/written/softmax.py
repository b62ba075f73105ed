"""Written cases: Softmax, LogSoftmax and Hardmax."""

from __future__ import annotations

from ort_core.testing.conformance.opset_cases.recipe import case
from ort_core.testing.conformance.opset_cases.samples import X

RECIPES = [
    made
    for op in ("Softmax", "LogSoftmax", "Hardmax")
    for made in (
        case(op, (7, 11, 12), X, note="default"),
        case(op, (7, 11, 12), X, axis=0, note="all"),
        case(op, (7, 11, 12), X, axis=2, note="last"),
        case(op, (7, 11, 12), X[:, :, 0], note="matrix"),
        case(op, (7, 11, 12), X[:, :, :1], note="single"),
        case(op, (11, 12), X, axis=-2, note="negative"),
        case(op, 11, X, axis=-1, note="minus_one"),
        case(op, 13, X, note="present"),
    )
]
