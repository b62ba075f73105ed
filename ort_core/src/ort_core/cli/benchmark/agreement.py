"""Whether two engines computed the same: the largest difference of their outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_TOLERANCES = {8: 1e-6, 4: 1e-3, 2: 2e-2, 1: 0.2}
"""Allowed difference relative to the largest magnitude of the output, by bytes of an element."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the outputs of an engine compare with those of the first.

    Attributes:
        agrees: whether all are within the tolerance of their type.
        difference: the largest absolute difference of any output, infinite where types or shapes differ.
        output: whose difference that is.
        text: for people.
    """

    agrees: bool
    difference: float
    output: str
    text: str


def compare_outputs(expected: Mapping[str, Any], got: Mapping[str, Any]) -> Agreement:
    """Compares outputs by name."""
    worst = Agreement(True, 0.0, "", "equal")
    for name, value in expected.items():
        found = _compare(name, value, got.get(name))
        if (not found.agrees, found.difference) > (not worst.agrees, worst.difference):
            worst = found
    return worst


def _compare(name: str, expected: Any, got: Any) -> Agreement:
    if isinstance(expected, np.ndarray) and isinstance(got, np.ndarray):
        return _compare_arrays(name, expected, got)
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return compare_outputs(
            {f"{name}[{i}]": v for i, v in enumerate(expected)}, {f"{name}[{i}]": v for i, v in enumerate(got)}
        )
    if isinstance(expected, dict) and isinstance(got, dict) and expected.keys() == got.keys():
        return compare_outputs(
            {f"{name}[{k}]": v for k, v in expected.items()}, {f"{name}[{k}]": v for k, v in got.items()}
        )
    if isinstance(expected, int | float) and isinstance(got, int | float):
        return _compare_arrays(name, np.array(expected, np.float32), np.array(got, np.float32))
    if type(expected) is type(got) and (expected is None or isinstance(expected, str)) and expected == got:
        return Agreement(True, 0.0, name, "equal")
    return Agreement(False, np.inf, name, f"output {name} is {type(got).__name__}, expected {type(expected).__name__}")


def _compare_arrays(name: str, expected: np.ndarray, got: np.ndarray) -> Agreement:
    if expected.dtype != got.dtype or expected.shape != got.shape:
        text = f"output {name} is {got.dtype} {list(got.shape)}, expected {expected.dtype} {list(expected.shape)}"
        return Agreement(False, np.inf, name, text)
    if expected.dtype.kind in "OUSb":
        differ = int(np.count_nonzero(expected != got))
        text = f"{differ} of {expected.size} elements differ in {name}" if differ else "equal"
        return Agreement(not differ, float(bool(differ)), name, text)
    wide = np.complex128 if expected.dtype.kind == "c" else np.float64
    a, b = expected.astype(wide), got.astype(wide)
    with np.errstate(invalid="ignore"):
        difference = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    difference = np.where(np.isnan(difference), np.inf, difference)
    largest = float(difference.max(initial=0.0))
    finite = np.abs(a[np.isfinite(a)])
    allowed = 0.0
    if expected.dtype.kind not in "iu":
        size = expected.dtype.itemsize // (2 if expected.dtype.kind == "c" else 1)
        allowed = _TOLERANCES[size] * max(float(finite.max(initial=0.0)), 1e-3)
    count = int(np.count_nonzero(difference))
    text = f"largest difference {largest:.3g} in {name}, {count} of {expected.size} elements" if count else "equal"
    return Agreement(largest <= allowed, largest, name, text)
