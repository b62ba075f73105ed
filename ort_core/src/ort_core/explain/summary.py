"""What a report says in short: shares of providers, reasons of declines by frequency, repeats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ort_core.explain.markup import format_bytes, percent, shorten
from ort_core.explain.report import CORE, NodePlacement, PlacementReport, TensorCopy


@dataclass(frozen=True, slots=True)
class Share:
    """A provider's part of the nodes. `kind` is its style: `p0`, `p1`, ..., `fallback` or `core`."""

    provider: str
    nodes: int
    kind: str
    status: str

    @property
    def is_bad(self) -> bool:
        """Whether the provider could not be used, or should not have been."""
        return self.kind == "fallback" or (self.kind != "core" and self.status != "ok")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a provider does not run some nodes (positions in the report)."""

    provider: str
    text: str
    nodes: tuple[int, ...]


def shares(report: PlacementReport) -> list[Share]:
    """Providers in order of priority, those that run nothing and those that could not start included."""
    counts = Counter(node.provider for node in report.nodes)
    names = dict.fromkeys([*report.providers, *report.provider_status, *sorted(counts, key=CORE.__eq__)])
    own = [name for name in names if name in report.providers or name in report.provider_status]
    kinds = {name: f"p{at % 6}" for at, name in enumerate(own)}
    return [
        Share(name, counts[name], kinds.get(name, "core" if name == CORE else "fallback"), _status(report, name))
        for name in names
    ]


def _status(report: PlacementReport, name: str) -> str:
    if name == CORE:
        return "control flow whose bodies no provider takes whole"
    return report.provider_status.get(name, "not listed; takes what nobody else does, slowly")


def reasons(report: PlacementReport) -> list[Reason]:
    """Why nodes are not on a provider that was asked before their own; most frequent first.

    Reasons that differ only in the names that they quote count as one.
    """
    found: dict[tuple[str, str], list[int]] = {}
    for index, node in enumerate(report.nodes):
        for provider, reason in node.declined.items():
            found.setdefault((provider, without_names(reason)), []).append(index)
    groups = []
    for (provider, pattern), nodes in found.items():
        texts = {report.nodes[n].declined[provider] for n in nodes}
        groups.append(Reason(provider, texts.pop() if len(texts) == 1 else pattern, tuple(nodes)))
    return sorted(groups, key=lambda group: -len(group.nodes))


def without_names(reason: str) -> str:
    """A reason with every quoted name replaced by an ellipsis."""
    return re.sub(r"'[^']*'", "'…'", reason)


def reasons_line(nodes: Iterable[NodePlacement]) -> str:
    """The most frequent reason among some nodes, and how many more there are."""
    counts = Counter((provider, reason) for node in nodes for provider, reason in node.declined.items())
    if not counts:
        return ""
    ((provider, reason), _), *others = counts.most_common()
    more = f" (+{len(others)} more reason{'s' if len(others) > 1 else ''})" if others else ""
    return f"not on {brief(provider)}: {reason}{more}"


def headline(report: PlacementReport) -> str:
    """A sentence that says where the model runs."""
    parts = [share for share in shares(report) if share.nodes]
    total = len(report.nodes)
    if not parts:
        return "The model has no nodes."
    if len(parts) == 1:
        return (
            f"The only node runs on {parts[0].provider}."
            if total == 1
            else f"All {total} nodes run on {parts[0].provider}."
        )
    return f"Of {total} nodes run " + ", ".join(
        f"{share.nodes} on {brief(share.provider)} ({percent(share.nodes, total)})" for share in parts
    ) + "."  # fmt: skip


def troubles(report: PlacementReport) -> list[str]:
    """Sentences on providers that could not be used, and on nodes that fell back."""
    fallen = [share for share in shares(report) if share.kind == "fallback"]
    lines = [f"{s.nodes} node{'' if s.nodes == 1 else 's'} fell back to {s.provider}, which is slow." for s in fallen]
    failed = [name for name, status in report.provider_status.items() if status != "ok"]
    return [*lines, f"{', '.join(failed)} could not be used."] if failed else lines


def copies_line(report: PlacementReport) -> str:
    """A sentence on the copies between devices; empty if there are none."""
    return f"Each run copies {describe_copies(report.copied)} between devices." if report.copied else ""


def routes(report: PlacementReport) -> list[str]:
    """`cpu:0 → cuda:0: 3 tensors, 12 KiB` for each pair of devices."""
    found: dict[str, list[TensorCopy]] = {}
    for copy in report.copied:
        found.setdefault(f"{copy.source} → {copy.target}", []).append(copy)
    return [f"{route}: {describe_copies(copies)}" for route, copies in found.items()]


def describe_copies(copies: Sequence[TensorCopy]) -> str:
    """`2 tensors, 12 KiB`; where some sizes are not fixed, `≥ 12 KiB`."""
    sizes = [copy.size_bytes for copy in copies if copy.size_bytes is not None]
    least = "≥ " if len(sizes) < len(copies) else ""
    count = f"{len(copies)} tensor{'' if len(copies) == 1 else 's'}"
    return f"{count}, {least}{format_bytes(sum(sizes))}" if sizes else count


def brief(provider: str) -> str:
    """`CPU` for `CPUExecutionProvider`."""
    return shorten(provider.removesuffix("ExecutionProvider") or provider, 40)
