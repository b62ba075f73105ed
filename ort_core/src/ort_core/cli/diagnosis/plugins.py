"""Checks of the installed plugins, each in a process of its own: one that crashes or hangs is a finding like any other."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Iterator
from typing import Any

from ort_core.cli.child import describe_exit, start_child, stop_child
from ort_core.cli.diagnosis.check import Check, Status
from ort_core.cli.usage import UsageError
from ort_core.providers import discovery
from ort_core.providers.entry_points import CUSTOM_OPS, HOOKS, PROVIDERS
from ort_core.providers.loading import ProviderReport
from ort_core.providers.names import did_you_mean

_STATUS: dict[str, Status] = {"available": "ok", "disabled": "note", "not installed": "note"}


def check_providers(only: Collection[str], timeout_s: float) -> Iterator[Check]:
    """Every provider that is installed or known: its state, what it finds, and whether a small model runs on it.

    Args:
        only: the names to check; all if there are none.
        timeout_s: how long one provider may take.

    Raises:
        UsageError: there is no provider of a name in `only`.
    """
    listed, failure = _ask(timeout_s)
    if failure is not None:
        yield Check("providers", "discovery", "broken", failure[0], "Uninstall the plugin that ends it.", failure[1])
    known = {r["installed"] if "installed" in r else r["report"]["name"] for r in listed if "step" not in r}
    for name in only:
        if name not in known:
            near = did_you_mean(name, known)
            raise UsageError(f"no provider is called {name!r}; known here: {', '.join(sorted(known))}.{near}")
    wanted = frozenset(only) or known
    for record in listed:
        if "installed" in record and record["installed"] in wanted:
            yield from _examine(record["installed"], record["distribution"], timeout_s)
        elif "report" in record and record["report"]["name"] in wanted:
            yield _state(ProviderReport(**record["report"]))


def check_extensions(timeout_s: float) -> Iterator[Check]:
    """Whether the packages with custom operators and with hooks can be imported."""
    for group, area in ((CUSTOM_OPS, "custom operators"), (HOOKS, "hooks")):
        for entry in discovery.entry_points(group):
            reason = discovery.disabled_reason(entry)
            name = f"{entry.name} ({entry})"
            if reason:
                yield Check(area, name, "note", reason)
                continue
            records, failure = _ask(timeout_s, group, entry.name, entry.distribution)
            problems = [r for r in records if "problem" in r]
            for record in problems:
                yield Check(area, name, "broken", record["problem"], record["remedy"], record["traceback"])
            if failure is not None:
                yield Check(area, name, "broken", failure[0], _reinstall(entry.distribution), failure[1])
            elif not problems:
                yield Check(area, name, "ok", "can be imported")


def _examine(name: str, distribution: str, timeout_s: float) -> Iterator[Check]:
    area = f"provider {name}"
    records, failure = _ask(timeout_s, PROVIDERS, name)
    for record in records:
        if "report" in record:
            yield _state(ProviderReport(**record["report"]))
        elif "finding" in record:
            title, ok, found, remedy = record["finding"]
            yield Check(area, title, "ok" if ok else "broken", found, "" if ok else remedy)
        elif "problem" in record:
            yield Check(area, record["check"], "broken", record["problem"], record["remedy"])
        elif "note" in record:
            yield Check(area, "test", "note", record["note"])
        elif "fine" in record:
            yield Check(area, "test", "ok", record["fine"])
    if failure is not None:
        yield Check(area, "process", "broken", failure[0], _reinstall(distribution), failure[1])


def _state(report: ProviderReport) -> Check:
    status = _STATUS.get(report.status, "broken")
    origin = f"{report.distribution} {report.version}".strip()
    detail = f"{report.status}: {report.reason}" if report.reason else report.status
    if origin and report.status != "not installed":
        detail += f" ({origin})"
    return Check(f"provider {report.name}", "state", status, detail, report.remedy, report.traceback)


def _ask(timeout_s: float, *arguments: str) -> tuple[list[dict[str, Any]], tuple[str, str] | None]:
    """What the child told, and how it failed (with what it wrote to stderr), if it did."""
    process = start_child("ort_core.cli.diagnosis.examine", *arguments, stderr=subprocess.PIPE)
    timed_out = False
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        timed_out = True
        stop_child(process)
        out, err = process.communicate()
    except BaseException:
        stop_child(process)
        raise
    records = [json.loads(line) for line in out.splitlines() if line.endswith("}")]
    step = next((r["step"] for r in reversed(records) if "step" in r), "starting")
    if not step:
        return records, None
    ending = f"was still at it after {timeout_s:g} s" if timed_out else describe_exit(process.returncode)
    return records, (f"its process {ending} while {step}", err)


def _reinstall(distribution: str) -> str:
    return f"pip install --upgrade --force-reinstall {distribution}, or report this to its authors"
