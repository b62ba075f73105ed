"""Run a model once and show its outputs.

VALUE of --input NAME=VALUE is one of:
  file.npy          an array
  file.npz          the array called NAME, or the only one; without NAME=, every array feeds the input of its name
  file.png          an image (.png, .jpg, .jpeg, .bmp): grey or RGB as the input has 1 or 3 channels; layout from the
                    input's shape; 0 to 1 for floating-point inputs, 0 to 255 for uint8; batch dimension added;
                    repeat --input NAME=... to make a batch
  [[1, 2], [3, 4]]  a JSON literal: numbers, booleans or strings
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

from ort_core.cli.session_args import add_session_arguments, open_session

HELP = "run a model once and show its outputs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `ort-core run`."""
    add_session_arguments(parser)
    parser.add_argument("--input", action="append", default=[], metavar="NAME=VALUE", help="an input; may be repeated")
    parser.add_argument(
        "--output", action="append", default=[], metavar="NAME", help="only this output; may be repeated"
    )
    parser.add_argument(
        "--save", metavar="PATH", help="write the outputs to PATH.npz, or one .npy each into folder PATH"
    )
    parser.add_argument("--force", action="store_true", help="let --save overwrite files")
    parser.add_argument("--json", action="store_true", help="print the outputs as JSON on stdout")
    images = parser.add_argument_group("image inputs")
    images.add_argument(
        "--layout", type=str.upper, help="NCHW, NHWC, CHW, HWC, NHW or HW, where the shape does not tell"
    )
    images.add_argument("--resize", action="store_true", help="scale images to the input's height and width")
    images.add_argument("--mean", type=_numbers, default=(), metavar="M,...", help="subtract, after scaling to 0..1")
    images.add_argument("--std", type=_numbers, default=(), metavar="S,...", help="then divide by")


def run(args: argparse.Namespace) -> int:
    """Runs the model, saves what is to be saved, prints the outputs."""
    from ort_core.cli.feeds import build_feeds
    from ort_core.cli.images import LAYOUTS, ImageOptions
    from ort_core.cli.save import plan_files, save_outputs
    from ort_core.cli.usage import UsageError, unknown_name

    if args.layout not in (None, *LAYOUTS):
        raise UsageError(f"--layout {args.layout} is none of {', '.join(LAYOUTS)}.")
    if 0 in args.std:
        raise UsageError("--std must not be 0.")
    session = open_session(args.model, args.provider)
    types = {output.name: output.type for output in session.get_outputs()}
    for name in args.output:
        if name not in types:
            raise unknown_name("output", name, types)
    names = list(dict.fromkeys(args.output)) or list(types)
    feeds = build_feeds(
        args.input,
        session.get_inputs(),
        session.get_overridable_initializers(),
        ImageOptions(args.layout, args.resize, args.mean, args.std),
        args.model,
    )
    paths = plan_files(args.save, names, args.force) if args.save else {}
    outputs = dict(zip(names, session.run(names, feeds), strict=True))
    if args.save:
        save_outputs(paths, outputs, args.force)
    saved = [str(path) for path in dict.fromkeys(paths.values())]
    if args.json:
        print(json.dumps(_document(args.model, session.get_providers(), types, outputs, saved), allow_nan=False))
    else:
        _show(types, outputs, session.get_providers(), saved)
    return 0


def _document(
    model: str, providers: list[str], types: dict[str, str], outputs: dict[str, Any], saved: list[str]
) -> dict[str, Any]:
    from ort_core.cli.outputs import to_json

    entries = [
        {"name": name, "type": types[name], "shape": _shape(value), "values": to_json(value)}
        for name, value in outputs.items()
    ]
    return {"model": model, "providers": providers, "outputs": entries, "saved": saved}


def _shape(value: Any) -> list[int] | None:
    shape = getattr(value, "shape", None)
    return None if shape is None else [int(dim) for dim in shape]


def _show(types: dict[str, str], outputs: dict[str, Any], providers: list[str], saved: list[str]) -> None:
    from ort_core.cli.outputs import describe_shape, describe_values
    from ort_core.cli.tables import print_table, printable

    rows = [(name, types[name], describe_shape(value), describe_values(value)) for name, value in outputs.items()]
    print_table(("output", "type", "shape", "values"), rows)
    print(f"providers: {', '.join(providers)}")
    for path in saved:
        print(f"saved {printable(path)}")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 0.485,0.456,0.406")
    return numbers
