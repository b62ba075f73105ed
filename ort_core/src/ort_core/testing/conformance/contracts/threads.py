"""Work in many threads at once."""

from __future__ import annotations

import contextlib
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

COUNT = 8
TIMEOUT_S = 60.0
GIVE_WAY_RATE = 0.5


def in_threads(work: Callable[[int], object], count: int = COUNT, *, interleaved: bool = False) -> None:
    """Calls `work(index)` in threads that start together, and raises the first exception.

    Args:
        interleaved: threads give way to each other at random lines of Python code, so that races show which otherwise
            need luck; slow.

    Raises:
        AssertionError: a thread does not end.
    """
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def body(index: int) -> None:
        try:
            start.wait(TIMEOUT_S)
            if interleaved:
                sys.settrace(_give_way(random.Random(index)))
            work(index)
        except BaseException as error:
            errors.append(error)
        finally:
            if interleaved:
                sys.settrace(None)

    threads = [threading.Thread(target=body, args=(index,), daemon=True) for index in range(count)]
    with _quick_switches():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT_S)
    if any(thread.is_alive() for thread in threads):
        raise AssertionError(f"a thread did not end within {TIMEOUT_S:.0f} s")
    if errors:
        raise errors[0]


def _give_way(rng: random.Random) -> Any:
    """A trace function that lets another thread go on at some lines."""

    def trace(frame: Any, event: str, argument: Any) -> Any:
        if event == "line" and rng.random() < GIVE_WAY_RATE:
            time.sleep(0)
        return trace

    return trace


@contextlib.contextmanager
def _quick_switches() -> Iterator[None]:
    """Lets the interpreter change threads often, so that races show."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
