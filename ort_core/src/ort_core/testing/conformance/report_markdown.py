"""The report for people: what is wrong first, what is complete in one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from ort_core.testing.conformance.report import OperatorScore, Report, Score
from ort_core.testing.conformance.results import OUTCOMES, Result

DECLINED_TYPES = "declined types"
MAX_TYPES = 8
"""How many declined types of a type variable are listed."""

_LEGEND = (
    "*ignored* fails as its ignore file says, *declined* is left to other providers, *skipped* does not concern it. A test "
    "may be about an operator and a contract; it is in *all* once."
)
_WITHOUT = "What runs does so through the operator's function body, or because the core needs no provider for it."


def markdown(report: Report) -> str:
    """The report as Markdown."""
    sections = [
        _head(report),
        _listing("Failures", report.having("failed")),
        _listing("Known failures", report.having("ignored")),
        _contracts(report),
        *_operators(report),
    ]
    return "\n\n".join(filter(None, sections))


def _head(report: Report) -> str:
    options = ", ".join(f"{key}={value}" for key, value in report.target.options.items())
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    operators = Score.of(r for operator in report.operators for results in operator.areas.values() for r in results)
    rows = [
        ("operators", operators),
        *((f"other {area.replace('_', ' ')}", Score.of(results)) for area, results in report.others.items()),
        ("contracts", Score.of(r for results in report.contracts.values() for r in results)),
        ("all", Score.of(report.results)),
    ]
    return "\n\n".join(
        [
            f"# Conformance of {report.target.name}{f' ({options})' if options else ''}",
            versions,
            _table(("", *OUTCOMES), ((name, *(str(score.counts[o]) for o in OUTCOMES)) for name, score in rows)),
            _LEGEND,
        ]
    )


def _listing(title: str, results: Sequence[Result]) -> str:
    if not results:
        return ""
    return f"## {title}\n\n" + "\n".join(f"- `{r.id}`: {_escape(r.message)}" for r in results)


def _contracts(report: Report) -> str:
    parts = ["## Contracts"] if report.contracts else []
    for name, results in report.contracts.items():
        titles = sorted({_title(r) for r in results})
        tests = [[r for r in results if _title(r) == title] for title in titles]
        tests.sort(key=lambda same: -Score.of(same).wrong)
        parts.append("\n".join([f"### {name}: {_counts(results)}", "", *map(_contract_line, tests)]))
    return "\n\n".join(parts)


def _contract_line(same: Sequence[Result]) -> str:
    reasons = ", ".join(sorted({r.message for r in same if r.outcome == "skipped"}))
    return f"- {_escape(_title(same[0]))}: {_counts(same)}{f' ({_escape(reasons)})' if reasons else ''}"


def _counts(results: Sequence[Result]) -> str:
    counts = Score.of(results).as_dict()
    return next(iter(counts)) if len(results) == 1 else ", ".join(f"{n} {outcome}" for outcome, n in counts.items())


def _title(result: Result) -> str:
    return result.title.rstrip(".") or result.id


def _operators(report: Report) -> Iterable[str]:
    found = [operator for operator in report.operators if operator.score.total]
    if not found:
        return
    wrong = [o for o in found if o.score.wrong]
    right = [o for o in found if not o.score.wrong]
    own, others = [o for o in right if o.claimed], [o for o in right if not o.claimed]
    areas = sorted({area for operator in found for area in operator.areas})
    yield "## Operators"
    yield _scores("Failing", wrong, areas)
    yield _scores("Partly declined", [o for o in own if o.score.share < 1], areas)
    yield _names("Complete", [o for o in own if o.score.share == 1])
    yield _names("Complete without the provider", [o for o in others if o.score.share == 1], _WITHOUT)
    yield _names("Partly without the provider", [o for o in others if 0 < o.score.share < 1], _WITHOUT)
    yield _names("Declined", [o for o in others if o.score.share == 0])


def _scores(title: str, operators: Sequence[OperatorScore], areas: Sequence[str]) -> str:
    if not operators:
        return ""
    worst_first = sorted(operators, key=lambda o: (o.score.share, o.name))
    rows = (
        (
            o.name,
            f"{100 * o.score.share:.0f} %",
            *(_cell(Score.of(o.areas.get(area, ()))) for area in areas),
            _declined_types(o),
        )
        for o in worst_first
    )
    header = ("operator", "passed", *(area.replace("_", " ") for area in areas), DECLINED_TYPES)
    return f"### {title}: {len(operators)}\n\n{_table(header, rows)}"


def _cell(score: Score) -> str:
    if not score.total:
        return ""
    text = f"{score.counts['passed']} of {score.total}"
    return f"{text}, {score.wrong} wrong" if score.wrong else text


def _declined_types(operator: OperatorScore) -> str:
    """What the sweep over element types found declined, by type variable."""
    parameters = [r.parameters.split("-") for r in operator.areas.get("dtypes", ()) if r.outcome == "declined"]
    pairs = sorted((variable, name) for _, variable, name in parameters)
    by_variable = {
        variable: [name for _, name in group] for variable, group in groupby(pairs, key=lambda pair: pair[0])
    }
    return "; ".join(
        f"{variable}: {', '.join(names[:MAX_TYPES])}{', ...' if len(names) > MAX_TYPES else ''}"
        for variable, names in by_variable.items()
    )


def _names(title: str, operators: Sequence[OperatorScore], remark: str = "") -> str:
    if not operators:
        return ""
    lines = []
    for domain, group in groupby(operators, key=lambda o: o.domain):
        lines.append(f"- {domain}: " + ", ".join(o.op_type for o in group))
    return "\n\n".join(filter(None, [f"### {title}: {len(operators)}", remark, "\n".join(lines)]))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---", *("---" if name == DECLINED_TYPES else "---:" for name in header[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<").replace("*", "\\*").replace("_", "\\_")
