"""Memory of the fake device: blocks that know who used which bytes, and the buffers that own them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from ort_core.devices import Device
from ort_core.errors import InvalidArgument
from ort_core.testing.fake.machine import Failure, Machine

if TYPE_CHECKING:
    from ort_core.memory.allocator import Stream
    from ort_core.testing.fake.runtime import FakeRuntime
    from ort_core.testing.fake.stream import Worker

POISON = 0xCB
"""The byte that fresh and freed memory is filled with."""

NOT_YET = 1 << 62
"""The step number of an allocation that its stream has not reached."""


class Order(Protocol):
    """What a stream knows of the past."""

    def covers(self, stream: int, seq: int) -> bool:
        """Whether step `seq` of `stream` is known to come before."""


class Access(NamedTuple):
    """The last use of some bytes by one stream. `held`: the user kept the block alive, so freeing it comes after."""

    seq: int
    what: str
    held: bool


class Block:
    """The bytes of one allocation; only executing steps touch `data`, under the rules that `problems` checks.

    Attributes:
        home: the worker of the stream whose order it is allocated and freed in; None for the host.
        valid: which bytes have been written.
        accesses: last uses by (stream, first byte, end, whether written).
        failures: bytes that a failed step should have written.
        pins: queued steps that keep the memory alive.
    """

    __slots__ = ("accesses", "base", "data", "device", "failures", "freed", "home", "nbytes", "number", "pins", "valid")

    def __init__(self, number: int, device: Device, base: int, nbytes: int, home: Worker | None) -> None:
        self.number = number
        self.device = device
        self.base = base
        self.nbytes = nbytes
        self.home = home
        self.data = np.full(nbytes, POISON, np.uint8)
        self.valid = np.zeros(nbytes, np.bool_)
        self.accesses: dict[tuple[int, int, int, bool], Access] = {}
        self.failures: list[tuple[int, int, Failure]] = []
        self.freed = False
        self.pins = 0
        if home is not None:
            self.note(home.number, NOT_YET, "its allocation", 0, nbytes, writes=True)

    def __str__(self) -> str:
        return f"buffer #{self.number} ({self.nbytes} bytes on {self.device})"

    def note(self, stream: int, seq: int, what: str, low: int, high: int, *, writes: bool, held: bool = False) -> None:
        """Records a use of bytes `low` to `high`; a write replaces what it covers."""
        if low == high:
            return
        if writes:
            for key in [k for k in self.accesses if low <= k[1] and k[2] <= high]:
                del self.accesses[key]
        self.accesses[stream, low, high, writes] = Access(seq, what, held)

    def problems(self, order: Order, user: str, low: int, high: int, *, writes: bool, held: bool) -> Iterator[str]:
        """What is wrong with `user`'s use of bytes `low` to `high` now, in the given order."""
        verb = "writes" if writes else "reads"
        if self.freed and not held:
            yield f"use after free: {user} {verb} {self}"
            return
        for (stream, first, end, wrote), access in tuple(self.accesses.items()):
            if first < high and low < end and (wrote or writes) and not order.covers(stream, access.seq):
                past = "written" if wrote else "read"
                yield (
                    f"race: {user} {verb} bytes {low}:{high} of {self}, {past} by {access.what} on stream {stream}, "
                    "without waiting for an event of that stream"
                )
                break
        if not writes and self.failure_in(low, high) is None and not self.valid[low:high].all():
            yield f"uninitialised: {user} reads bytes {low}:{high} of {self}, not all of which were written"

    def failure_in(self, low: int, high: int) -> Failure | None:
        """The failure that some of these bytes wait for."""
        for first, end, failure in self.failures:
            if first < high and low < end:
                return failure
        return None

    def wrote(self, low: int, high: int, failure: Failure | None) -> None:
        """Records the outcome of a write."""
        if self.failures:
            self.failures = [f for f in self.failures if not (low <= f[0] and f[1] <= high)]
        if failure is None:
            self.valid[low:high] = True
        else:
            self.failures.append((low, high, failure))

    def release(self, order: Order) -> Iterator[str]:
        """Frees the block, in the given order; yields what is wrong with that."""
        for (stream, _, _, _), access in tuple(self.accesses.items()):
            if not access.held and not order.covers(stream, access.seq):
                yield (
                    f"freed too early: {self} is freed while {access.what} on stream {stream} may still use it. Make the "
                    "stream that it was allocated for wait for that one, or call `record_stream` on the buffer"
                )
                break
        self.freed = True
        self._scrub()

    def pin(self) -> None:
        """Keeps the memory as it is, even when freed, until `unpin`."""
        self.pins += 1

    def unpin(self) -> None:
        """Ends one `pin`."""
        self.pins -= 1
        self._scrub()

    def _scrub(self) -> None:
        if self.freed and not self.pins:
            self.data.fill(POISON)
            self.valid.fill(False)
            self.failures.clear()


class FakeBuffer:
    """Owner of a block, or a view of one that the `owner` keeps alive. The host cannot read it: copy with the runtime."""

    __slots__ = ("__weakref__", "_block", "_owner", "_owns", "_runtime", "_start", "_users", "nbytes")

    def __init__(
        self,
        runtime: FakeRuntime,
        block: Block,
        nbytes: int,
        start: int = 0,
        owner: object = None,
        *,
        owns: bool = True,
    ) -> None:
        self._runtime = runtime
        self._block = block
        self._start = start
        self._owner = owner
        self._owns = owns
        self._users: list[Worker] = []
        self.nbytes = nbytes

    @property
    def ptr(self) -> int:
        """Address on the device; no memory of this process lies there."""
        return self._block.base + self._start

    @property
    def device(self) -> Device:
        """Where it lives."""
        return self._block.device

    @property
    def machine(self) -> Machine:
        """The fake device that it is part of."""
        return self._runtime.machine

    @property
    def block(self) -> Block:
        """The block."""
        return self._block

    @property
    def start(self) -> int:
        """The offset within the block."""
        return self._start

    def record_stream(self, stream: Stream) -> None:
        """Says that `stream` uses the memory too: it is freed after what is queued there when it is collected."""
        worker = self._runtime.worker_of(stream)
        if worker is not self._block.home and worker not in self._users:
            self._users.append(worker)

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        raise InvalidArgument(f"memory of {self.device} cannot be read by the host. Copy it with the device's runtime.")

    def __del__(self) -> None:
        # A child after a fork has no stream workers, and another thread may have held the lock.
        if self._owns and os.getpid() == self._runtime.machine.pid:
            self._runtime.give_back(self._block, self._users)
