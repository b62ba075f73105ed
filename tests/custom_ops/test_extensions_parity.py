"""Every operator of onnxruntime-extensions: the same values and the same errors on ort-core as on onnxruntime."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from tests.custom_ops import extensions_parity as parity

pytest.importorskip("ort_custom_ops")
pytest.importorskip("PIL")
if not parity.library_path():
    pytest.skip("onnxruntime-extensions is not installed", allow_module_level=True)

from tests.custom_ops import (
    extensions_parity_bpe,
    extensions_parity_sentencepiece,
    extensions_parity_sentences,
    extensions_parity_signal,
    extensions_parity_text,
    extensions_parity_tokenizers,
    extensions_parity_vision,
    extensions_parity_wordpiece,
)

pytestmark = pytest.mark.parity

FAMILIES = (
    extensions_parity_text,
    extensions_parity_wordpiece,
    extensions_parity_bpe,
    extensions_parity_sentencepiece,
    extensions_parity_tokenizers,
    extensions_parity_sentences,
    extensions_parity_signal,
    extensions_parity_vision,
)
CASES = [(node, inputs) for family in FAMILIES for node in family.NODES for inputs in node.runs]
TASKS = [
    (node.model(inputs), {f"input_{i}": x for i, x in enumerate(inputs) if x is not None}) for node, inputs in CASES
]
OPERATORS = sorted({node.op for node, _ in CASES})


@pytest.fixture(scope="module")
def expected() -> list[Any]:
    (results,) = parity.evaluate(TASKS, "onnxruntime")
    return results


@pytest.fixture(scope="module")
def results() -> list[Any]:
    (results,) = parity.evaluate(TASKS, "ort_core")
    return results


def library_text(message: str) -> str:
    """What the library says inside onnxruntime's message; of a missing attribute, which is the runtime's word, the name."""
    said = re.split(r"Status Message: |Exception during initialization: ", message)[-1]
    missing = re.search(r"No attribute with name:('\w+')", said)
    return missing[1] if missing else re.sub(r"^\d+: ", "", said).strip()


def difference(ours: Any, theirs: Any) -> str | None:
    """Why a result is not the same as onnxruntime's; None if it is."""
    if isinstance(theirs, parity.Failure) or isinstance(ours, parity.Failure):
        if not (isinstance(theirs, parity.Failure) and isinstance(ours, parity.Failure)):
            return f"got {ours}, expected {theirs}"
        same = ours.stage == theirs.stage and ours.kind == theirs.kind and library_text(theirs.message) in ours.message
        return None if same else f"got {ours}, expected {theirs}"
    for got, want in zip(ours, theirs, strict=True):
        if got.dtype != want.dtype or got.shape != want.shape:
            return f"got {got.dtype}{got.shape}, expected {want.dtype}{want.shape}"
        equal = got.tolist() == want.tolist() if want.dtype == object else got.tobytes() == want.tobytes()
        if not equal:
            return f"got {got}, expected {want}"
    return None


def check(results: Sequence[Any], expected: Sequence[Any], op: str | None = None) -> None:
    """Fails with the cases that are not the same, of one operator or of all."""
    found = []
    for (node, inputs), ours, theirs in zip(CASES, results, expected, strict=True):
        if node.op == (op or node.op) and (reason := difference(ours, theirs)):
            found.append(
                f"{node.domain}::{node.op} {str(node.attributes)[:200]} on {str(list(inputs))[:300]}: {reason}"
            )
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("op", OPERATORS)
def test_operator_gives_what_onnxruntime_gives(op, expected, results):
    check(results, expected, op)


@pytest.mark.parametrize("order", [("onnxruntime", "ort_core"), ("ort_core", "onnxruntime")])
def test_both_runtimes_in_one_process_give_the_same(order, expected):
    """The library knows one runtime, the first: kernels of the second reach their attributes through its functions."""
    for results in parity.evaluate(TASKS, *order):
        check(results, expected)


def test_every_operator_of_the_library_has_a_case():
    from ort_custom_ops.library import load_library

    registered = {op.name for op in load_library(parity.library_path())}
    assert registered | {"ArgSort"} == set(OPERATORS)


def test_every_operator_has_a_case_that_onnxruntime_computes(expected):
    computed = {
        node.op for (node, _), theirs in zip(CASES, expected, strict=True) if not isinstance(theirs, parity.Failure)
    }
    assert sorted(computed) == OPERATORS
