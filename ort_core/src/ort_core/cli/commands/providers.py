"""List the execution providers that are installed or known, and why one cannot be used.

With -v, the traceback of each plugin that failed to import.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ort_core.providers.discovery import ProviderReport

HELP = "list execution providers and why one cannot be used"

_BROKEN = ("failed", "unavailable")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `ort-core providers`."""
    parser.add_argument("--failed", action="store_true", help="only those that are installed but cannot be used")
    parser.add_argument("--json", action="store_true", help="print the reports as JSON on stdout")


def run(args: argparse.Namespace) -> int:
    """Prints one row for each provider, then what is wrong with each that cannot be used."""
    from ort_core.providers.discovery import provider_report

    reports = [r for r in provider_report() if not args.failed or r.status in _BROKEN]
    if args.json:
        print(json.dumps({"providers": [asdict(report) for report in reports]}))
        return 0
    if not reports:
        print("no provider has failed" if args.failed else "no provider is installed")
        return 0
    _show(reports, args.verbose)
    return 0


def _show(reports: list[ProviderReport], verbose: bool) -> None:
    from ort_core.cli.tables import print_table, printable

    rows = [
        (
            r.name,
            f"{r.distribution} {r.version}".strip() or "-",
            "-" if r.priority is None else str(r.priority),
            "yes" if r.auto else "no",
            r.status,
        )
        for r in reports
    ]
    print_table(("provider", "distribution", "priority", "auto", "status"), rows)
    for report in reports:
        if report.reason or report.remedy:
            print(f"\n{printable(report.name)}: {report.reason or report.status}")
        if report.remedy:
            print(f"  {report.remedy}")
        if verbose and report.traceback:
            print("\n".join(f"  {line}" for line in report.traceback.rstrip().splitlines()))
