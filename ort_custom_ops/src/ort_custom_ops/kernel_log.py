"""What kernels of libraries log, through Python's `logging` (logger `ort_core.custom_ops`)."""

from __future__ import annotations

import functools

from ort_core.log import SEVERITIES, logger_of
from ort_custom_ops import _native

NAME = "ort_core.custom_ops"


@functools.cache
def connect_logger() -> None:
    """Lets kernels log; done once."""
    _native.set_logger(_write, _lowest_severity)


def _write(severity: int, text: str) -> None:
    logger_of(NAME).log(SEVERITIES[min(max(severity, 0), len(SEVERITIES) - 1)], text)


def _lowest_severity() -> int:
    level = logger_of(NAME).getEffectiveLevel()
    return next((severity for severity, known in enumerate(SEVERITIES) if known >= level), len(SEVERITIES) - 1)
