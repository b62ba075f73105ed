"""Measure how long a model takes.

Each engine is measured in a process of its own, in turns, on the same feeds; their outputs are compared first.

Inputs that no --input gives are random (seeded): floats are normal, small integers cover their range, other integers stay
below what they index, masks are 1. Free dimensions without --dim or --shape get a size that is printed. VALUE of --input is
what `ort-core run` takes; images are scaled to the input.

Examples:
  ort-core bench model.onnx
  ort-core bench model.onnx --dim batch=8 --dim seq=128 --threads 1
  ort-core bench model.onnx --provider CPUExecutionProvider --provider CUDAExecutionProvider
  ort-core bench model.onnx --compare onnxruntime --profile
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from ort_core.cli.session_args import add_session_arguments, parse_provider

if TYPE_CHECKING:
    from ort_core.cli.benchmark.engine import EngineSpec
    from ort_core.cli.benchmark.inputs import BenchInputs
    from ort_core.cli.benchmark.measure import Plan, Result

HELP = "measure how long a model takes, on one engine or several"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `ort-core bench`."""
    add_session_arguments(parser, several="repeat to compare several")
    parser.add_argument(
        "--compare",
        choices=("onnxruntime",),
        help="also measure this package, on the first provider if it has that, else on its CPU provider",
    )
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="intra_op_num_threads (default: chosen)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON on stdout")
    parser.add_argument(
        "--profile",
        type=int,
        nargs="?",
        const=10,
        default=0,
        metavar="N",
        help="also show the N operators and nodes that take longest (default: 10)",
    )
    feeds = parser.add_argument_group("inputs")
    feeds.add_argument("--input", action="append", default=[], metavar="NAME=VALUE", help="an input; may be repeated")
    feeds.add_argument(
        "--shape",
        action="append",
        default=[],
        metavar="NAME=1,3,224,224",
        help="the shape of a random input; may be repeated",
    )
    feeds.add_argument(
        "--dim", action="append", default=[], metavar="NAME=SIZE", help="the size of a named dimension; may be repeated"
    )
    feeds.add_argument("--seed", type=int, default=0, help="of the random values (default: %(default)s)")
    amount = parser.add_argument_group("how much to measure")
    amount.add_argument("--seconds", type=float, default=3, help="time for each engine (default: %(default)s)")
    amount.add_argument("--runs", type=int, default=0, help="runs of each engine, in place of a time")
    amount.add_argument(
        "--warmup", type=int, default=2, help="runs after the first one that are not counted (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Makes the feeds, measures, prints; 1 if an engine failed."""
    from ort_core.cli.benchmark.inputs import make_inputs
    from ort_core.cli.benchmark.measure import Plan, measure
    from ort_core.cli.benchmark.report import print_results
    from ort_core.cli.usage import UsageError

    if min(args.runs, args.warmup, args.threads, args.profile, args.seed) < 0 or not args.seconds > 0:
        raise UsageError(
            "--runs, --warmup, --threads, --seed and --profile take numbers from 0 on, --seconds more than 0."
        )
    engines = _engines(args)
    inputs = make_inputs(args.model, args.input, args.shape, args.dim, args.seed)
    plan = Plan(args.runs, args.seconds, args.warmup, bool(args.profile))
    if not args.json:
        _show_inputs(inputs)
    results = measure(args.model, engines, inputs.feeds, plan)
    if args.json:
        print(json.dumps(_document(args, inputs, plan, results), allow_nan=False))
    else:
        print_results(results, args.profile)
    return 1 if any(result.error for result in results) else 0


def _engines(args: argparse.Namespace) -> list[EngineSpec]:
    from ort_core.cli.benchmark.engine import EngineSpec

    chosen = [EngineSpec("ort_core", (parse_provider(text),), args.threads) for text in args.provider]
    specs = chosen or [EngineSpec("ort_core", (), args.threads)]
    if args.compare:
        specs.append(EngineSpec(args.compare, specs[0].providers, args.threads))
    return specs


def _show_inputs(inputs: BenchInputs) -> None:
    from ort_core.cli.outputs import describe_shape
    from ort_core.cli.tables import print_table

    rows = [
        (name, inputs.types[name], describe_shape(array), inputs.values[name]) for name, array in inputs.feeds.items()
    ]
    if rows:
        print_table(("input", "type", "shape", "values"), rows)
    if inputs.chosen:
        print(
            f"chosen: {', '.join(f'{name} = {size}' for name, size in inputs.chosen.items())} (--dim or --shape changes it)"
        )


def _document(args: argparse.Namespace, inputs: BenchInputs, plan: Plan, results: list[Result]) -> dict[str, Any]:
    from dataclasses import asdict

    from ort_core.cli.outputs import to_json

    entries = [
        {"name": name, "type": inputs.types[name], "shape": list(array.shape), "values": inputs.values[name]}
        for name, array in inputs.feeds.items()
    ]
    document = {
        "model": args.model,
        "threads": args.threads,
        "inputs": entries,
        "chosen_dimensions": inputs.chosen,
        "plan": asdict(plan),
        "engines": [asdict(result) for result in results],
    }
    return dict(to_json(document))
