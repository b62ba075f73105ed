"""Has an options class that the core cannot fill."""

from dataclasses import dataclass

from ort_core.providers.spec import Plugin


@dataclass(frozen=True)
class Options:
    device: dict = None  # type: ignore[assignment]


class BadOptionsPlugin(Plugin):
    api = (1, 0)
    name = "BrokenExecutionProvider"
    options = Options


plugin = BadOptionsPlugin()
