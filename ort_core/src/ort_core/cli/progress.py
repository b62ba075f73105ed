"""One line on stderr that tells how far a long load is: only on a terminal, and only once it takes long."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import TextIO

from ort_core.cli.units import format_bytes

SHOW_AFTER_S = 1.0
_INTERVAL_S = 0.1
_STAGES = {
    "read": "reading the model",
    "load": "loading",
    "normalize": "bringing it to one opset",
    "infer": "inferring types",
    "optimize": "optimising",
    "assign": "asking providers",
    "compile": "compiling",
}
_IN_BYTES = ("read", "compile")


class ProgressLine:
    """A line that is written again and again in one place.

    Args:
        stream: where to; None for stderr at the time of each call.
        clock: seconds that never go back.
    """

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._started: float | None = None
        self._shown = 0.0
        self._width = 0

    def show(self, stage: str, done: int, total: int) -> None:
        """Writes the line if the work that began with the first call takes long by now; a total of 0 is unknown."""
        stream = self._stream or sys.stderr
        now = self._clock()
        if self._started is None:
            self._started = now
        if now - self._started < SHOW_AFTER_S or now - self._shown < _INTERVAL_S or not _is_terminal(stream):
            return
        self._shown = now
        text = f"{describe(stage, done, total)}  {now - self._started:.0f} s"
        text = text[: max(shutil.get_terminal_size().columns - 1, 20)]
        stream.write("\r" + text.ljust(self._width))
        stream.flush()
        self._width = len(text)

    def clear(self) -> None:
        """Removes the line; the next `show` begins anew."""
        if self._width:
            stream = self._stream or sys.stderr
            stream.write("\r" + " " * self._width + "\r")
            stream.flush()
        self._started, self._shown, self._width = None, 0.0, 0


def describe(stage: str, done: int, total: int) -> str:
    """`compiling 120.0 MiB of 415.1 MiB (28%)`."""
    title = _STAGES.get(stage, stage)
    if total <= 0:
        return title
    amount = format_bytes if stage in _IN_BYTES else "{:,}".format
    return f"{title} {amount(min(done, total))} of {amount(total)} ({min(100 * done // total, 100)}%)"


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False


_line = ProgressLine()


def show_progress(stage: str, done: int, total: int) -> None:
    """Shows on stderr how far a load is; to be given to `SessionOptions` as its listener."""
    _line.show(stage, done, total)


def clear_progress() -> None:
    """Removes what `show_progress` wrote."""
    _line.clear()
