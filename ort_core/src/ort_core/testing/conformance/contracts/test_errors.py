"""Errors: they are typed, say where and why, and leave the session usable."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ort_core.errors import InvalidArgument, OrtError
from ort_core.providers.names import REFERENCE
from ort_core.testing.conformance.contracts.cases import Case
from ort_core.testing.conformance.contracts.catalogue import CASES
from ort_core.testing.conformance.contracts.checks import check_results
from ort_core.testing.conformance.contracts.claims import Claims, open_case
from ort_core.testing.conformance.contracts.relay import relayed_session
from ort_core.testing.conformance.target import Target

pytestmark = pytest.mark.ort_contract("errors")

X = "(float[N] x) => (float[P] y)"
TWO = "(float[N] a, float[M] b) => (float[P] y) {{ y = {} (a, b) }}"
SQUARE = "(float[N, M] a, float[K, P] b) => (float[Q, R] y) {{ y = {} (a, b) }}"


def _ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


FAILURES: dict[str, tuple[str, list[np.ndarray], list[np.ndarray]]] = {
    **{op: (TWO.format(op), [_ones(3), _ones(3)], [_ones(3), _ones(4)]) for op in ("Add", "Sub", "Mul", "Div")},
    "MatMul": (SQUARE.format("MatMul"), [_ones(2, 3), _ones(3, 4)], [_ones(2, 3), _ones(2, 4)]),
    "Gemm": (SQUARE.format("Gemm"), [_ones(2, 3), _ones(3, 4)], [_ones(2, 3), _ones(2, 4)]),
    "Concat": (SQUARE.format("Concat <axis = 0>"), [_ones(2, 3), _ones(1, 3)], [_ones(2, 3), _ones(2, 4)]),
    "Reshape": (
        f"{X.replace('[P]', '[2, 3]')} <int64[2] s = {{2, 3}}> {{ y = Reshape (x, s) }}",
        [_ones(6)],
        [_ones(5)],
    ),
    "Expand": (f"{X} <int64[1] s = {{3}}> {{ y = Expand (x, s) }}", [_ones(1)], [_ones(2)]),
    "Squeeze": (
        "(float[N, M] x) => (float[M] y) <int64[1] a = {0}> { y = Squeeze (x, a) }",
        [_ones(1, 3)],
        [_ones(2, 3)],
    ),
    "Gather": (
        "(float[N] x, int64[M] i) => (float[M] y) { y = Gather (x, i) }",
        [_ones(3), np.array([0, 2])],
        [_ones(3), np.array([0, 3])],
    ),
    "Conv": (
        "(float[N, C, M] x, float[K, L, S] w) => (float[N, K, P] y) { y = Conv (x, w) }",
        [_ones(1, 2, 5), _ones(1, 2, 3)],
        [_ones(1, 3, 5), _ones(1, 2, 3)],
    ),
}


@pytest.mark.parametrize(
    "operator", [pytest.param(op, marks=pytest.mark.ort_operator(f"ai.onnx::{op}")) for op in FAILURES]
)
def test_failing_node(target: Target, operator: str) -> None:
    """Inputs that a node cannot take raise an error that names it, and the session goes on."""
    graph, good, bad = FAILURES[operator]
    case = Case(operator, graph, lambda *_: ())
    names = case.input_names
    right, wrong = (dict(zip(names, arrays, strict=True)) for arrays in (good, bad))
    with open_case(target, case) as session:
        before = session.run(None, right)
        for _ in range(2):
            with pytest.raises(OrtError) as caught:
                session.run(None, wrong)
            text = str(caught.value)
            assert operator in text, f"the message does not name the node: {text}"
            check_results(session.run(None, right), before, exact=True)


@pytest.mark.parametrize("kind", ["missing", "unknown", "element type", "rank"])
def test_wrong_feed(target: Target, sample: Case, kind: str) -> None:
    """A missing, unknown or ill-typed input raises InvalidArgument that names it, and the session goes on."""
    feeds = sample.feeds(1)
    first = next(iter(feeds))
    array: Any = feeds[first]
    wrong: dict[str, dict[str, Any]] = {
        "missing": {name: value for name, value in feeds.items() if name != first},
        "unknown": {**feeds, "no_such_input": array},
        "element type": {**feeds, first: array.astype(np.complex64)},
        "rank": {**feeds, first: array[None]},
    }
    with open_case(target, sample) as session:
        with pytest.raises(InvalidArgument, match="no_such_input" if kind == "unknown" else first):
            session.run(None, wrong[kind])
        check_results(session.run(None, feeds), sample.expected(feeds))


@pytest.mark.usefixtures("relay")
def test_declines_have_reasons(target: Target, claims: Claims) -> None:
    """For every node that the provider leaves to others, session.explain() says why."""
    with relayed_session(target, "(float[N] x) => (float[N] y) { y = relay.Relay (x) }") as session:
        _check_reasons(session, target)
    for case in CASES if target.name != REFERENCE else ():
        for element in case.elements:
            if not claims.takes(case, element):
                with target.session(case.model(element), others=[REFERENCE]) as session:
                    _check_reasons(session, target)


def _check_reasons(session: Any, target: Target) -> None:
    for node in session.explain().nodes:
        if node.provider not in (target.name, "core"):
            reason = node.declined.get(target.name, "")
            assert reason.strip(), f"no reason why {node.domain}::{node.op_type} runs on {node.provider}"
