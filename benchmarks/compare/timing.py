"""Time of runs in turns, agreement of outputs, and what a fresh process needs."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

from benchmarks.compare.engines import Engines, load_engines
from benchmarks.compare.figures import fastest, largest_deviation, ratio_by_round, spread
from benchmarks.compare.probes import read_probe, start_probes
from benchmarks.compare.process import EngineSetup, Floor, Task, WorkerError, start_engine
from benchmarks.compare.results import Case, EngineResult, Start
from benchmarks.compare.subjects import Subject

OURS = "ort_core"


def compare_outputs(engines: Engines) -> None:
    """Notes how far the outputs of the first runs are from each other."""
    for a, b in itertools.permutations(engines.outputs, 2):
        engines.results[a].deviation[b] = largest_deviation(engines.outputs[a], engines.outputs[b])


def check_case(floor: Floor, setups: Sequence[EngineSetup], subject: Subject, threads: int) -> Case:
    """One run of each engine, and the differences."""
    with load_engines(floor, setups, subject, threads) as engines:
        compare_outputs(engines)
        return Case(subject.name, threads, subject.shapes, list(engines.results.values()))


def time_case(
    floor: Floor,
    setups: Sequence[EngineSetup],
    subject: Subject,
    threads: int,
    rounds: int,
    seconds: float,
    starts: int,
) -> Case:
    """Times all engines on a model.

    Args:
        seconds: of each engine, over all `rounds`.
        starts: fresh processes of each engine; none for 0.
    """
    with load_engines(floor, setups, subject, threads) as engines, start_probes(floor, threads) as probe:
        compare_outputs(engines)
        case = Case(subject.name, threads, subject.shapes, list(engines.results.values()))
        for _ in engines.ask(0, "turn", seconds=seconds / rounds):
            pass
        case.probes.append(read_probe(probe))
        cpus: dict[str, list[float]] = {name: [] for name in engines.running}
        samples: dict[str, list[float]] = {name: [] for name in engines.running}
        for number in range(rounds):
            for result, answer in engines.ask(number, "turn", seconds=seconds / rounds):
                samples[result.name] += answer["samples"]
                result.rounds.append(statistics.median(answer["samples"]))
                result.runs += answer["runs"]
                cpus[result.name].append(answer["cpus"])
        case.probes.append(read_probe(probe))
        for name in engines.running:
            result = engines.results[name]
            result.time = spread(samples[name])
            result.cpus = statistics.fmean(cpus[name])
        task, names = engines.task, list(engines.running)
        for process in engines.running.values():
            process.close()
        engines.running.clear()
        _measure_starts(floor, [s for s in setups if s.name in names], task, case.engines, starts)
    _set_ratio(case)
    return case


def _set_ratio(case: Case) -> None:
    timed = {e.name: e for e in case.engines if e.time is not None and not e.error}
    peer = fastest({name: e.time.median for name, e in timed.items() if name != OURS and e.time is not None})
    if peer is not None:
        case.peer = peer
        if OURS in timed:
            case.ratio = ratio_by_round(timed[OURS].rounds, timed[peer].rounds)


def _measure_starts(
    floor: Floor, setups: Sequence[EngineSetup], task: Task, results: Sequence[EngineResult], count: int
) -> None:
    by_name = {result.name: result for result in results}
    found: dict[str, list[Start]] = {setup.name: [] for setup in setups}
    for _ in range(count):
        for setup in setups:
            try:
                found[setup.name].append(_measure_start(floor, setup, task))
            except WorkerError as error:
                by_name[setup.name].detail += f"; fresh process: {error}"
    for name, starts in found.items():
        if starts:
            by_name[name].start = _median_start(starts)


def _measure_start(floor: Floor, setup: EngineSetup, task: Task) -> Start:
    process, answer = start_engine(floor, setup, task)
    with process:
        import_s, create_s = answer["import_s"], answer["create_s"]
        first_s = process.ask("first", outputs="")["seconds"]
        peak = process.ask("memory")["peak_bytes"]
        return Start(import_s, create_s, first_s, import_s + create_s + first_s, peak)


def _median_start(starts: Sequence[Start]) -> Start:
    peaks = [start.peak_bytes for start in starts if start.peak_bytes is not None]
    return Start(
        statistics.median(start.import_s for start in starts),
        statistics.median(start.create_s for start in starts),
        statistics.median(start.first_s for start in starts),
        statistics.median(start.cold_s for start in starts),
        round(statistics.median(peaks)) if peaks else None,
    )
