"""Logging through Python's `logging` (logger `ort_core`), with ONNX Runtime's severities."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from ort_core.errors import RuntimeException

if TYPE_CHECKING:
    import logging

SEVERITIES = (10, 20, 30, 40, 50)
"""Python's levels (debug to critical) for ONNX Runtime's 0 (verbose) to 4 (fatal)."""


class _LazyLogger:
    """Stands for a logger until something is logged: importing `logging` is a good part of the start of a small process."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __getattr__(self, attribute: str) -> Any:
        import logging

        return getattr(logging.getLogger(self.name), attribute)


def logger_of(name: str) -> logging.Logger:
    """The logger of that name; what acts like it where nobody has imported `logging` yet."""
    if "logging" in sys.modules:
        import logging

        return logging.getLogger(name)
    return cast("logging.Logger", _LazyLogger(name))


def set_default_logger_severity(severity: int) -> None:
    """Sets the level of the logger `ort_core`: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal.

    Raises:
        RuntimeException: another number.
    """
    logger_of("ort_core").setLevel(level_of(severity))


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
    name = f"ort_core.session.{logid}" if logid else "ort_core.session"
    if severity < 0:
        return logger_of(name)
    import logging

    from ort_core.log_level import OwnLevel

    return OwnLevel(logging.getLogger(name), level_of(severity))
