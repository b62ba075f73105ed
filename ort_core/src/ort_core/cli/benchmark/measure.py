"""Measures engines in turn, so that a machine that slows down slows all of them."""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ort_core.cli.benchmark.agreement import Agreement, compare_outputs
from ort_core.cli.benchmark.engine import Engine, EngineSpec
from ort_core.cli.benchmark.profile import Profile, read_profile
from ort_core.cli.progress import clear_progress, show_progress
from ort_core.errors import Fail

_ROUNDS = 5
_PROFILED_RUNS = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to run: `runs` of each engine, or `seconds` if that is 0; `warmup` runs come after the first one."""

    runs: int
    seconds: float
    warmup: int
    profile: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of single runs."""

    runs: int
    median_s: float
    p90_s: float
    min_s: float
    mean_s: float
    runs_per_s: float


@dataclass(slots=True)
class Result:
    """What was measured of an engine.

    Attributes:
        error: why it could not be measured; empty if it could.
        relative: its time divided by that of the first engine: of the medians of each round, the median, the least, the most.
    """

    title: str
    package: str
    version: str = ""
    providers: tuple[str, ...] = ()
    error: str = ""
    import_s: float = 0.0
    create_s: float = 0.0
    first_run_s: float = 0.0
    timing: Timing | None = None
    peak_memory_bytes: int | None = None
    relative: tuple[float, float, float] | None = None
    agreement: Agreement | None = None
    profile: Profile | None = None


def measure(model: str, specs: Sequence[EngineSpec], feeds: Mapping[str, Any], plan: Plan) -> list[Result]:
    """Measures each engine on the same feeds; one that fails has an error in its result."""
    results = [Result(spec.title, spec.package) for spec in specs]
    with tempfile.TemporaryDirectory(prefix="ort-core-bench-") as folder, contextlib.ExitStack() as stack:
        stack.callback(clear_progress)
        feeds_file = os.path.join(folder, "feeds")
        with open(feeds_file, "wb") as file:
            pickle.dump(dict(feeds), file)
        engines: dict[int, Engine] = {}
        outputs: dict[int, dict[str, Any]] = {}
        for index, spec in enumerate(specs):
            show_progress(f"starting {spec.title}", index, len(specs))
            engine = stack.enter_context(Engine(spec))
            try:
                outputs[index] = _start(
                    engine, model, feeds_file, os.path.join(folder, f"outputs{index}"), results[index]
                )
                _warm_up(engine, plan)
            except Fail as error:
                results[index].error = str(error)
            else:
                engines[index] = engine
        _compare(results, outputs)
        _measure_rounds(engines, results, plan)
        if plan.profile:
            for index in engines:
                _profile(specs[index], model, feeds_file, folder, results[index])
    return results


def _start(engine: Engine, model: str, feeds: str, outputs: str, result: Result) -> dict[str, Any]:
    engine.create(model)
    result.title, result.version, result.providers = engine.title, engine.version, engine.providers
    result.import_s, result.create_s = engine.import_s, engine.create_s
    result.first_run_s = engine.ask("first", feeds=feeds, results=outputs)["seconds"]
    with open(outputs, "rb") as file:
        found: dict[str, Any] = pickle.load(file)
    return found


def _warm_up(engine: Engine, plan: Plan) -> None:
    if plan.warmup:
        engine.ask("repeat", runs=plan.warmup, seconds=0)


def _compare(results: Sequence[Result], outputs: Mapping[int, dict[str, Any]]) -> None:
    first = next(iter(outputs), None)
    for index, found in outputs.items():
        if first is not None and index != first:
            results[index].agreement = compare_outputs(outputs[first], found)


def _measure_rounds(engines: Mapping[int, Engine], results: Sequence[Result], plan: Plan) -> None:
    rounds = min(_ROUNDS, plan.runs) if plan.runs else _ROUNDS
    answers: dict[int, list[dict[str, Any]]] = {index: [] for index in engines}
    failed: set[int] = set()
    for number in range(rounds):
        show_progress("measuring round", number, rounds)
        runs = plan.runs * (number + 1) // rounds - plan.runs * number // rounds
        for index in sorted(engines, reverse=bool(number % 2)):
            try:
                if index not in failed:
                    answers[index].append(engines[index].ask("repeat", runs=runs, seconds=plan.seconds / rounds))
            except Fail as error:
                results[index].error = str(error)
                failed.add(index)
    reference: list[float] = []
    for index, engine in engines.items():
        if index in failed:
            continue
        medians = [statistics.median(answer["times"]) for answer in answers[index]]
        reference = reference or medians
        ratios = [mine / max(first, 1e-12) for mine, first in zip(medians, reference, strict=True)]
        results[index].relative = (statistics.median(ratios), min(ratios), max(ratios))
        results[index].timing = _timing(answers[index])
        results[index].peak_memory_bytes = engine.ask("peak_memory")["size_bytes"]


def _timing(answers: Sequence[Mapping[str, Any]]) -> Timing:
    times = sorted(t for answer in answers for t in answer["times"])
    runs = sum(len(answer["times"]) * answer["per_sample"] for answer in answers)
    seconds = sum(sum(answer["times"]) * answer["per_sample"] for answer in answers)
    return Timing(
        runs,
        statistics.median(times),
        times[math.ceil(0.9 * len(times)) - 1],
        times[0],
        seconds / runs,
        runs / seconds,
    )


def _profile(spec: EngineSpec, model: str, feeds: str, folder: str, result: Result) -> None:
    show_progress(f"profiling {spec.title}", 0, 0)
    with Engine(spec) as engine:
        try:
            engine.create(model, os.path.join(folder, "profile"))
            engine.ask("first", feeds=feeds, results=os.path.join(folder, "profiled"))
            typical = result.timing.median_s if result.timing is not None else 0.0
            runs = max(1, min(_PROFILED_RUNS, int(1 / max(typical, 1e-3))))
            engine.ask("repeat", runs=runs, seconds=0)
            result.profile = read_profile(engine.ask("end_profiling")["path"])
        except Fail as error:
            result.error = str(error)
