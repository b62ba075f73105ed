"""Requirements of installed distributions: what `Requires-Dist` says, against what is installed."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from ort_core.cli.diagnosis.check import Check, Status
from ort_core.providers.names import normalize_distribution

_REQUIREMENT = re.compile(r"\s*(?P<name>[\w.-]+)\s*(?:\[[^]]*\])?\s*\(?(?P<versions>[^;)]*)\)?\s*(?:;(?P<marker>.*))?")
_CLAUSE = re.compile(r"\s*(?P<operator>~=|==|!=|<=|>=|<|>)\s*(?P<version>[\w.*+!-]+)\s*")
_RELEASE = re.compile(r"\d+(?:\.\d+)*")


class Requirement(NamedTuple):
    """A distribution and the versions that will do; empty for any."""

    name: str
    versions: str


def requirements_of(distribution: importlib.metadata.Distribution) -> Iterator[Requirement]:
    """What it needs in any case; what depends on an extra or on the platform is left out."""
    for text in distribution.requires or ():
        match = _REQUIREMENT.match(text)
        if match is not None and not match["marker"]:
            yield Requirement(match["name"], match["versions"].strip())


def check_requirement(requirement: Requirement, owner: str) -> Check:
    """Whether a requirement of the distribution `owner` is met."""
    name, versions = requirement
    needs = f"needed by {owner}" + (f": {versions}" if versions else "")
    remedy = f'pip install "{name}{versions}"'
    try:
        have = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Check("packages", name, "broken", f"not installed, {needs}", remedy)
    except Exception as error:
        detail = f"its metadata is damaged ({type(error).__name__}: {error}), {needs}"
        return Check("packages", name, "broken", detail, f'pip install --force-reinstall "{name}{versions}"')
    status: Status = "ok" if satisfies(have, versions) else "broken"
    return Check("packages", name, status, f"{have}, {needs}", "" if status == "ok" else remedy)


def satisfies(version: str, versions: str) -> bool:
    """Whether a version fits a list of clauses such as `>=1.23,<2`; by the numbers of the release alone."""
    have = release_of(version)
    for clause in filter(None, versions.split(",")):
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            continue
        wanted = release_of(match["version"])
        if match["version"].endswith(".*"):
            same = have[: len(wanted)] == wanted
            if same != (match["operator"] == "=="):
                return False
        elif match["operator"] == "~=":
            if have < wanted or have[: len(wanted) - 1] != wanted[:-1]:
                return False
        elif not _COMPARE[match["operator"]](*_padded(have, wanted)):
            return False
    return True


def release_of(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: (2, 1, 0) of `2.1.0rc1`."""
    match = _RELEASE.match(version)
    return tuple(map(int, match[0].split("."))) if match is not None else ()


def find_distribution(name: str) -> importlib.metadata.Distribution | None:
    """The installed distribution of a name, or None."""
    wanted = normalize_distribution(name)
    try:
        return importlib.metadata.distribution(wanted)
    except importlib.metadata.PackageNotFoundError:
        return None


_COMPARE: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}


def _padded(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    width = max(len(a), len(b))
    return a + (0,) * (width - len(a)), b + (0,) * (width - len(b))
