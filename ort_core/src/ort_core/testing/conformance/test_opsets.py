"""Every version of every operator: models of all opsets, compared with the reference provider."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ort_core.providers.names import REFERENCE
from ort_core.testing.conformance.opset_cases import OpsetCase, opset_cases
from ort_core.testing.conformance.opset_cases.agree import assert_agrees
from ort_core.testing.conformance.target import Target


def _parameter(case: OpsetCase) -> object:
    return pytest.param(case, id=case.name, marks=pytest.mark.ort_operator(case.operator.full_name))


def _run(case: OpsetCase, target: Target) -> dict[str, Any]:
    with target.session(case.model) as session:
        names = [value.name for value in session.get_outputs()]
        return dict(zip(names, session.run(None, copy.deepcopy(dict(case.feeds))), strict=True))


@pytest.mark.parametrize("case", [_parameter(case) for case in opset_cases()])
def test_opset(case: OpsetCase, target: Target) -> None:
    """An operator does what it means at the opset of the model, also if it meant something else then."""
    got = _run(case, target)
    for name, expected in _run(case, Target(REFERENCE)).items():
        assert_agrees(expected, got[name], random=case.random, where=f"output '{name}'")
