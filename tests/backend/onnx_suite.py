"""Runs ONNX's test cases on any provider: `onnx_suite(provider, ignore_file)` is the whole of a provider's test module."""

import copy
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_cases import Case, load_cases

import ort_core

RANDOM_CASES = frozenset(
    f"test_bernoulli{seed}{body}" for seed in ("", "_double", "_seed") for body in ("", "_expanded")
)
"""Their outputs are random: shape, type and rate are compared instead."""

FLIPPED_CASES = frozenset(name for name in RANDOM_CASES if name.endswith("_expanded"))
"""ONNX's body of Bernoulli draws ones with probability 1 - x."""

RANDOM_RUNS = 300


def onnx_suite(
    provider: str, ignored: Mapping[str, str], *, select: Callable[[Case], bool] | None = None
) -> Callable[..., None]:
    """A test function over every case that `select` takes; those in `ignored` (name to reason) must fail.

    A node that the provider does not take is an error: nothing runs on another provider.
    """
    cases = {name: case for name, case in load_cases().items() if select is None or select(case)}
    unknown = sorted(set(ignored) - set(cases))
    assert not unknown, f"the ignore list of {provider} names cases that do not exist: {unknown}"
    marks = {name: pytest.mark.xfail(reason=reason, strict=True) for name, reason in ignored.items()}
    parameters = [pytest.param(c, id=c.name, marks=[marks[c.name]] if c.name in marks else []) for c in cases.values()]

    @pytest.mark.parametrize("case", parameters)
    def test_onnx_case(case: Case) -> None:
        run_case(case, provider)

    return test_onnx_case


def read_ignored(path: Path) -> dict[str, str]:
    """Case name to reason. Each line is `name  # reason`; a line that is only a comment is for readers."""
    ignored = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, reason = (part.strip() for part in line.partition("#"))
        if name:
            assert reason, f"{path.name} ignores {name} without a reason"
            assert name not in ignored, f"{path.name} names {name} twice"
            ignored[name] = reason
    return ignored


def run_case(case: Case, provider: str) -> None:
    """Creates a session for the case, runs it on each data set and compares; inputs must be left as they were."""
    options = ort_core.SessionOptions()
    others = "reference_fallback" if provider == "CPUExecutionProvider" else "cpu_ep_fallback"
    options.add_session_config_entry(f"session.disable_{others}", "1")
    session = ort_core.InferenceSession(case.model, options, providers=[provider])
    names = [i.name for i in session.get_inputs()]
    for data in case.data:
        feed = dict(zip(names, copy.deepcopy(data.inputs), strict=True))
        results = session.run(None, feed)
        for before, after in zip(data.inputs, feed.values(), strict=True):
            assert_same(before, after)
        assert len(results) == len(data.outputs)
        if case.name in RANDOM_CASES:
            more = [session.run(None, feed)[0] for _ in range(RANDOM_RUNS)]
            probabilities = 1 - data.inputs[0] if case.name in FLIPPED_CASES else data.inputs[0]
            assert_bernoulli(probabilities, data.outputs[0], more)
            continue
        for expected, got in zip(data.outputs, results, strict=True):
            assert_same(expected, got, case.rtol, case.atol)


def assert_same(expected: Any, got: Any, rtol: float = 0, atol: float = 0) -> None:
    """Same structure, element types and shapes; floats within the tolerance, everything else equal."""
    if expected is None:
        assert got is None
    elif isinstance(expected, list):
        assert isinstance(got, list)
        assert len(got) == len(expected)
        for e, g in zip(expected, got, strict=True):
            assert_same(e, g, rtol, atol)
    else:
        assert isinstance(got, np.ndarray)
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
        if expected.dtype.kind in "biuO":
            assert np.array_equal(got, expected), f"expected {expected}, got {got}"
        else:
            np.testing.assert_allclose(got.astype(np.float64), expected.astype(np.float64), rtol=rtol, atol=atol)


def assert_bernoulli(probabilities: np.ndarray, like: np.ndarray, draws: Sequence[np.ndarray]) -> None:
    """Draws of 0 and 1 of the type and shape of `like`; ones are as frequent as their probabilities say (6 sigma)."""
    for draw in draws:
        assert (draw.dtype, draw.shape) == (like.dtype, like.shape)
        assert np.isin(draw, [0, 1]).all()
    p = probabilities.astype(np.float64)
    sigma = math.sqrt((p * (1 - p)).sum() * len(draws))
    assert abs(sum(float(d.sum()) for d in draws) - p.sum() * len(draws)) <= 6 * sigma
    assert any((a != b).any() for a, b in itertools.pairwise(draws)), "every run draws the same numbers"
