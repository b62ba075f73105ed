"""ONNX's test cases on the reference provider."""

from pathlib import Path

from onnx_cases import load_cases
from onnx_suite import onnx_suite, read_ignored

test_onnx_case = onnx_suite(
    "ReferenceExecutionProvider", read_ignored(Path(__file__).with_name("reference_ignore.txt"))
)


def test_the_suite_has_every_kind_of_case() -> None:
    kinds = [c.kind for c in load_cases().values()]
    assert {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)} == {
        "node": 1884,
        "simple": 23,
        "pytorch-converted": 82,
        "pytorch-operator": 35,
    }
