"""What each case of the opset sweep is compared with: onnxruntime, or what ONNX or the case itself states."""

from dataclasses import dataclass
from typing import Any

from opset_differences import DIFFERENCES
from opset_onnxruntime import run_onnxruntime

from ort_core.testing.conformance.opset_cases import opset_cases

ONNXRUNTIME = "onnxruntime"
ONNX = "ONNX"
DEFINITION = "definition"


@dataclass(frozen=True)
class Oracle:
    """Who says what the result is; `onnxruntime` is the answer of onnxruntime whether it counts or not."""

    source: str
    expected: Any
    onnxruntime: Any


def find_oracles(folder):
    """The oracle of every case, by name."""
    cases = opset_cases()
    answers = run_onnxruntime([(case.model, dict(case.feeds)) for case in cases], folder)
    return {case.name: _choose(case, answer) for case, answer in zip(cases, answers, strict=True)}


def difference(case):
    """Why onnxruntime's answer to the case does not count, or None."""
    return DIFFERENCES.get(case.name.split("-", 2)[2]) if case.shipped else None


def _choose(case, answer):
    answered = not isinstance(answer, str) and difference(case) is None
    if case.random:
        return Oracle(DEFINITION, answer if answered else case.expected, answer)
    if answered:
        return Oracle(ONNXRUNTIME, answer, answer)
    return Oracle(ONNX if case.shipped else DEFINITION, case.expected, answer)
