"""Statistics: medians with quartiles, ratios round by round, percentiles, and the difference of outputs."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with its quartiles."""

    median: float
    low: float
    high: float
    count: int

    @property
    def noise(self) -> float:
        """Half the distance of the quartiles, relative to the median."""
        return (self.high - self.low) / 2 / self.median if self.median else math.inf


def spread(values: Sequence[float]) -> Spread:
    """The median and quartiles of at least one value."""
    low, middle, high = (float(q) for q in np.quantile(np.asarray(values, np.float64), (0.25, 0.5, 0.75)))
    return Spread(middle, low, high, len(values))


def ratio_by_round(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """Our time over theirs in each round: what slows a whole round down cancels out."""
    return spread([a / b for a, b in zip(ours, theirs, strict=True)])


def fastest(medians: Mapping[str, float]) -> str | None:
    """The name with the least time; None of nothing."""
    return min(medians, key=medians.__getitem__, default=None)


def geometric_mean(values: Sequence[float]) -> float:
    """The mean of ratios."""
    return math.exp(statistics.fmean(map(math.log, values)))


def deviation(a: Any, b: Any) -> float:
    """The largest difference of two outputs relative to the range of the second; infinite where kinds or shapes differ.

    Without a range (a constant, a scalar) the difference is relative to the largest magnitude. For integers, truth values
    and texts it is the share of elements that differ.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping) and a.keys() == b.keys():
        return max((deviation(a[key], b[key]) for key in a), default=0.0)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple) and len(a) == len(b):
        return max((deviation(x, y) for x, y in zip(a, b, strict=True)), default=0.0)
    if isinstance(a, Mapping | list | tuple) or isinstance(b, Mapping | list | tuple):
        return math.inf
    x, y = np.asarray(a), np.asarray(b)
    if x.dtype != y.dtype or x.shape != y.shape:
        return math.inf
    if x.size == 0:
        return 0.0
    if x.dtype.kind in "biuOUST":
        return float(np.count_nonzero(x != y)) / x.size
    wide = np.complex128 if x.dtype.kind == "c" else np.float64
    x, y = x.astype(wide), y.astype(wide)
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    if not np.all(np.isfinite(x[~same])) or not np.all(np.isfinite(y[~same])):
        return math.inf
    difference = float(np.abs(x[~same] - y[~same]).max(initial=0.0))
    finite = np.abs(y[np.isfinite(y)]) if wide is np.complex128 else y[np.isfinite(y)].real
    extent = float(np.ptp(finite)) if finite.size else 0.0
    return difference / (extent or float(np.abs(finite).max(initial=0.0)) or 1.0)


def largest_deviation(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[float, str]:
    """Of two sets of outputs: the largest deviation, and the output that has it."""
    names = list(dict.fromkeys([*b, *a]))
    found = [(deviation(a[name], b[name]) if name in a and name in b else math.inf, name) for name in names]
    return max(found, default=(0.0, ""))
