"""What became of one test of the kit, as the report needs it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Outcome: TypeAlias = Literal["passed", "failed", "ignored", "declined", "skipped"]
OUTCOMES: tuple[Outcome, ...] = ("passed", "failed", "ignored", "declined", "skipped")
"""`ignored` failed as the ignore file says; `skipped` does not concern the provider."""

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")
_FOLDER = re.compile(r"(?:[A-Za-z]:)?(?:[/\\][\w.+~-]+)+[/\\]")


@dataclass(frozen=True, slots=True)
class Result:
    """One test.

    Attributes:
        id: the module under `conformance`, the function and the parameters, as in an ignore file.
        title: the first line of its docstring.
        operator, contract: what its markers name.
        message: why it is not `passed`, in one line.
        claimed: the operators that the provider computed in it.
    """

    id: str
    title: str
    operator: str | None
    contract: str | None
    outcome: Outcome
    message: str = ""
    claimed: tuple[str, ...] = ()

    @property
    def area(self) -> str:
        """The name of its module without `test_`; `contracts` for those of all contracts but `properties`."""
        module = self.id.partition(".py::")[0].rpartition("/")[2].removeprefix("test_")
        return "contracts" if self.contract and module != "properties" else module

    @property
    def parameters(self) -> str:
        """What is in brackets at the end of its id."""
        return self.id.partition("[")[2].removesuffix("]")

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Result:
        """The inverse of `dataclasses.asdict`, also after a trip through JSON."""
        return cls(**{**data, "claimed": tuple(data["claimed"])})


def one_line(text: str, limit: int = 300) -> str:
    """A message on one line, without what differs from machine to machine."""
    line = " ".join(text.split())
    line = _FOLDER.sub("", _ADDRESS.sub("0x...", line))
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
