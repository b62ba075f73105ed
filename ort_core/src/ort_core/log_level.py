"""Loggers with a level of a session's own."""

from __future__ import annotations

import logging


class OwnLevel(logging.Logger):
    """A logger that the logging module does not know of, so that it goes away with its session."""

    def __init__(self, parent: logging.Logger, level: int) -> None:
        super().__init__(parent.name, level)
        self.parent = parent

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - of the base class
        """Not cached as in the base class: nothing would clear the cache."""
        return level > self.manager.disable and level >= self.level
