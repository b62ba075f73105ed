"""The error for a command line that argparse accepts but the model or the command does not."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from ort_core.errors import InvalidArgument


class UsageError(InvalidArgument):
    """A wrong command line: exit code 2."""


def unknown_name(kind: str, name: str, known: Collection[str]) -> UsageError:
    """The error for a name that the model lacks, with the nearest ones it has."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return UsageError(f"the model has no {kind} {name!r}; it has {', '.join(map(repr, known)) or 'none'}.{hint}")
