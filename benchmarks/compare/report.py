"""The results as tables for people."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

from benchmarks.compare.figures import Spread, geometric_mean
from benchmarks.compare.results import Callers, Case, EngineResult, Latency, Probe
from benchmarks.compare.timing import OURS
from ort_core.cli.tables import print_table, printable
from ort_core.cli.units import format_bytes, format_seconds

_NOISY = 0.1
_ROUNDING = 1e-5
_PLACES = re.compile(r"Exception from \S+:\d+:|Check '.*?' failed at \S+:\d+:")
_LONGEST_ERROR = 400


def print_case(case: Case) -> None:
    """One model: a row for each engine, then the ratio."""
    print(f"\n{case.model}, {threads_text(case.threads)}: {printable(case.shapes)}")
    rows = [_engine_row(engine, engine.time) for engine in case.engines if engine.time is not None]
    if rows:
        headers = ("engine", "median", "quartiles", "runs", "cpus", "import", "load", "first run", "cold start", "peak")
        print_table(headers, rows)
    if case.ratio is not None:
        print(f"{OURS} / {case.peer}: {format_ratio(case.ratio)}")
    _print_doubts(case)
    _print_deviations(case.engines)
    if case.probes:
        print(f"machine meanwhile: {_probes(case.probes)}")
    print_engines(case.engines)


def _print_doubts(case: Case) -> None:
    """What speaks against the figures."""
    timed = [(engine.time.noise, engine.cpus) for engine in case.engines if engine.time is not None]
    noise = max((noise for noise, _ in timed), default=0.0)
    if noise > _NOISY:
        print(f"NOISY: quartiles up to +-{noise:.0%} from the median")
    least = min((cpus for _, cpus in timed), default=1.0)
    if least < 1 - _NOISY:
        print(f"DISTURBED: {1 - least:.0%} of the time of an engine went to other processes, or it waited")


def format_ratio(ratio: Spread) -> str:
    """`0.84 (0.82 to 0.87)`: the median and quartiles."""
    return f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def print_engines(engines: Sequence[EngineResult]) -> None:
    """What each ran on, or why it failed."""
    for engine in engines:
        if engine.detail:
            print(f"  {engine.name} {engine.version}: {printable(engine.detail)}")
        if engine.error:
            print(f"  FAILED {short_error(engine.error)}")


def short_error(text: str) -> str:
    """One line, without the places in OpenVINO's sources."""
    telling = _PLACES.sub(" ", text)
    return printable(" ".join(telling.split()))[:_LONGEST_ERROR]


def print_check(case: Case) -> None:
    """The differences of outputs alone."""
    print(f"\n{case.model}, {threads_text(case.threads)}: {printable(case.shapes)}")
    _print_deviations(case.engines)
    print_engines(case.engines)


def print_summary(cases: Sequence[Case], before: Mapping[tuple[str, int], float]) -> None:
    """A row for each case, and the geometric mean of the ratios.

    Args:
        before: time ratios of an earlier measurement, by model and threads.
    """
    rows = []
    for case in cases:
        ours, peer = case.engine(OURS), case.engine(case.peer)
        times = [_median(case.engine(name)) for name in (OURS, "onnxruntime", "openvino")]
        ratio = format_ratio(case.ratio) if case.ratio is not None else "-"
        earlier = before.get((case.model, case.threads))
        old = [] if not before else ["-" if earlier is None else f"{earlier:.2f}"]
        rest = (*_start_ratios(ours, peer), _own_deviation(ours))
        rows.append((case.model, str(case.threads), *times, ratio, *old, *rest))
    print(f"\nratios: {OURS} over the faster peer, below 1 is better; median of rounds and quartiles")
    names = ("model", "threads", OURS, "onnxruntime", "openvino", "time ratio")
    print_table((*names, *(["before"] if before else []), "load", "cold", "memory", "deviation"), rows)
    for threads in sorted({case.threads for case in cases}):
        ratios = [c.ratio.median for c in cases if c.ratio is not None and c.threads == threads]
        if len(ratios) > 1:
            print(f"geometric mean of {len(ratios)} models, {threads_text(threads)}: {geometric_mean(ratios):.2f}")


def print_latency(subject: str, threads: int, engines: Sequence[EngineResult], found: Sequence[Latency]) -> None:
    """One table for a model."""
    print(f"\n{subject}, {threads_text(threads)}: time of one run")
    texts = ("p50", "p90", "p99", "p99.9")
    rows = []
    for result in found:
        single = [_quantile(result.single, text) for text in texts]
        idle = [_quantile(result.idle, text) for text in texts[:2]]
        rows.append((result.name, format_seconds(result.loop.median), _quartiles(result.loop), *single, *idle))
    if rows:
        print_table(("engine", "in a loop", "quartiles", *texts, "p50 after 10 ms idle", "p90"), rows)
    loops = {result.name: result.loop.median for result in found}
    peers = [seconds for name, seconds in loops.items() if name != OURS]
    if OURS in loops and peers:
        print(f"{OURS} / faster peer, in a loop: {loops[OURS] / min(peers):.2f}")
    print_engines(engines)


def print_callers(subject: str, threads: int, engines: Sequence[EngineResult], found: Sequence[Callers]) -> None:
    """One table for a model."""
    print(f"\n{subject}, {threads_text(threads)}: threads that share a session")
    rows = [
        (str(c.callers), c.name, f"{c.runs_per_s:,.1f}", format_seconds(c.p50_s), format_seconds(c.p99_s))
        for c in found
    ]
    if rows:
        print_table(("callers", "engine", "runs/s", "p50", "p99"), rows)
    print_engines(engines)


def _engine_row(engine: EngineResult, time: Spread) -> tuple[str, ...]:
    row = (engine.name, format_seconds(time.median), _quartiles(time), f"{engine.runs:,}", f"{engine.cpus:.2f}")
    start = engine.start
    if start is None:
        return (*row, "-", "-", "-", "-", "-")
    peak = "-" if start.peak_bytes is None else format_bytes(start.peak_bytes)
    return (*row, *map(format_seconds, (start.import_s, start.create_s, start.first_s, start.cold_s)), peak)


def _print_deviations(engines: Sequence[EngineResult]) -> None:
    texts = []
    among_peers = 0.0
    for a, b in itertools.combinations(engines, 2):
        if b.name in a.deviation:
            value, output = a.deviation[b.name]
            texts.append(f"{a.name} - {b.name} {value:.1e}" + (f" ({printable(output)})" if value else ""))
            if OURS not in (a.name, b.name):
                among_peers = max(among_peers, value)
    if texts:
        print(f"largest deviation, relative to the range of the output: {'; '.join(texts)}")
    ours = next((e for e in engines if e.name == OURS), None)
    if ours is not None and ours.deviation:
        nearest = min(value for value, _ in ours.deviation.values())
        if nearest > max(_ROUNDING, 2 * among_peers):
            print(f"CHECK: {OURS} is {nearest:.1e} away from the nearest peer, more than rounding explains")


def _own_deviation(ours: EngineResult | None) -> str:
    """From the nearest peer: two peers may differ more from each other than ours from one of them."""
    values = [value for value, _ in ours.deviation.values()] if ours is not None else []
    return f"{min(values):.0e}" if values else "-"


def _start_ratios(ours: EngineResult | None, peer: EngineResult | None) -> tuple[str, str, str]:
    if ours is None or peer is None or ours.start is None or peer.start is None:
        return ("-", "-", "-")
    a, b = ours.start, peer.start
    memory = f"{a.peak_bytes / b.peak_bytes:.2f}" if a.peak_bytes and b.peak_bytes else "-"
    return (f"{a.create_s / b.create_s:.2f}", f"{a.cold_s / b.cold_s:.2f}", memory)


def _probes(probes: Sequence[Probe]) -> str:
    fma = ", ".join(f"{p.gflops:.0f}" for p in probes)
    memory = ", ".join(f"{p.gbytes_per_s:.1f}" for p in probes)
    return f"{fma} GFLOP/s, {memory} GB/s before and after ({probes[0].method})"


def _quantile(values: dict[str, float], text: str) -> str:
    return format_seconds(values[text]) if text in values else "-"


def _quartiles(values: Spread) -> str:
    return f"{format_seconds(values.low)} - {format_seconds(values.high)}"


def _median(engine: EngineResult | None) -> str:
    if engine is None:
        return "-"
    return "failed" if engine.error else "-" if engine.time is None else format_seconds(engine.time.median)


def threads_text(count: int) -> str:
    """`1 thread`, `2 threads`."""
    return "1 thread" if count == 1 else f"{count} threads"
