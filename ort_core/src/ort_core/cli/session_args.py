"""Command-line arguments that choose execution providers, and the session made from them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ort_core.cli.usage import UsageError

if TYPE_CHECKING:
    from ort_core import InferenceSession


def add_session_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares MODEL and `--provider`."""
    parser.add_argument("model", metavar="MODEL", help="path of an ONNX model")
    parser.add_argument(
        "--provider",
        action="append",
        default=[],
        metavar="NAME[:KEY=VALUE,...]",
        help="execution provider with its options, in order of preference; may be repeated "
        "(default: every installed provider that is chosen automatically)",
    )


def open_session(model: str, providers: Sequence[str]) -> InferenceSession:
    """A session over `model` with the given `--provider` texts."""
    import ort_core

    if not providers:
        return ort_core.InferenceSession(model)
    parsed = [parse_provider(text) for text in providers]
    return ort_core.InferenceSession(
        model, providers=[name for name, _ in parsed], provider_options=[options for _, options in parsed]
    )


def parse_provider(text: str) -> tuple[str, dict[str, str]]:
    """Name and options of `NAME:key=value,key=value`; a piece without `=` continues the value before it.

    Raises:
        UsageError: there is no name, or an option has no key.
    """
    name, _, rest = text.partition(":")
    if not name:
        raise UsageError(f"--provider {text!r} has no name. Write NAME or NAME:key=value,key=value.")
    options: dict[str, str] = {}
    last = ""
    for piece in rest.split(",") if rest else []:
        key, equals, value = piece.partition("=")
        if equals and key and key not in options:
            options[key], last = value, key
        elif not equals and last:
            options[last] += f",{piece}"
        else:
            problem = "appears twice" if key in options else "is not key=value"
            raise UsageError(f"--provider {text!r}: option {piece!r} {problem}. Write NAME:key=value,key=value.")
    return name, options
