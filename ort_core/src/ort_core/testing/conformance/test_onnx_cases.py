"""ONNX's own test cases."""

from __future__ import annotations

import pytest

from ort_core.testing.conformance.onnx_cases import Case, load_cases
from ort_core.testing.conformance.onnx_runs import run_case
from ort_core.testing.conformance.target import Target


def _parameter(case: Case) -> object:
    marks = () if case.operator is None else pytest.mark.ort_operator(case.operator)
    return pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", [_parameter(case) for case in load_cases().values()])
def test_onnx_case(case: Case, target: Target) -> None:
    """The model gives the outputs that ONNX states, in their types and shapes."""
    run_case(case, target)
