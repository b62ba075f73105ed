"""Ignore files: the tests that a provider is known to fail, each with the reason; an entry that passes is a failure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from ort_core.errors import InvalidArgument, NoSuchFile


def read_ignore_file(path: Path) -> dict[str, str]:
    """Pattern to reason. Each line is `PATTERN  # reason`; lines that are only a comment are for readers.

    A pattern is the id of a test as the report prints it, in which `*` stands for any characters.

    Raises:
        NoSuchFile: there is no such file.
        InvalidArgument: a line has no reason, or repeats a pattern.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise NoSuchFile(f"cannot read the ignore file {path}: {error.strerror}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        pattern, *rest = re.split(r"(?:^|\s+)#\s*", line.strip(), maxsplit=1)
        if not pattern:
            continue
        if not rest or not rest[0]:
            raise InvalidArgument(f"{path}:{number}: {pattern!r} has no reason. Write PATTERN  # reason.")
        if pattern in found:
            raise InvalidArgument(f"{path}:{number}: {pattern!r} is there twice. Remove one of the lines.")
        found[pattern] = rest[0]
    return found


def match_ignored(patterns: Mapping[str, str], ids: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """The reason for each id that a pattern matches, and the patterns that match none."""
    reasons: dict[str, str] = {}
    unknown = []
    known = set(ids)
    for pattern, reason in patterns.items():
        if "*" in pattern:
            expression = re.compile(".*".join(map(re.escape, pattern.split("*"))))
            matching = [name for name in ids if expression.fullmatch(name)]
        else:
            matching = [pattern] if pattern in known else []
        reasons.update(dict.fromkeys(matching, reason))
        if not matching:
            unknown.append(pattern)
    return reasons, unknown
