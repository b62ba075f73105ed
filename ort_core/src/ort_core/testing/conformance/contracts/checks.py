"""Comparing results with what was expected, and arrays with what they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ort_core.testing.conformance.compare import assert_same

TOLERANCES = {"float64": 1e-9, "float32": 1e-4, "float16": 5e-3, "bfloat16": 5e-2}
"""Relative to the largest number of a result, by dtype; other types are exact."""


def check_results(got: Sequence[Any], want: Sequence[np.ndarray], *, exact: bool = False) -> None:
    """Compares dtypes, shapes and numbers.

    Raises:
        AssertionError: naming the result and the difference.
    """
    if len(got) != len(want):
        raise AssertionError(f"got {len(got)} results, expected {len(want)}")
    for index, (have, expected) in enumerate(zip(got, want, strict=True)):
        tolerance = 0.0 if exact else TOLERANCES.get(expected.dtype.name, 0.0)
        assert_same(expected, have, tolerance, tolerance * _largest(expected) if tolerance else 0.0, f"result {index}")


def _largest(array: np.ndarray) -> float:
    """The largest finite magnitude, at least 1."""
    wide = np.abs(array.astype(np.float64))
    return float(np.max(wide, initial=1.0, where=np.isfinite(wide)))


def bits(array: np.ndarray) -> Any:
    """The contents as something that compares bit by bit."""
    return array.tolist() if array.dtype.kind == "O" else array.tobytes()


class Unchanged:
    """Remembers the contents of arrays, by name."""

    def __init__(self, arrays: Mapping[str, np.ndarray], what: str) -> None:
        self._arrays = dict(arrays)
        self._contents = {name: bits(array) for name, array in arrays.items()}
        self._what = what

    def check(self, when: str) -> None:
        """Compares.

        Raises:
            AssertionError: naming the array that changed.
        """
        for name, array in self._arrays.items():
            if bits(array) != self._contents[name]:
                raise AssertionError(f"{self._what} '{name}' was changed by {when}")


def unchanged_results(results: Sequence[np.ndarray]) -> Unchanged:
    """Remembers results, by number."""
    return Unchanged({str(index): result for index, result in enumerate(results)}, "result")
