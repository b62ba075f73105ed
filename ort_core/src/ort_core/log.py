"""Logging through Python's `logging` (logger `ort_core`), with ONNX Runtime's severities."""

from __future__ import annotations

import logging

from ort_core.errors import RuntimeException

root = logging.getLogger("ort_core")

SEVERITIES = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
"""Python's levels for ONNX Runtime's 0 (verbose) to 4 (fatal)."""


def set_default_logger_severity(severity: int) -> None:
    """Sets the level of the logger `ort_core`: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal.

    Raises:
        RuntimeException: another number.
    """
    root.setLevel(level_of(severity))


def set_default_logger_verbosity(verbosity: int) -> None:
    """Accepted and without effect: Python's logging has one verbose level, which severity 0 shows.

    Raises:
        TypeError: not an integer.
    """
    if not hasattr(verbosity, "__index__"):
        raise TypeError(f"the verbosity takes an int, got {type(verbosity).__name__} {verbosity!r}")


def level_of(severity: int) -> int:
    """The level of Python's `logging` for a severity.

    Raises:
        TypeError: not an integer.
        RuntimeException: the severity is not 0 to 4.
    """
    if not hasattr(severity, "__index__"):
        raise TypeError(f"the severity takes an int, got {type(severity).__name__} {severity!r}")
    if not 0 <= severity < len(SEVERITIES):
        raise RuntimeException(f"Invalid logging severity {severity}. 0:Verbose, 1:Info, 2:Warning, 3:Error, 4:Fatal")
    return SEVERITIES[severity]


def session_logger(logid: str, severity: int) -> logging.Logger:
    """The logger of a session: `ort_core.session` or `ort_core.session.<logid>`; with a level of the session's own, a logger
    below it, so that it changes nothing for other sessions.
    """
    logger = root.getChild(f"session.{logid}") if logid else root.getChild("session")
    return logger if severity < 0 else _OwnLevel(logger, level_of(severity))


class _OwnLevel(logging.Logger):
    """A logger that the logging module does not know of, so that it goes away with its session."""

    def __init__(self, parent: logging.Logger, level: int) -> None:
        super().__init__(parent.name, level)
        self.parent = parent

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - of the base class
        """Not cached as in the base class: nothing would clear the cache."""
        return level > self.manager.disable and level >= self.level
