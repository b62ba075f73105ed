"""Profiling: events of session creation and runs, written as a Chrome trace file as onnxruntime writes it."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any


class Profiler:
    """Collects timed events of one session.

    Attributes:
        start_ns: clock reading at the start, as `get_profiling_start_time_ns` reports it.
    """

    def __init__(self) -> None:
        self.start_ns = time.monotonic_ns()
        self._events: list[dict[str, Any]] = []

    def now(self) -> int:
        """Nanoseconds since the start."""
        return time.monotonic_ns() - self.start_ns

    def add(self, name: str, category: str, started_ns: int, **args: Any) -> None:
        """Records an event that began at `started_ns` (of `now()`) and ends now."""
        self._events.append(
            {
                "cat": category,
                "pid": os.getpid(),
                "tid": threading.get_ident() & 0xFFFFFFFF,
                "dur": (self.now() - started_ns) // 1000,
                "ts": started_ns // 1000,
                "ph": "X",
                "name": name,
                "args": args,
            }
        )

    def write(self, prefix: str) -> str:
        """Writes the events to `<prefix>_<date>_<time>.json` and returns the path; an existing file is not touched."""
        stem = f"{prefix}_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
        number = 0
        while True:
            path = Path(f"{stem}.json" if number == 0 else f"{stem}_{number}.json")
            try:
                with path.open("x", encoding="utf-8") as file:
                    json.dump(self._events, file)
            except FileExistsError:
                number += 1
            else:
                return str(path)
