"""One of ONNX's test cases on a provider: session, run, comparison."""

from __future__ import annotations

import copy

from ort_core.testing.conformance.compare import assert_bernoulli, assert_same
from ort_core.testing.conformance.onnx_cases import Case
from ort_core.testing.conformance.target import Target

RANDOM_CASES = frozenset(
    f"test_bernoulli{seed}{body}" for seed in ("", "_double", "_seed") for body in ("", "_expanded")
)
"""Their outputs are random: shape, type and rate are compared instead."""

FLIPPED_CASES = frozenset(name for name in RANDOM_CASES if name.endswith("_expanded"))
"""ONNX's body of Bernoulli draws ones with probability 1 - x."""

RANDOM_RUNS = 300


def run_case(case: Case, target: Target) -> None:
    """Runs the case's model on each of its data sets; the inputs must be left as they were.

    Raises:
        Declined: the provider does not take a node.
        AssertionError: a result is wrong.
    """
    with target.session(case.model) as session:
        names = [value.name for value in session.get_inputs()]
        outputs = [value.name for value in session.get_outputs()]
        for data in case.data:
            feed = dict(zip(names, copy.deepcopy(data.inputs), strict=True))
            results = session.run(None, feed)
            for name, before in zip(names, data.inputs, strict=True):
                assert_same(before, feed[name], where=f"input '{name}' after the run")
            if case.name in RANDOM_CASES:
                draws = [session.run(None, feed)[0] for _ in range(RANDOM_RUNS)]
                probabilities = 1 - data.inputs[0] if case.name in FLIPPED_CASES else data.inputs[0]
                assert_bernoulli(probabilities, data.outputs[0], draws)
                continue
            for name, expected, got in zip(outputs, data.outputs, results, strict=True):
                assert_same(expected, got, case.rtol, case.atol, f"output '{name}'")
