"""Where the time goes on each engine, side by side: operator families, places in the model, single nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.compare.align import ModelNodes, totals
from benchmarks.compare.report import print_engines
from benchmarks.compare.results import EngineResult, NodeCost
from benchmarks.compare.timing import OURS
from ort_core.cli.tables import print_table
from ort_core.cli.units import format_seconds

_LEAST_SHARE = 0.002

Rows = Mapping[str, Sequence[NodeCost]]


def print_profile(engines: Sequence[EngineResult], model: ModelNodes, rows: Rows, top: int) -> None:
    """Three tables, in each of which what costs us most over the best peer comes first."""
    names = list(rows)
    print("\ntime of all nodes: " + ", ".join(f"{n} {format_seconds(sum(c.seconds for c in rows[n]))}" for n in names))
    _print_groups("operator", names, rows, lambda row: row.family, top)
    _print_groups("place", names, rows, model.place, top)
    _print_nodes(names, rows, top)
    print_engines(engines)


def _print_groups(title: str, names: Sequence[str], rows: Rows, key: Callable[[NodeCost], str], top: int) -> None:
    sums = {name: totals(rows[name], key) for name in names}
    keys = {group for found in sums.values() for group in found}
    whole = max((sum(seconds for seconds, _ in found.values()) for found in sums.values()), default=0.0)
    lines = []
    for group in keys:
        seconds = {name: sums[name][group][0] for name in names if group in sums[name]}
        if max(seconds.values()) >= whole * _LEAST_SHARE:
            cells = [_group_cell(sums[name].get(group)) for name in names]
            lines.append((_rank(seconds, names), (group, *cells, *_comparison(seconds))))
    print()
    _print_sorted((title, *names, "ratio", "lost"), lines, top)


def _print_nodes(names: Sequence[str], rows: Rows, top: int) -> None:
    """Nodes that at least two engines have kept; others are in the tables of operators and places."""
    sums = {name: totals([r for r in rows[name] if r.anchor], lambda row: (row.anchor, row.family)) for name in names}
    lines = []
    for anchor, operator in {key for found in sums.values() for key in found}:
        seconds = {name: sums[name][anchor, operator][0] for name in names if (anchor, operator) in sums[name]}
        if len(seconds) > 1:
            cells = [format_seconds(seconds[name]) if name in seconds else "-" for name in names]
            lines.append((_rank(seconds, names), (anchor, operator, *cells, *_comparison(seconds))))
    if lines:
        print()
        _print_sorted(("node", "operator", *names, "ratio", "lost"), lines, top)


def _print_sorted(headers: Sequence[str], lines: list[tuple[float, tuple[str, ...]]], top: int) -> None:
    lines.sort(key=lambda line: (-line[0], line[1]))
    print_table(headers, [cells for _, cells in lines[:top]])
    if len(lines) > top:
        print(f"... and {len(lines) - top} more (--top)")


def _best_peer(seconds: Mapping[str, float]) -> float | None:
    return min((value for name, value in seconds.items() if name != OURS), default=None)


def _rank(seconds: Mapping[str, float], names: Sequence[str]) -> float:
    """What ours lose there; without ours, the time of the slowest."""
    return seconds.get(OURS, 0.0) - (_best_peer(seconds) or 0.0) if OURS in names else max(seconds.values())


def _comparison(seconds: Mapping[str, float]) -> tuple[str, str]:
    if OURS not in seconds:
        return "-", "-"
    best = _best_peer(seconds)
    lost = seconds[OURS] - (best or 0.0)
    ratio = f"{seconds[OURS] / best:.2f}" if best else "-"
    return ratio, ("-" if lost < 0 else "") + format_seconds(abs(lost))


def _group_cell(found: tuple[float, int] | None) -> str:
    return "-" if found is None else f"{format_seconds(found[0])} ({found[1]})"
