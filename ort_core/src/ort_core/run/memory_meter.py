"""Counting the host memory of a session's runs against `Limits.memory_bytes`; nothing here runs without a limit."""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Iterable, Iterator

import numpy as np

from ort_core.errors import OutOfMemory
from ort_core.providers.kernel_executable import storage_root
from ort_core.values import RuntimeValue


class MemoryBudget:
    """The host memory that a session may use.

    Args:
        limit_bytes: for constants and runs together.
        resident_bytes: what the constants take as long as the session lives.
    """

    def __init__(self, limit_bytes: int, resident_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.resident_bytes = resident_bytes
        self._runs: weakref.WeakSet[MemoryMeter] = weakref.WeakSet()

    def new_run(self) -> MemoryMeter:
        """What counts the memory of one run."""
        meter = MemoryMeter(self)
        self._runs.add(meter)
        return meter

    @property
    def used_bytes(self) -> int:
        """What the constants and the runs in progress hold."""
        return self.resident_bytes + sum(meter.held_bytes for meter in tuple(self._runs))


class MemoryMeter:
    """The values of one run: each array counts from `hold` until nothing refers to it any more.

    Attributes:
        held_bytes: what they take now.
    """

    def __init__(self, budget: MemoryBudget) -> None:
        self.held_bytes = 0
        self._budget = budget
        self._held: dict[int, weakref.ref[np.ndarray]] = {}
        # Arrays may be dropped in another thread, or by the garbage collector in the middle of a call here.
        self._lock = threading.RLock()

    def admit(self, nbytes: int, where: str) -> None:
        """Raises OutOfMemory if `where` cannot have `nbytes` more."""
        budget = self._budget
        used = budget.used_bytes
        if used + nbytes > budget.limit_bytes:
            raise OutOfMemory(
                f"{where} needs {nbytes} bytes; the session uses {used} ({budget.resident_bytes} for constants) of the "
                f"{budget.limit_bytes} that Limits.memory_bytes allows. Make the inputs smaller, or raise the limit in "
                "SessionOptions.limits."
            )

    def hold(self, values: Iterable[RuntimeValue], where: str) -> None:
        """Counts arrays that were just made, once each, whatever views of them there are.

        Raises:
            OutOfMemory: they exceed the limit.
        """
        for array in _roots(values):
            self._note(array, array.nbytes)
        self.admit(0, where)

    def disregard(self, values: Iterable[RuntimeValue]) -> None:
        """Never counts arrays that are not counted yet, nor views of them: inputs and constants."""
        for array in _roots(values):
            self._note(array, 0)

    def _note(self, array: np.ndarray, nbytes: int) -> None:
        key = id(array)
        with self._lock:
            if key not in self._held:
                self._held[key] = weakref.ref(array, functools.partial(self._forget, key, nbytes))
                self.held_bytes += nbytes

    def _forget(self, key: int, nbytes: int, _: object) -> None:
        with self._lock:
            del self._held[key]
            self.held_bytes -= nbytes


def _roots(values: Iterable[RuntimeValue]) -> Iterator[np.ndarray]:
    for value in values:
        if isinstance(value, list):
            yield from _roots(value)
        elif isinstance(value, np.ndarray):
            root = storage_root(value)
            yield root if isinstance(root, np.ndarray) else value
