"""Latency of small models: loops of many runs, single runs, and runs that follow a pause."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.compare.engines import load_engines
from benchmarks.compare.figures import spread
from benchmarks.compare.process import EngineSetup, Floor
from benchmarks.compare.results import EngineResult, Latency
from benchmarks.compare.subjects import Subject

_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


def measure_latency(
    floor: Floor, setups: Sequence[EngineSetup], subject: Subject, threads: int, rounds: int, seconds: float
) -> tuple[list[EngineResult], list[Latency]]:
    """Each engine for `seconds`, over all rounds, in each of the three ways."""
    loops: dict[str, list[float]] = {}
    single: dict[str, list[float]] = {}
    idle: dict[str, list[float]] = {}
    with load_engines(floor, setups, subject, threads) as engines:
        for number in range(rounds):
            for result, answer in engines.ask(number, "turn", seconds=seconds / rounds):
                loops.setdefault(result.name, []).extend(answer["samples"])
            for result, answer in engines.ask(number, "latency", seconds=seconds / rounds):
                single.setdefault(result.name, []).extend(answer["single"])
                idle.setdefault(result.name, []).extend(answer["idle"])
        found = [
            Latency(name, spread(loops[name]), _quantiles(single[name]), _quantiles(idle[name]))
            for name in engines.running
        ]
        return list(engines.results.values()), found


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    """Those that the number of values can tell."""
    return {text: float(np.quantile(values, q)) for text, q in _QUANTILES.items() if len(values) * (1 - q) >= 1}
