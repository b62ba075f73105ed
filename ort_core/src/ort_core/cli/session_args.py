"""Command-line arguments that choose execution providers, and the session made from them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ort_core.cli.usage import UsageError
from ort_core.errors import InvalidArgument

if TYPE_CHECKING:
    from ort_core import InferenceSession


def add_session_arguments(
    parser: argparse.ArgumentParser, *, several: str = "in order of preference; may be repeated"
) -> None:
    """Declares MODEL and `--provider`; `several` says what more than one provider means."""
    parser.add_argument("model", metavar="MODEL", help="path of an ONNX model")
    parser.add_argument(
        "--provider",
        action="append",
        default=[],
        metavar="NAME[:KEY=VALUE,...]",
        help=f"execution provider with its options, {several} "
        "(default: every installed provider that is chosen automatically)",
    )


def open_session(model: str, providers: Sequence[str]) -> InferenceSession:
    """A session over `model` with the given `--provider` texts; a long creation shows its progress on stderr."""
    import ort_core
    from ort_core.cli.progress import clear_progress, show_progress

    parsed = [parse_provider(text) for text in providers]
    options = ort_core.SessionOptions()
    options.load_progress = lambda progress: show_progress(*progress)
    try:
        return ort_core.InferenceSession(
            model,
            options,
            providers=[name for name, _ in parsed] or None,
            provider_options=[settings for _, settings in parsed] or None,
        )
    finally:
        clear_progress()


def parse_provider(text: str) -> tuple[str, dict[str, str]]:
    """Name and options of `NAME:key=value,key=value`.

    Raises:
        UsageError: there is no name, or an option has no key.
    """
    from ort_core.providers import arguments

    try:
        return arguments.parse_provider(text)
    except InvalidArgument as error:
        raise UsageError(f"--provider {error}") from error
