"""Watching a session being created: how far it is, and whether it has to stop."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import NamedTuple

from ort_core.errors import LoadTimeout, ModelLoadCanceled

REPORT_INTERVAL_S = 0.1
_CHECK_EVERY = 64


class LoadProgress(NamedTuple):
    """How far the creation of a session is.

    Attributes:
        stage: `read` (bytes of the model), `load`, `normalize`, `infer`, `optimize` (nodes), `assign`, or `compile` (bytes of
            constants).
        done, total: of the stage's unit; a total of 0 is unknown.
    """

    stage: str
    done: int
    total: int


class Progress:
    """Counts what stages have done, tells a listener, and raises when loading is to stop.

    Args:
        cancelled: non-zero while loading is to stop.
        timeout_s: how long everything may take from now on.
        listener: called at the beginning of a stage and at most every `REPORT_INTERVAL_S` within it.
    """

    __slots__ = (
        "_cancelled",
        "_countdown",
        "_deadline",
        "_done",
        "_listener",
        "_next_report",
        "_stage",
        "_timeout_s",
        "_total",
    )

    def __init__(
        self,
        cancelled: ctypes.c_uint32 | None = None,
        timeout_s: float | None = None,
        listener: Callable[[LoadProgress], object] | None = None,
    ) -> None:
        self._cancelled = ctypes.c_uint32(0) if cancelled is None else cancelled
        self._timeout_s = timeout_s
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._listener = listener
        self._stage, self._done, self._total = "", 0, 0
        self._next_report = 0.0
        self._countdown = _CHECK_EVERY

    def begin(self, stage: str, total: int = 0) -> None:
        """A stage begins.

        Raises:
            ModelLoadCanceled: see `check`.
        """
        self._stage, self._done, self._total = stage, 0, total
        self._next_report = 0.0
        self.check()

    def advance(self, count: int = 1) -> None:
        """`count` more units are done; checks now and then.

        Raises:
            ModelLoadCanceled: see `check`.
        """
        self._done += count
        self._countdown -= 1
        if self._countdown <= 0:
            self.check()

    def check(self) -> None:
        """Tells the listener if it is time, and raises if loading is to stop.

        Raises:
            ModelLoadCanceled: it was cancelled.
            LoadTimeout: it took too long.
        """
        self._countdown = _CHECK_EVERY
        if self._cancelled.value:
            raise ModelLoadCanceled(
                "loading was cancelled through SessionOptions.set_load_cancellation_flag. Reset the flag to load again."
            )
        if self._deadline is None and self._listener is None:
            return
        now = time.monotonic()
        if self._deadline is not None and now > self._deadline:
            raise LoadTimeout(
                f"creating the session took longer than Limits.load_timeout_s = {self._timeout_s:g} s and was stopped in stage "
                f"'{self._stage or 'read'}'. Allow more time, or do not load the model."
            )
        if self._listener is not None and now >= self._next_report:
            self._next_report = now + REPORT_INTERVAL_S
            self._listener(LoadProgress(self._stage, self._done, self._total))


UNWATCHED = Progress()
"""For stages that nobody watches."""
