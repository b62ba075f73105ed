"""The result of one check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Status: TypeAlias = Literal["ok", "note", "broken"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and what was found.

    Attributes:
        area: the heading it belongs under.
        status: `note` is worth knowing, `broken` keeps something from working.
        detail: what was found.
        remedy: what to do if it is not ok.
        traceback: of a plugin's exception, if there was one.
    """

    area: str
    name: str
    status: Status
    detail: str = ""
    remedy: str = ""
    traceback: str = ""
