"""Where the time of a run goes: the trace of a profiled session, summed by node and by operator."""

from __future__ import annotations

import json
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_SUFFIX = "_kernel_time"
_LABEL = re.compile(r"node '(.*)' \(.*\)")
"""A node as the core's messages name it, which engines that compile whole partitions use for their events."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Time that a node, or all nodes of an operator, take in one run.

    Attributes:
        share: of the time of all nodes.
        calls: in one run.
    """

    name: str
    operator: str
    provider: str
    seconds: float
    share: float
    calls: float


@dataclass(frozen=True, slots=True)
class Profile:
    """The costs, the largest first; without nodes where the provider tells only of whole partitions."""

    runs: int
    nodes: tuple[Cost, ...]
    operators: tuple[Cost, ...]


def read_profile(path: str) -> Profile:
    """Sums up the runs after the first of a trace file."""
    with open(path, encoding="utf-8") as file:
        events: list[dict[str, Any]] = json.load(file)
    runs = sorted((e for e in events if e["name"] == "model_run"), key=lambda e: e["ts"])
    begin = runs[0]["ts"] + runs[0]["dur"] if len(runs) > 1 else 0
    counted = max(len(runs) - 1, 1)
    late = [e for e in events if e["ts"] >= begin]
    nodes = [e for e in late if e["cat"] == "Node" and _node_name(e["name"]) is not None]
    costs = _costs(nodes or [e for e in late if e["cat"] == "partition"], counted)
    return Profile(counted, costs, _by_operator(costs))


def _node_name(event: str) -> str | None:
    """The name of the node whose time an event tells; None for other events."""
    if event.endswith(_SUFFIX):
        return event.removesuffix(_SUFFIX)
    label = _LABEL.fullmatch(event)
    return None if label is None else label[1]


def _costs(events: list[dict[str, Any]], runs: int) -> tuple[Cost, ...]:
    """Each node by the median of its calls, which a pause of the machine does not disturb."""
    durations: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for event in events:
        arguments = event["args"]
        name = _node_name(event["name"]) or event["name"]
        durations[name, arguments.get("op_name", ""), arguments.get("provider", "")].append(event["dur"] / 1e6)
    calls = {who: len(times) / runs for who, times in durations.items()}
    seconds = {who: statistics.median(times) * calls[who] for who, times in durations.items()}
    total = sum(seconds.values()) or 1.0
    return _sorted(Cost(*who, took, took / total, calls[who]) for who, took in seconds.items())


def _by_operator(nodes: Iterable[Cost]) -> tuple[Cost, ...]:
    groups: dict[tuple[str, str], list[Cost]] = defaultdict(list)
    for cost in nodes:
        groups[cost.operator or cost.name, cost.provider].append(cost)
    return _sorted(
        Cost("", *who, sum(c.seconds for c in group), sum(c.share for c in group), sum(c.calls for c in group))
        for who, group in groups.items()
    )


def _sorted(costs: Iterable[Cost]) -> tuple[Cost, ...]:
    return tuple(sorted(costs, key=lambda cost: -cost.seconds))
