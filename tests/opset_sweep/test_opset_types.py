"""Every operator at every opset at which it changed, in each type that it allows there, gives onnxruntime's result."""

import copy

import numpy as np
import pytest
from opset_onnxruntime import run_onnxruntime
from opset_types import COMPUTED_IN_FLOAT, typed_cases

import ort_core
from ort_core.testing.conformance.opset_cases.agree import assert_agrees

CASES = typed_cases()


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    cases = [case for group in CASES.values() for case in group]
    results = run_onnxruntime([(c.model, dict(c.feeds)) for c in cases], tmp_path_factory.mktemp("onnxruntime"))
    return {case.name: answer for case, answer in zip(cases, results, strict=True) if not isinstance(answer, str)}


def in_float(results, like):
    assert [value.dtype for value in results] == [value.dtype for value in like]
    return [value.astype(np.float32) if value.dtype == np.float64 else value for value in results]


def test_most_versions_have_other_types_than_float():
    assert len(CASES) > 350


@pytest.mark.parity
def test_onnxruntime_has_most_types(answers):
    assert len(answers) > 2200


@pytest.mark.parity
@pytest.mark.parametrize("operator", CASES, ids=lambda operator: f"{operator.name}-{operator.version}")
def test_types_of_a_version_give_what_onnxruntime_gives(operator, answers):
    for case in CASES[operator]:
        with ort_core.InferenceSession(case.model, providers=["ReferenceExecutionProvider"]) as session:
            got = session.run(None, copy.deepcopy(dict(case.feeds)))
        if case.name not in answers:
            continue
        expected = answers[case.name]
        if operator.name in COMPUTED_IN_FLOAT:
            expected, got = in_float(expected, got), in_float(got, expected)
        assert_agrees(expected, got, where=case.name)
