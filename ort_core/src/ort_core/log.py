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
    """Sets the detail of verbose messages; they are shown at severity 0 only. Python's logging has one verbose level, so
    any verbosity above zero also lets messages of that level through.
    """
    if verbosity > 0:
        root.setLevel(logging.DEBUG)


def level_of(severity: int) -> int:
    """The level of Python's `logging` for a severity.

    Raises:
        RuntimeException: the severity is not 0 to 4.
    """
    if not 0 <= severity < len(SEVERITIES):
        raise RuntimeException(f"Invalid logging severity {severity}. 0:Verbose, 1:Info, 2:Warning, 3:Error, 4:Fatal")
    return SEVERITIES[severity]


def session_logger(logid: str, severity: int) -> logging.Logger:
    """The logger of a session: a child of `ort_core`, with a level of its own if `severity` is not -1."""
    logger = root.getChild(f"session.{logid}") if logid else root.getChild("session")
    if severity >= 0:
        logger.setLevel(level_of(severity))
    return logger
