"""Protocols of device memory: buffers, events, streams and the runtime of one device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ort_core.devices import Device
    from ort_core.values import RuntimeValue


class Buffer(Protocol):
    """Owner of a block of memory, freed in stream order when it is collected. It keeps its runtime alive, never a session."""

    @property
    def ptr(self) -> int:
        """Address on the device."""

    @property
    def nbytes(self) -> int:
        """Usable size in bytes."""

    @property
    def device(self) -> Device:
        """Where it lives."""


class Event(Protocol):
    """A point in a stream."""

    def wait_host(self) -> None:
        """Blocks the host until the point is reached; raises what the stream failed with."""


class Stream(Protocol):
    """A queue of device work, executed in order."""

    @property
    def handle(self) -> int:
        """The native handle, 0 where there is none."""

    def record(self) -> Event:
        """An event that completes when all work queued so far has."""

    def wait(self, event: Event) -> None:
        """Makes later work of this stream wait for `event`, of any stream of the same provider."""

    def synchronize(self) -> None:
        """Blocks the host until the queue is empty; raises what the stream failed with, once."""


@dataclass(slots=True)
class MemoryStats:
    """Bytes and counts of an allocator."""

    in_use_bytes: int = 0
    peak_in_use_bytes: int = 0
    reserved_bytes: int = 0
    limit_bytes: int | None = None
    num_allocations: int = 0
    num_reserves: int = 0
    largest_allocation_bytes: int = 0

    def as_dict(self) -> dict[str, int]:
        """The figures under their names; an absent limit is 0."""
        return {name: getattr(self, name) or 0 for name in self.__slots__}


class DeviceRuntime(Protocol):
    """Memory, streams and copies of one device; lives with the process, is thread-safe, needs no session."""

    @property
    def device(self) -> Device:
        """The device it drives."""

    def allocate(self, nbytes: int, stream: Stream | None = None, kind: str = "default") -> Buffer:
        """A buffer of at least `nbytes`, usable in the order of `stream`.

        Raises:
            OutOfMemory: naming the bytes asked for, in use and allowed.
        """

    def copy(self, src: RuntimeValue, dst: RuntimeValue, stream: Stream | None = None) -> None:
        """Copies a tensor; one side may be a host array. Asynchronous on `stream`: the runtime keeps both sides alive
        until it is done, and the caller leaves their contents alone until then.
        """

    def new_stream(self) -> Stream | None:
        """A stream, or None when work is done by the time a call returns."""

    def wrap(self, ptr: int, nbytes: int, owner: object) -> Buffer:
        """A buffer over memory that `owner` keeps alive."""

    def trim(self) -> int:
        """Returns unused memory to the system; the number of bytes returned."""

    def stats(self) -> MemoryStats:
        """What is in use."""

    def after_fork(self) -> None:
        """Called in a child process before first use there; raises if the device cannot be used after a fork."""
