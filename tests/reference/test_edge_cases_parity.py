"""Edge cases in which onnxruntime has an answer: the same answer, or an exception of ours that names the node."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from edge_cases_network import network_cases
from edge_cases_tensor import tensor_cases
from parity_batch import EdgeCase, onnxruntime_answers

import ort_core
from ort_core.errors import OrtError

pytestmark = pytest.mark.parity

CASES = [*tensor_cases(), *network_cases()]
NOT_IMPLEMENTED = "Could not find an implementation"


@pytest.fixture(scope="module")
def answers() -> dict[int, Any]:
    return dict(enumerate(onnxruntime_answers(CASES)))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[f"{i}-{c}" for i, c in enumerate(CASES)])
def test_the_answer_is_that_of_onnxruntime(answers: dict[int, Any], number: int) -> None:
    case, expected = CASES[number], answers[number]
    if isinstance(expected, str):
        assert NOT_IMPLEMENTED not in expected
        check_refusal(case)
        return
    session = ort_core.InferenceSession(case.model(), providers=["ReferenceExecutionProvider"])
    for got, want in zip(session.run(None, case.feeds()), expected, strict=True):
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        if want.dtype.kind in "OSUbiu":
            assert got.tolist() == want.tolist()
        else:
            np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-4)


def check_refusal(case: EdgeCase) -> None:
    with pytest.raises(OrtError) as caught:
        ort_core.InferenceSession(case.model(), providers=["ReferenceExecutionProvider"]).run(None, case.feeds())
    assert f"::{case.op_type}" in str(caught.value)
