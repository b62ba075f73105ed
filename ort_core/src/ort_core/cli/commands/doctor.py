"""Examine this installation: packages, plugins, environment variables and the machine.

Each installed provider is imported, asked what it needs, and made to run a small model, in a process of its own with a
time limit. The exit code is 1 if something is broken. With -v, tracebacks and what crashed processes wrote.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ort_core.cli.diagnosis.check import Check

HELP = "examine this installation and say what is broken"

_MARKS = {"ok": "ok", "note": "--", "broken": "!!"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `ort-core doctor`."""
    parser.add_argument(
        "--provider", action="append", default=[], metavar="NAME", help="examine only this provider; may be repeated"
    )
    parser.add_argument(
        "--timeout", type=float, default=60, metavar="SECONDS", help="time for each plugin (default: %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print the checks as JSON on stdout")


def run(args: argparse.Namespace) -> int:
    """Prints what each check found, and a summary."""
    from dataclasses import asdict

    checks = _checks(args.provider, args.timeout)
    broken = [check for check in checks if check.status == "broken"]
    if args.json:
        print(json.dumps({"healthy": not broken, "checks": [asdict(check) for check in checks]}))
    else:
        _show(checks, args.verbose)
    return 1 if broken else 0


def _checks(providers: Sequence[str], timeout_s: float) -> list[Check]:
    from ort_core.cli.diagnosis.machine import check_machine
    from ort_core.cli.diagnosis.packages import check_packages
    from ort_core.cli.diagnosis.plugins import check_extensions, check_providers
    from ort_core.cli.diagnosis.variables import check_variables
    from ort_core.cli.usage import UsageError

    if not timeout_s > 0:
        raise UsageError(f"--timeout {timeout_s:g} is not a time. Give seconds.")
    if providers:
        return list(check_providers(providers, timeout_s))
    return [
        *check_packages(),
        *check_variables(),
        *check_machine(),
        *check_providers((), timeout_s),
        *check_extensions(timeout_s),
    ]


def _show(checks: Sequence[Check], verbose: bool) -> None:
    from ort_core.cli.tables import printable
    from ort_core.cli.units import format_count

    area = None
    width = min(max(len(check.name) for check in checks), 28)
    for check in checks:
        if check.area != area:
            print(f"{'' if area is None else chr(10)}{printable(check.area)}")
            area = check.area
        print(f"  {_MARKS[check.status]}  {printable(check.name):{width}}  {printable(check.detail)}".rstrip())
        if check.remedy:
            print(f"      -> {printable(check.remedy)}")
        if verbose and check.traceback:
            print("\n".join(f"      | {printable(line)}" for line in check.traceback.rstrip().splitlines()))
    broken = sum(check.status == "broken" for check in checks)
    print(f"\n{format_count(broken, 'thing is', 'things are')} broken" if broken else "\nnothing is broken")
