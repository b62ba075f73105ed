"""The `ort-core` command line: parses arguments, runs one command, turns errors into messages and exit codes."""

from __future__ import annotations

import argparse
import io
import os
import sys
import traceback
import warnings
from collections.abc import Sequence

from ort_core import __version__
from ort_core.cli.commands import load_commands
from ort_core.cli.tables import printable
from ort_core.cli.usage import UsageError
from ort_core.errors import OrtError


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"ort-core {__version__}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line, one subparser for each module in `ort_core.cli.commands`."""
    parser = argparse.ArgumentParser(prog="ort-core", description="Run and inspect ONNX models with ort-core.")
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in load_commands().items():
        subparser = subparsers.add_parser(
            name, help=command.HELP, description=command.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        command.add_arguments(subparser)
        subparser.add_argument(
            "-v", "--verbose", action="store_true", default=argparse.SUPPRESS, help="show the traceback of an error"
        )
        subparser.set_defaults(run_command=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv` (by default, that of the process) and returns the exit code.

    0 is success, 1 a failure that was explained on stderr, 2 a wrong command line, 130 an interruption.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    try:
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: _complain(args.command, f"warning: {message}")
            code: int = args.run_command(args)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OrtError, OSError) as error:
        if args.verbose:
            traceback.print_exc()
        kind = "" if isinstance(error, UsageError) else f"{type(error).__name__}: "
        _complain(args.command, f"{kind}{error}")
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        return 130
    return code


def _complain(command: str, message: str) -> None:
    lines = f"ort-core {command}: {message}".split("\n")
    print("\n".join(map(printable, lines)), file=sys.stderr)
