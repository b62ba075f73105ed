"""Comparison of results with what was expected: same structure, element types and shapes, values within a tolerance."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def assert_same(expected: Any, got: Any, rtol: float = 0, atol: float = 0, where: str = "result") -> None:
    """Checks a value: None, a list of values, or an array; only floats have a tolerance, NaN equals NaN.

    Raises:
        AssertionError: they differ; the message says where and by how much.
    """
    if expected is None or isinstance(expected, list):
        _assert_structure(expected, got, rtol, atol, where)
        return
    if not isinstance(got, np.ndarray):
        raise AssertionError(f"{where}: got {describe(got)}, expected {describe(expected)}")
    if (got.dtype, got.shape) != (expected.dtype, expected.shape):
        raise AssertionError(f"{where}: got {describe(got)}, expected {describe(expected)}")
    wrong = _wrong(expected, got, rtol, atol)
    if wrong.any():
        first = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise AssertionError(
            f"{where}: {int(wrong.sum())} of {wrong.size} values of {describe(expected)} differ; the first, at "
            f"{list(first)}, is {got[first]!s}, expected {expected[first]!s}{_tolerance(expected, rtol, atol)}"
        )


def assert_bernoulli(probabilities: np.ndarray, like: np.ndarray, draws: Sequence[np.ndarray]) -> None:
    """Checks draws of 0 and 1 of the type and shape of `like`: ones are as frequent as their probabilities say, to 6 sigma.

    Raises:
        AssertionError: they are not.
    """
    for draw in draws:
        if (draw.dtype, draw.shape) != (like.dtype, like.shape):
            raise AssertionError(f"got {describe(draw)}, expected {describe(like)}")
        if not np.isin(draw, [0, 1]).all():
            raise AssertionError("values other than 0 and 1 were drawn")
    p = probabilities.astype(np.float64)
    sigma = math.sqrt((p * (1 - p)).sum() * len(draws))
    ones, expected = sum(float(d.sum()) for d in draws), p.sum() * len(draws)
    if abs(ones - expected) > 6 * sigma:
        raise AssertionError(f"{ones:.0f} ones in {len(draws)} draws, expected {expected:.0f} with sigma {sigma:.1f}")
    if not any((a != b).any() for a, b in itertools.pairwise(draws)):
        raise AssertionError(f"{len(draws)} runs drew the same numbers")


def _assert_structure(expected: Any, got: Any, rtol: float, atol: float, where: str) -> None:
    if expected is None:
        if got is not None:
            raise AssertionError(f"{where}: got {describe(got)}, expected no value")
        return
    if not isinstance(got, list) or len(got) != len(expected):
        raise AssertionError(f"{where}: got {describe(got)}, expected {describe(expected)}")
    for index, (e, g) in enumerate(zip(expected, got, strict=True)):
        assert_same(e, g, rtol, atol, f"{where}[{index}]")


def _wrong(expected: np.ndarray, got: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    if expected.dtype.kind in "biuO":
        return np.asarray(got != expected)
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    return ~np.isclose(got.astype(wide), expected.astype(wide), rtol=rtol, atol=atol, equal_nan=True)


def _tolerance(expected: np.ndarray, rtol: float, atol: float) -> str:
    return "" if expected.dtype.kind in "biuO" else f" (rtol {rtol:g}, atol {atol:g})"


def describe(value: Any) -> str:
    """Element type and shape of an array, the length of a list, otherwise the type."""
    if isinstance(value, np.ndarray):
        return f"{'string' if value.dtype == object else value.dtype}{list(value.shape)}"
    return f"a list of {len(value)}" if isinstance(value, list) else type(value).__name__
