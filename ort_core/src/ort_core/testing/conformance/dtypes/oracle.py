"""What a model of the sweep should give: computed in the widest type of the same kind, by other code than what is tested."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ort_core.ir.types import ElementType
from ort_core.providers.names import REFERENCE
from ort_core.testing.conformance.dtypes.models import DtypeModel
from ort_core.testing.conformance.dtypes.values import parse_type, with_element
from ort_core.testing.conformance.target import Target

_WIDEST = {
    "INT": ElementType.INT64,
    "UINT": ElementType.UINT64,
    "FLOAT": ElementType.DOUBLE,
    "BFLOAT": ElementType.DOUBLE,
}
"""By the element type's name without its digits."""

_NOT_WIDENED = frozenset({"BitCast", "CastLike"})
"""Operators that do something else on another type."""

_WRONG_IN_ONNX_REFERENCE = frozenset({"Cast", "CastLike", "Erf", "GRU", "GridSample", "Optional", "RNN", "Resize"})
"""Its own spelling of numbers, Erf in float, no sequence lengths, integer weights for integers in GridSample, no imaginary
parts. In ai.onnx.ml it differs from ONNX Runtime, whose results are the definition there.
"""


def expected_outputs(case: DtypeModel, target: Target) -> list[Any]:
    """The outputs of the model, in the types that ONNX infers.

    Floats are computed as double and integers in 64 bits where the operator allows that, by the reference provider; if that is
    what is tested, by `onnx.reference` where it is right.
    """
    wide = _widened(case)
    with np.errstate(all="ignore"):
        results = _compute(wide, target)
        return [_of_type(value, text) for value, text in zip(results, case.output_types, strict=True)]


def _widened(case: DtypeModel) -> DtypeModel:
    from onnx.shape_inference import InferenceError

    element = parse_type(case.variant.type)[1]
    widest = _WIDEST.get(re.sub(r"\d.*", "", element.name))
    if widest is None or not case.decides_inputs or case.variant.op_type in _NOT_WIDENED:
        return case
    wide = with_element(case.variant.type, widest)
    if wide not in case.variant.allowed_types:
        return case
    try:
        return case.widened(wide)
    except InferenceError:
        return case


def _compute(case: DtypeModel, target: Target) -> list[Any]:
    variant = case.variant
    known_wrong = variant.op_type in _WRONG_IN_ONNX_REFERENCE or variant.domain == "ai.onnx.ml"
    results = None if target.name != REFERENCE or known_wrong else _onnx_reference(case)
    if results is None:
        with Target(REFERENCE).session(case.model) as session:
            results = session.run(None, dict(case.feeds))
    return list(results)


def _onnx_reference(case: DtypeModel) -> Any:
    """What `onnx.reference` computes; None for an operator, or a type, that it lacks."""
    from onnx.reference import ReferenceEvaluator

    try:
        return ReferenceEvaluator(case.model).run(None, dict(case.feeds))
    except Exception:
        return None


def _of_type(value: Any, text: str) -> Any:
    containers, element = parse_type(text)
    if value is None:
        return None
    if "seq" in containers:
        return [np.asarray(item).astype(element.dtype) for item in value]
    return np.asarray(value).astype(element.dtype)
