"""The failure switch: which step of the fake device fails, and how."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ort_core.errors import EPFail, InvalidArgument, OutOfMemory

FaultStep: TypeAlias = Literal[
    "alloc", "claim", "compile", "copy_d2d", "copy_d2h", "copy_h2d", "create", "kernel", "output", "sync"
]
FaultMode: TypeAlias = Literal["sync", "async"]

QUEUED_STEPS = frozenset({"copy_h2d", "copy_d2h", "copy_d2d", "kernel"})
"""Steps that run on a stream, so that they may fail after the call that queued them returned."""

STEPS = QUEUED_STEPS | {"alloc", "claim", "compile", "create", "output", "sync"}


@dataclass(slots=True, eq=False)
class Fault:
    """An armed failure.

    Attributes:
        nth: which of the coming steps of this kind fails, from 1.
        mode: `sync` raises from the call, `async` while the stream executes the step.
        error: what is raised: an exception, an exception class, or None for the usual one.
        seen: the steps of this kind since it was armed.
        fired: whether it has struck.
    """

    step: FaultStep
    nth: int
    mode: FaultMode
    error: Exception | type[Exception] | None = None
    seen: int = 0
    fired: bool = False

    def exception(self, what: str) -> Exception:
        """The exception to raise for the step described by `what`."""
        if isinstance(self.error, Exception):
            return self.error
        kind = self.error or (OutOfMemory if self.step == "alloc" else EPFail)
        return kind(f"simulated failure of {what} ({self.step} number {self.nth} on the fake device)")


class Faults:
    """The armed failures of one fake device; thread-safe."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._lock = threading.Lock()

    def arm(
        self, step: FaultStep, nth: int, error: Exception | type[Exception] | None, mode: FaultMode | None
    ) -> Fault:
        """Makes the `nth` coming step of a kind fail.

        Raises:
            InvalidArgument: there is no such step or mode, or it is not queued and cannot fail asynchronously.
        """
        if step not in STEPS:
            raise InvalidArgument(f"the fake device has no step {step!r}. It has: {', '.join(sorted(STEPS))}.")
        if mode not in (None, "sync", "async") or nth < 1:
            raise InvalidArgument(f"expected nth >= 1 and mode 'sync' or 'async', got nth={nth!r} and mode={mode!r}")
        if mode == "async" and step not in QUEUED_STEPS:
            raise InvalidArgument(f"'{step}' is not queued on a stream; it can fail with mode='sync' only")
        fault = Fault(step, nth, mode or ("async" if step in QUEUED_STEPS else "sync"), error)
        with self._lock:
            self._armed.append(fault)
        return fault

    def clear(self) -> None:
        """Disarms everything."""
        with self._lock:
            self._armed.clear()

    def hit(self, step: FaultStep, what: str) -> Exception | None:
        """Counts a step: raises if it is to fail at once, returns what its execution shall raise, or None."""
        if not self._armed:
            return None
        with self._lock:
            struck = None
            for fault in self._armed:
                if fault.step == step:
                    fault.seen += 1
                    if fault.seen == fault.nth:
                        fault.fired = True
                        struck = fault
            self._armed = [fault for fault in self._armed if not fault.fired]
        if struck is None:
            return None
        error = struck.exception(what)
        if struck.mode == "sync":
            raise error
        return error
