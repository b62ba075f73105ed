"""The report of a run: counts for each operator, tests for each contract, and every failure with its reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ort_core.testing.conformance.results import OUTCOMES, Outcome, Result
from ort_core.testing.conformance.target import Target

FORMAT = 1
"""The version of the JSON form; it changes when a key is renamed or removed."""


@dataclass(frozen=True)
class Score:
    """The outcomes of some tests."""

    counts: Counter[Outcome]

    @classmethod
    def of(cls, results: Iterable[Result]) -> Score:
        """The score of these tests."""
        return cls(Counter(result.outcome for result in results))

    @property
    def total(self) -> int:
        """How many tests concern the provider."""
        return self.counts.total() - self.counts["skipped"]

    @property
    def wrong(self) -> int:
        """How many fail, expected or not."""
        return self.counts["failed"] + self.counts["ignored"]

    @property
    def share(self) -> float:
        """The part that passes, 1 if there is none."""
        return self.counts["passed"] / self.total if self.total else 1.0

    def as_dict(self) -> dict[str, int]:
        """The counts that are not 0."""
        return {outcome: self.counts[outcome] for outcome in OUTCOMES if self.counts[outcome]}


@dataclass(frozen=True)
class OperatorScore:
    """One operator.

    Attributes:
        areas: the results by the area of the kit: `onnx_cases`, `dtypes`, `opsets`, `properties`, `contracts`.
        claimed: whether the provider computed it itself in some test; otherwise what passes does so through the operator's
            function body, or because the core needs no provider for it.
    """

    name: str
    areas: dict[str, tuple[Result, ...]]
    claimed: bool

    @property
    def domain(self) -> str:
        """The operator's domain."""
        return self.name.partition("::")[0]

    @property
    def op_type(self) -> str:
        """The operator's name in its domain."""
        return self.name.partition("::")[2]

    @cached_property
    def score(self) -> Score:
        """Over all areas."""
        return Score.of(result for results in self.areas.values() for result in results)


class Report:
    """What the results say about a provider, in an order that depends on the results only."""

    def __init__(self, target: Target, results: Iterable[Result]) -> None:
        self.target = target
        self.results = sorted(results, key=lambda result: result.id)

    @property
    def totals(self) -> Counter[Outcome]:
        """How many tests had each outcome."""
        return Score.of(self.results).counts

    @cached_property
    def versions(self) -> dict[str, str]:
        """Distributions and their versions: ort-core, onnx, and the provider's."""
        import onnx

        from ort_core import __version__
        from ort_core.providers.discovery import provider_report

        found = {"ort-core": __version__, "onnx": onnx.__version__}
        for row in provider_report():
            if row.name == self.target.name and row.version:
                found.setdefault(row.distribution, row.version)
        return found

    @cached_property
    def operators(self) -> list[OperatorScore]:
        """By domain and name."""
        claimed = {name for result in self.results for name in result.claimed}
        groups = _grouped((result.operator, result) for result in self.results)
        found = [
            OperatorScore(name, _grouped((result.area, result) for result in group), name in claimed)
            for name, group in groups.items()
        ]
        return sorted(found, key=lambda operator: (operator.domain, operator.op_type))

    @cached_property
    def contracts(self) -> dict[str, tuple[Result, ...]]:
        """The tests of each contract."""
        return _grouped((result.contract, result) for result in self.results)

    @cached_property
    def others(self) -> dict[str, tuple[Result, ...]]:
        """The tests that are about neither an operator nor a contract, such as models of several nodes, by area."""
        rest = (result for result in self.results if not result.operator and not result.contract)
        return _grouped((result.area, result) for result in rest)

    def having(self, outcome: Outcome) -> list[Result]:
        """The tests with an outcome."""
        return [result for result in self.results if result.outcome == outcome]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, without anything that depends on the time or the machine."""
        return {
            "format": FORMAT,
            "provider": {"name": self.target.name, "options": {k: str(v) for k, v in self.target.options.items()}},
            "versions": self.versions,
            "totals": {outcome: self.totals[outcome] for outcome in OUTCOMES},
            "operators": {
                operator.name: {
                    "claimed": operator.claimed,
                    "areas": {area: Score.of(results).as_dict() for area, results in operator.areas.items()},
                }
                for operator in self.operators
            },
            "contracts": {
                name: [{"id": r.id, "title": r.title, "outcome": r.outcome} for r in results]
                for name, results in self.contracts.items()
            },
            "others": {area: Score.of(results).as_dict() for area, results in self.others.items()},
            "not_passed": [
                {"id": r.id, "operator": r.operator, "contract": r.contract, "outcome": r.outcome, "message": r.message}
                for r in self.results
                if r.outcome != "passed"
            ],
        }


def write_report(report: Report, path: Path) -> None:
    """Writes Markdown or, if that is the suffix, JSON."""
    from ort_core.testing.conformance.report_markdown import markdown

    text = json.dumps(report.as_dict(), indent=1) if path.suffix == ".json" else markdown(report)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text.rstrip()}\n", encoding="utf-8", newline="\n")


def _grouped(pairs: Iterable[tuple[str | None, Result]]) -> dict[str, tuple[Result, ...]]:
    groups: dict[str, list[Result]] = {}
    for key, result in pairs:
        if key is not None:
            groups.setdefault(key, []).append(result)
    return {key: tuple(groups[key]) for key in sorted(groups)}
