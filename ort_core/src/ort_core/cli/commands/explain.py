"""Show which provider runs each part of a model, why others do not, and what is copied between devices.

--output draws it: .html is a page to open in a browser, .svg a picture, .json and .txt the full report.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ort_core.cli.session_args import add_session_arguments, open_session

if TYPE_CHECKING:
    from ort_core.explain.report import PlacementReport

HELP = "show where a model runs and why"

_MAX_ROWS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `ort-core explain`."""
    add_session_arguments(parser)
    parser.add_argument("--output", metavar="FILE", help="write FILE.html, FILE.svg, FILE.json or FILE.txt")
    parser.add_argument("--force", action="store_true", help="let --output overwrite a file")
    parser.add_argument("--nodes", action="store_true", help="list every node")
    parser.add_argument("--json", action="store_true", help="print the report as JSON on stdout")


def run(args: argparse.Namespace) -> int:
    """Creates a session, writes what is to be written, prints the summary or the JSON."""
    output = None if args.output is None else _check_output(Path(args.output), args.force)
    with open_session(args.model, args.provider) as session:
        report = session.explain()
    if output is not None:
        report.save(output, title=Path(args.model).name, overwrite=args.force)
    if args.json:
        print(report.to_json())
    else:
        _show(report, all_nodes=args.nodes)
        if output is not None:
            print(f"saved {output}")
    return 0


def _check_output(path: Path, force: bool) -> Path:
    """Refuses before the model is loaded what `save` would refuse afterwards."""
    from ort_core.cli.usage import UsageError
    from ort_core.errors import InvalidArgument
    from ort_core.explain.report import SUFFIXES

    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--output {path}: give a name that ends in {', '.join(SUFFIXES)}.")
    if path.exists() and not force:
        raise InvalidArgument(f"{path} exists already. Choose another --output or give --force.")
    return path


def _show(report: PlacementReport, *, all_nodes: bool) -> None:
    from ort_core.cli.tables import print_table, printable
    from ort_core.explain.markup import percent
    from ort_core.explain.summary import headline, reasons, routes, shares, troubles

    lines = [headline(report), *troubles(report)]
    print("\n".join(map(printable, lines)), end="\n\n")
    total = len(report.nodes)
    print_table(
        ("provider", "nodes", "share", "status"),
        [(s.provider, str(s.nodes), percent(s.nodes, total), s.status) for s in shares(report)],
    )
    if report.copied:
        print("\ncopies in each run")
        print("\n".join(f"  {printable(route)}" for route in routes(report)))
    found = reasons(report)
    if found:
        print()
        _print_some(("not on", "nodes", "because"), [(r.provider, str(len(r.nodes)), r.text) for r in found])
    print()
    if all_nodes:
        print_table(
            ("node", "operator", "provider", "partition", "declined by"),
            [
                (
                    f"{n.scope}{n.name}",
                    f"{n.domain}::{n.op_type}",
                    n.provider,
                    n.partition or "-",
                    "; ".join(f"{name}: {reason}" for name, reason in n.declined.items()) or "-",
                )
                for n in report.nodes
            ],
        )
    else:
        _print_some(
            ("partition", "provider", "device", "nodes"),
            [(p.name, p.provider, p.device, str(p.nodes)) for p in report.partitions],
        )


def _print_some(headers: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from ort_core.cli.tables import print_table

    print_table(headers, rows[:_MAX_ROWS])
    if len(rows) > _MAX_ROWS:
        print(f"... {len(rows) - _MAX_ROWS} more; --json or --output FILE.html shows all")
