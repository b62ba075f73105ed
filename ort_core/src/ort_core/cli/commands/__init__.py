"""The commands, one module each: adding a command is adding a module here.

A module `do_thing.py` is the command `do-thing`. It defines `HELP` (one line), `add_arguments(parser)` and
`run(args) -> int`; its docstring is the description shown by `--help`. Everything slow is imported inside `run`.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from typing import Protocol, cast


class Command(Protocol):
    """What a command module defines."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declares the arguments of the command."""

    def run(self, args: argparse.Namespace) -> int:
        """Runs the command and returns the exit code."""


def load_commands() -> dict[str, Command]:
    """The command modules of this package by command name, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return {name.replace("_", "-"): cast("Command", importlib.import_module(f"{__name__}.{name}")) for name in names}
