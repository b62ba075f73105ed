"""Profiling: events of session creation and runs, written as a Chrome trace file as onnxruntime writes it."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from ort_core.errors import Fail

logger = logging.getLogger("ort_core.profiler")


class Profiler:
    """Collects timed events of one session, until it writes them.

    Args:
        prefix: start of the path of the file.

    Attributes:
        start_ns: `time.monotonic_ns()` at the start, as `get_profiling_start_time_ns` reports it.
    """

    def __init__(self, prefix: str) -> None:
        self.start_ns = time.monotonic_ns()
        self._prefix = prefix
        self._events: list[dict[str, Any]] | None = []
        self._lock = threading.Lock()

    def now(self) -> int:
        """Nanoseconds since the start."""
        return time.monotonic_ns() - self.start_ns

    def add(self, name: str, category: str, started_ns: int, *, ended_ns: int | None = None, **args: Any) -> None:
        """Records an event that began at `started_ns` (of `now()`) and ended at `ended_ns` or ends now; none after the file
        was written.
        """
        events = self._events
        if events is not None:
            events.append(
                {
                    "cat": category,
                    "pid": os.getpid(),
                    "tid": threading.get_native_id(),
                    "dur": ((self.now() if ended_ns is None else ended_ns) - started_ns) // 1000,
                    "ts": started_ns // 1000,
                    "ph": "X",
                    "name": name,
                    "args": args,
                }
            )

    def write(self) -> str:
        """Writes the events to `<prefix>_<date>_<time>.json` and returns the path; an existing file is not touched. An empty
        text if they were written before.

        Raises:
            Fail: the file cannot be written.
        """
        with self._lock:
            events, self._events = self._events, None
        if events is None:
            return ""
        stem = f"{self._prefix}_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
        number = 0
        while True:
            path = Path(f"{stem}.json" if number == 0 else f"{stem}_{number}.json")
            try:
                with path.open("x", encoding="utf-8") as file:
                    json.dump(list(events), file, default=str)
            except FileExistsError:
                number += 1
            except (OSError, ValueError) as error:
                raise Fail(
                    f"cannot write the profile to '{path}': {error}. Set SessionOptions.profile_file_prefix to a path in a "
                    "folder that exists and can be written to."
                ) from error
            else:
                return str(path)

    def write_quietly(self) -> None:
        """As `write`; a failure is logged."""
        try:
            self.write()
        except Fail as error:
            logger.error("%s", error)
