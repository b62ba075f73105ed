"""Devices: where a value lives."""

from __future__ import annotations

from typing import NamedTuple


class Device(NamedTuple):
    """A memory that values live in.

    Attributes:
        type: `cpu`, `cuda`, ... or a name that a plugin defines.
        id: the index among devices of this type.
        memory: `default`, or a special kind such as `pinned`.
    """

    type: str
    id: int = 0
    memory: str = "default"

    @property
    def is_host(self) -> bool:
        """Whether the host can read the memory directly."""
        return self.type == "cpu" or self.memory == "pinned"

    def __str__(self) -> str:
        return f"{self.type}:{self.id}" + ("" if self.memory == "default" else f"/{self.memory}")


HOST = Device("cpu")
