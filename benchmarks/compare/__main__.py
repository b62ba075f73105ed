"""Compares ort_core with onnxruntime and OpenVINO: same model, threads and inputs, each in its process, in turns.

Models are names of benchmarks/graphs (default: all) or paths. Figures are medians with quartiles.

  python -m benchmarks.compare resnet50 bert_base --threads 1,2
  python -m benchmarks.compare model.onnx --dim seq=64 --json out.json --plot out.png
  python -m benchmarks.compare --profile resnet50 --threads 1
  python -m benchmarks.compare mlp_tiny --latency
  python -m benchmarks.compare mobilenet_v2 --callers 1,2,4,8
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import io
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.compare import report
from benchmarks.compare.callers import measure_callers
from benchmarks.compare.latency import measure_latency
from benchmarks.compare.machine import describe_machine, usable_cores
from benchmarks.compare.process import EngineSetup, Floor
from benchmarks.compare.profiles import profile_nodes
from benchmarks.compare.report_profile import print_profile
from benchmarks.compare.results import Case
from benchmarks.compare.subjects import Subject, find_subject, named_dimensions, parse_sizes
from benchmarks.compare.timing import OURS, check_case, time_case
from benchmarks.models import NAMES
from ort_core.errors import OrtError

_ENGINES = (OURS, "onnxruntime", "openvino")
_FOLDER = Path(tempfile.gettempdir()) / "ort-core-benchmarks"


def main(arguments: list[str] | None = None) -> int:
    """1 if ort_core failed on a model, 2 if the command line is wrong."""
    args = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    try:
        args.sizes = parse_sizes(args.dim)
        args.ratios_before = _read_ratios(args.before) if args.before else {}
        names = [args.profile] if args.profile else args.models or list(NAMES)
        unknown = args.sizes.keys() - {dim for name in names for dim in _dimensions(name)}
        if unknown:
            raise ValueError(f"no chosen model has a dimension named {', '.join(sorted(unknown))}.")
        machine = describe_machine()
        print(f"{machine['processor']}, {machine['cores']} cores, load {machine['load']}, Python {machine['python']}")
        documents: list[dict[str, Any]] = []
        for document in _measure(args, names):
            documents.append(document)
            if args.json:
                text = json.dumps(_finite({"machine": machine, "results": documents}), indent=1, allow_nan=False)
                Path(args.json).write_text(text, encoding="utf-8")
    except (ValueError, OrtError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    engines = [engine for document in documents for engine in document["engines"]]
    return int(any(engine["name"] == OURS and engine["error"] for engine in engines))


def _measure(args: argparse.Namespace, names: list[str]) -> Iterator[dict[str, Any]]:
    """Measures model by model, prints, and yields plain data."""
    setups = [EngineSetup(name, tuple(args.provider) if name == OURS else ()) for name in args.engines]
    floor, cases = Floor(), []
    for name in names:
        subject = find_subject(name, args.folder, args.batch, args.sizes, static=args.static)
        for threads in args.threads:
            if args.profile or args.latency or args.callers:
                yield from _look_closer(args, floor, setups, subject, threads)
            elif args.check:
                case = check_case(floor, setups, subject, threads)
                report.print_check(case)
                yield dataclasses.asdict(case)
            else:
                case = time_case(floor, setups, subject, threads, args.repeat, args.seconds, args.starts)
                report.print_case(case)
                cases.append(case)
                yield dataclasses.asdict(case)
    _summarize(args, cases)


def _look_closer(
    args: argparse.Namespace, floor: Floor, setups: list[EngineSetup], subject: Subject, threads: int
) -> Iterator[dict[str, Any]]:
    about = {"model": subject.name, "threads": threads, "shapes": subject.shapes}
    if args.profile:
        engines, model, rows = profile_nodes(floor, setups, subject, threads, args.runs)
        print(f"\n{subject.name}, {report.threads_text(threads)}: {subject.shapes}")
        print_profile(engines, model, rows, args.top)
        yield {**about, "engines": _plain(engines), "nodes": {name: _plain(found) for name, found in rows.items()}}
    elif args.latency:
        engines, found = measure_latency(floor, setups, subject, threads, args.repeat, args.seconds)
        report.print_latency(subject.name, threads, engines, found)
        yield {**about, "engines": _plain(engines), "latency": _plain(found)}
    else:
        engines, calls = measure_callers(floor, setups, subject, threads, args.callers, args.repeat, args.seconds)
        report.print_callers(subject.name, threads, engines, calls)
        yield {**about, "engines": _plain(engines), "callers": _plain(calls)}


def _summarize(args: argparse.Namespace, cases: list[Case]) -> None:
    if cases:
        report.print_summary(cases, args.ratios_before)
    if args.plot and cases:
        from benchmarks.compare.plot import plot_ratios

        plot_ratios(cases, args.plot)


def _read_ratios(path: str) -> dict[tuple[str, int], float]:
    """The time ratios of a file of `--json`, by model and threads."""
    try:
        results = json.loads(Path(path).read_text(encoding="utf-8"))["results"]
        return {(r["model"], r["threads"]): r["ratio"]["median"] for r in results if r["ratio"] is not None}
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"--before {path} is no file that --json has written for times: {error!r}.") from error


def _dimensions(name: str) -> set[str]:
    if name not in NAMES and not Path(name).is_file():
        raise ValueError(f"no model {name!r}: give the path of a file, or one of {', '.join(NAMES)}.")
    return named_dimensions(name)


def _plain(items: Any) -> list[Any]:
    return [dataclasses.asdict(item) for item in items]


def _finite(data: Any) -> Any:
    """Infinite figures as text, which JSON lacks."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return str(data) if isinstance(data, float) and not math.isfinite(data) else data


def _counts(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers from 1 on, such as 1,2")
    return [int(part) for part in parts]


def _count(text: str, least: int = 1) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} on")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def _engines(text: str) -> list[str]:
    names = [OURS if part == "ours" else part for part in text.split(",")]
    for name in names:
        if name not in _ENGINES:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(_ENGINES)}")
    return list(dict.fromkeys(names))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"a path, or one of {', '.join(NAMES)}")
    parser.add_argument("--engines", type=_engines, default=list(_ENGINES), metavar="A,B", help=", ".join(_ENGINES))
    parser.add_argument(
        "--provider", action="append", default=[], help="of ort_core; may be repeated (default: automatic)"
    )
    cores = sorted({1, usable_cores()})
    parser.add_argument("--threads", type=_counts, default=cores, metavar="N,M", help=f"(default: {cores})")
    parser.add_argument("--folder", default=_FOLDER, help="where filled models are kept (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write the results")
    parser.add_argument("--before", metavar="FILE", help="results of --json to show the ratios of beside the new ones")
    parser.add_argument("--plot", metavar="FILE", help="draw the ratios (needs matplotlib)")
    inputs = parser.add_argument_group("inputs")
    inputs.add_argument("--batch", type=_count, default=1, help="size of the batch dimension (default: %(default)s)")
    inputs.add_argument("--dim", action="append", default=[], metavar="NAME=SIZE", help="of a free dimension")
    inputs.add_argument("--static", action="store_true", help="fix the free dimensions in the model, for all engines")
    amount = parser.add_argument_group("how much")
    amount.add_argument("--repeat", type=_count, default=10, help="turns of each engine (default: %(default)s)")
    amount.add_argument(
        "--seconds", type=_positive, default=2.0, help="of each engine in all its turns (default: %(default)s)"
    )
    amount.add_argument(
        "--starts",
        type=functools.partial(_count, least=0),
        default=3,
        help="fresh processes of each engine (default: %(default)s)",
    )
    kinds = parser.add_argument_group("instead of times, loads and memory").add_mutually_exclusive_group()
    kinds.add_argument("--check", action="store_true", help="only compare outputs")
    kinds.add_argument(
        "--profile", metavar="MODEL", help="where the time of one model goes, beside the peers' own profiles"
    )
    kinds.add_argument("--latency", action="store_true", help="quantiles of single runs, for small models")
    kinds.add_argument("--callers", type=_counts, metavar="1,2,4,8", help="threads that share one session")
    profile = parser.add_argument_group("profile")
    profile.add_argument("--runs", type=_count, default=20, help="profiled runs (default: %(default)s)")
    profile.add_argument("--top", type=_count, default=20, help="rows of each table (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
