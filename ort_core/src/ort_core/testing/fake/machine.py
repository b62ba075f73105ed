"""The state that all streams of one fake device share: clocks, violations, trace, counters."""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from ort_core.errors import EPFail
from ort_core.testing.fake.faults import Faults

if TYPE_CHECKING:
    from ort_core.devices import Device
    from ort_core.testing.fake.runtime import FakeRuntime
    from ort_core.testing.fake.stream import Worker

SHORTEST_SLEEP_S = 20e-6
"""Shorter delays are left out: a sleep costs more than that by itself."""

HOST_STREAM = 0
"""Stands for work that the host did itself, among the stream numbers."""


class FakeDeviceViolation(EPFail):
    """The program broke a rule that a real device would answer with wrong numbers or a crash."""


class Step(NamedTuple):
    """A step that the device executed.

    Attributes:
        stream: the stream's number; 0 is work without a stream.
        kind: `kernel`, `copy_h2d`, `copy_d2h`, `copy_d2d` or `upload` (a constant, at compile time).
    """

    stream: int
    device: str
    kind: str
    what: str
    nbytes: int


class HostClock(NamedTuple):
    """What the host knew to be done at some moment: the last step of each stream; versions only grow."""

    version: int
    seqs: Mapping[int, int]


NOTHING_KNOWN = HostClock(0, {})


class Failure:
    """The failure of step `seq` of a stream; it is raised by one synchronisation only."""

    __slots__ = ("_error", "raised", "seq", "stream", "text")

    def __init__(self, error: Exception, stream: int, seq: int) -> None:
        self._error: Exception | None = error
        self.text = str(error)
        self.stream = stream
        self.seq = seq
        self.raised = False

    def take(self) -> Exception | None:
        """The exception, to be raised; its traceback would keep a run's tensors alive, so it is not kept."""
        error, self._error = self._error, None
        self.raised = True
        return error

    def told(self, host: HostClock) -> bool:
        """Whether the host had been told when it had the clock `host`."""
        if self.stream == HOST_STREAM:
            return host.version >= self.seq
        return host.seqs.get(self.stream, 0) >= self.seq


class Machine:
    """Everything behind a `FakeDeviceControl` that streams, runtimes and providers share.

    Attributes:
        lock: guards memory checks; re-entrant, because a garbage collection inside may free buffers.
        pid: the process that it works in.
    """

    def __init__(self, seed: int, delay: tuple[float, float]) -> None:
        self.lock = threading.RLock()
        self.pid = os.getpid()
        self.delay = delay
        self.faults = Faults()
        self.violations: list[str] = []
        self.log: deque[Step] = deque(maxlen=100_000)
        self.counters: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()
        self.copied_bytes: Counter[str] = Counter()
        self.workers: dict[int, Worker] = {}
        self.runtimes: dict[Device, FakeRuntime] = {}
        self.closed = False
        self.stream_numbers = itertools.count(1)
        self.block_numbers = itertools.count(1)
        self.pending_host: dict[int, tuple[int, int, bool]] = {}
        self._host = HostClock(0, {})
        self._host_lock = threading.Lock()
        self._count_lock = threading.Lock()
        self._orphan: Failure | None = None
        self.epoch = 0
        self.reseed(seed)

    def reseed(self, seed: int) -> None:
        """Restarts the random delays of all streams."""
        self.seed = seed
        self.rng = random.Random(f"{seed}:host")
        self._ordinals = itertools.count()
        self.epoch += 1

    def stream_rng(self) -> random.Random:
        """The delays of the next stream that is used after `reseed`."""
        return random.Random(f"{self.seed}:{next(self._ordinals)}")

    def pause(self, rng: random.Random) -> None:
        """Sleeps for a random time within `delay`."""
        low, high = self.delay
        if high > 0:
            seconds = rng.uniform(low, high)
            if seconds >= SHORTEST_SLEEP_S:
                time.sleep(seconds)

    def count(self, name: str) -> None:
        """Adds one to a counter."""
        with self._count_lock:
            self.counters[name] += 1

    def count_copy(self, direction: str, nbytes: int) -> None:
        """Counts a copy."""
        with self._count_lock:
            self.copies[direction] += 1
            self.copied_bytes[direction] += nbytes

    def clear_counters(self) -> None:
        """Sets all counters to zero."""
        with self._count_lock:
            self.counters.clear()
            self.copies.clear()
            self.copied_bytes.clear()

    @property
    def host(self) -> HostClock:
        """What the host knows to be done now."""
        return self._host

    def publish(self, seqs: Mapping[int, int]) -> None:
        """Records that the host has seen these steps done."""
        with self._host_lock:
            known = dict(self._host.seqs)
            for stream, seq in seqs.items():
                if known.get(stream, 0) < seq:
                    known[stream] = seq
            self._host = HostClock(self._host.version + 1, known)

    def host_step(self) -> HostClock:
        """The clock of a step that the host does itself: work that is queued from now on comes after it."""
        with self._host_lock:
            self._host = HostClock(self._host.version + 1, self._host.seqs)
            return self._host

    def leave_orphan(self, failure: Failure) -> None:
        """Keeps a failure that has no open stream, for the next synchronisation of any stream."""
        self._orphan = failure

    def raise_failure(self, failure: Failure | None) -> None:
        """Raises a failure, or one without a stream, unless it was raised before."""
        with self.lock:
            if failure is None or failure.raised:
                failure, self._orphan = self._orphan, None
            if failure is None or failure.raised:
                return
            error = failure.take()
        if error is not None:
            raise error

    def forget_failures(self) -> None:
        """Marks every failure that is on its way as raised."""
        with self.lock:
            self._orphan = None
            for worker in list(self.workers.values()):
                if worker.failure is not None:
                    worker.failure.take()
