"""Throughput and latency when several Python threads share one session."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.compare.engines import load_engines
from benchmarks.compare.process import EngineSetup, Floor
from benchmarks.compare.results import Callers, EngineResult
from benchmarks.compare.subjects import Subject


def measure_callers(
    floor: Floor,
    setups: Sequence[EngineSetup],
    subject: Subject,
    threads: int,
    counts: Sequence[int],
    rounds: int,
    seconds: float,
) -> tuple[list[EngineResult], list[Callers]]:
    """Each engine with each number of callers for `seconds`, over all rounds."""
    found = []
    with load_engines(floor, setups, subject, threads) as engines:
        for count in counts:
            answers: dict[str, list[dict[str, float]]] = {}
            for number in range(rounds):
                for result, answer in engines.ask(number, "callers", count=count, seconds=seconds / rounds):
                    answers.setdefault(result.name, []).append(answer)
            for name, each in answers.items():
                rate, p50, p99 = (statistics.median(a[key] for a in each) for key in ("runs_per_s", "p50_s", "p99_s"))
                found.append(Callers(name, count, rate, p50, p99))
        return list(engines.results.values()), found
