"""The results of a benchmark as text."""

from __future__ import annotations

from collections.abc import Sequence

from ort_core.cli.benchmark.measure import Result
from ort_core.cli.benchmark.profile import Cost, Profile
from ort_core.cli.tables import print_table, printable
from ort_core.cli.units import format_bytes, format_seconds

_LEAST_SHARE = 0.005


def print_results(results: Sequence[Result], top: int) -> None:
    """Prints one row for each engine, how they compare, and where the time goes."""
    print()
    done = [r for r in results if r.timing is not None]
    if done:
        print_table(
            ("engine", "median", "p90", "min", "runs/s", "runs", "start", "first run", "peak memory"),
            [_row(result) for result in done],
        )
    first = results[0].title
    for result in results[1:]:
        if result.relative is not None and results[0].timing is not None:
            ratio, low, high = result.relative
            print(
                f"\n{printable(result.title)} takes {ratio:.2f} times as long as {printable(first)} ({low:.2f} to {high:.2f})"
            )
        if result.agreement is not None:
            verdict = "agree" if result.agreement.agrees else "DO NOT AGREE"
            print(f"  outputs {verdict}: {printable(result.agreement.text)}")
    for result in results:
        if result.profile is not None:
            _print_profile(result.title, result.profile, top)
    for result in results:
        if result.error:
            print(f"\nfailed: {printable(result.error)}")


def _row(result: Result) -> tuple[str, ...]:
    timing, memory = result.timing, result.peak_memory_bytes
    if timing is None:
        return ()
    return (
        result.title,
        format_seconds(timing.median_s),
        format_seconds(timing.p90_s),
        format_seconds(timing.min_s),
        f"{timing.runs_per_s:,.1f}",
        f"{timing.runs:,}",
        format_seconds(result.import_s + result.create_s),
        format_seconds(result.first_run_s),
        "-" if memory is None else format_bytes(memory),
    )


def _print_profile(title: str, profile: Profile, top: int) -> None:
    print(f"\nwhere the time of {printable(title)} goes ({profile.runs} profiled runs)")
    operators = [c for c in profile.operators if c.share >= _LEAST_SHARE][:top]
    print_table(
        ("operator", "share", "time", "calls", "provider"),
        [(c.operator, *_cost(c), f"{c.calls:g}", c.provider) for c in operators],
    )
    print()
    print_table(
        ("node", "share", "time", "operator", "provider"),
        [(c.name, *_cost(c), c.operator, c.provider) for c in profile.nodes[:top]],
    )


def _cost(cost: Cost) -> tuple[str, str]:
    return f"{cost.share:.1%}", format_seconds(cost.seconds)
