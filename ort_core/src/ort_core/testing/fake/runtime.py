"""The runtime of one fake device: allocation in stream order, late copies, a cap, statistics."""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections import deque
from functools import partial
from typing import Any

import numpy as np

from ort_core.devices import Device
from ort_core.errors import EPFail, InvalidArgument, OutOfMemory
from ort_core.ir.types import ElementType
from ort_core.memory.allocator import Buffer, MemoryStats, Stream
from ort_core.testing.fake.copies import LateCopy, check_same_elements, element_of, host_bytes
from ort_core.testing.fake.machine import Machine
from ort_core.testing.fake.memory import Block, FakeBuffer
from ort_core.testing.fake.ops import Allocate, Free, Op, Span
from ort_core.testing.fake.stream import FakeStream, Worker
from ort_core.values import DeviceTensor, RuntimeValue

ALIGNMENT_BYTES = 256
_FIRST_ADDRESS = 0x7F00_0000_0000
_ADDRESSES_PER_DEVICE = 1 << 40


class FakeRuntime:
    """Memory, streams and copies of one fake device.

    Addresses are never used twice, so that a stale one is always recognised.

    Attributes:
        limit_bytes: cap on what is in use, or None.
    """

    def __init__(self, machine: Machine, device: Device, limit_bytes: int | None = None) -> None:
        self.machine = machine
        self.device = device
        self.limit_bytes = limit_bytes
        self._next_address = _FIRST_ADDRESS + device.id * _ADDRESSES_PER_DEVICE
        self._lock = threading.Lock()
        self._stats = MemoryStats()
        # Finalizers run at any point, also while this thread holds the lock, so they only append.
        self._released: deque[int] = deque()
        self._live: dict[int, weakref.ref[FakeBuffer]] = {}

    def allocate(self, nbytes: int, stream: Stream | None = None, kind: str = "default") -> FakeBuffer:
        """A buffer filled with poison, usable in the order of `stream` (None: by the host, at once).

        Raises:
            OutOfMemory: naming the bytes asked for, in use and allowed.
            InvalidArgument: a negative size, host-visible memory, or a stream of another device.
        """
        if nbytes < 0 or kind == "pinned":
            raise InvalidArgument(
                f"{self.device} cannot allocate {nbytes} bytes of {kind} memory: expected a size of at least 0, and the "
                "host sees none of its memory. Ask for kind='default'."
            )
        worker = None if stream is None else self.worker_of(stream)
        if worker is not None and worker.device != self.device:
            raise InvalidArgument(f"{self.device} cannot allocate in the order of a stream of {worker.device}")
        self._check_open()
        self.machine.faults.hit("alloc", f"an allocation of {nbytes} bytes")
        with self._lock:
            self._drain()
            self._reserve(nbytes)
            address = self._next_address
            self._next_address += max(nbytes + -nbytes % ALIGNMENT_BYTES, ALIGNMENT_BYTES)
        try:
            block = Block(next(self.machine.block_numbers), self.device, address, nbytes, worker)
        except (MemoryError, ValueError) as error:
            self._released.append(nbytes)
            raise OutOfMemory(f"{self.device} cannot allocate {nbytes} bytes: the host has no such block") from error
        buffer = FakeBuffer(self, block, nbytes)
        self._live[block.number] = weakref.ref(buffer)
        self.machine.count("allocations")
        if worker is not None:
            worker.put(Allocate(block))
        return buffer

    def give_back(self, block: Block, users: list[Worker]) -> None:
        """Frees a block; called by the finalizer of its buffer."""
        self._live.pop(block.number, None)
        self._released.append(block.nbytes)
        Free(block, users, self.machine.host).submit(self.machine)

    def copy(self, src: RuntimeValue, dst: RuntimeValue, stream: Stream | None = None) -> None:
        """Copies a tensor when the stream gets there: host arrays are read and written late, not during the call.

        A `ready` event of either side is the caller's to wait for.

        Raises:
            InvalidArgument: element types or counts differ, neither side is on a fake device, or the host array is not
                contiguous, or read-only.
        """
        to_host, from_host = isinstance(dst, np.ndarray), isinstance(src, np.ndarray)
        if to_host and from_host:
            raise InvalidArgument("the runtime of a device copies to or from a device; both sides are host arrays")
        self._check_open()
        check_same_elements(src, dst)
        nbytes = math.prod(src.shape) * element_of(src).dtype.itemsize
        worker = None if stream is None else self.worker_of(stream)
        if to_host:
            self._submit("copy_d2h", nbytes, worker, self.span(src, held=True), host_bytes(dst, writes=True))
        elif from_host:
            self._submit("copy_h2d", nbytes, worker, host_bytes(src), self.span(dst, held=True))
        else:
            self._submit("copy_d2d", nbytes, worker, self.span(src, held=True), self.span(dst, held=True))

    def upload(self, array: np.ndarray) -> DeviceTensor:
        """A constant, copied before the call returns; not counted among the copies."""
        array = np.ascontiguousarray(array).reshape(array.shape)
        tensor = DeviceTensor(ElementType.from_dtype(array.dtype), array.shape, self.allocate(array.nbytes))
        span = self.span(tensor, held=True)
        action = partial(np.copyto, span.block.data[span.low : span.high], host_bytes(array))
        Op("upload", "the upload of a constant", array.nbytes, action, (), (span,)).submit(
            None, self.machine, self.device
        )
        return tensor

    def new_stream(self) -> FakeStream:
        """A stream with random delays."""
        self._check_open()
        return FakeStream(self.machine, self.device)

    def wrap(self, ptr: int, nbytes: int, owner: object) -> FakeBuffer:
        """A buffer over memory that `owner` keeps alive.

        Raises:
            InvalidArgument: no allocation of this device holds the addresses.
        """
        found = self.find(ptr, nbytes)
        if found is None:
            raise InvalidArgument(f"{self.device} has no allocation that holds {nbytes} bytes at {ptr:#x}")
        return FakeBuffer(self, found.block, nbytes, ptr - found.block.base, owner, owns=False)

    def trim(self) -> int:
        """0: freed memory is never kept."""
        return 0

    def stats(self) -> MemoryStats:
        """What is in use; memory counts as free as soon as its buffer is collected."""
        with self._lock:
            self._drain()
            s = self._stats
            return MemoryStats(
                in_use_bytes=s.in_use_bytes,
                peak_in_use_bytes=s.peak_in_use_bytes,
                reserved_bytes=s.in_use_bytes,
                limit_bytes=self.limit_bytes,
                num_allocations=s.num_allocations,
                largest_allocation_bytes=s.largest_allocation_bytes,
            )

    def after_fork(self) -> None:
        """Refuses to work in a child process, as accelerators do.

        Raises:
            EPFail: this is not the process that the device was started in.
        """
        if os.getpid() != self.machine.pid:
            raise EPFail(
                f"{self.device} was started before the fork and cannot be used in the child process. Start the process "
                "with the 'spawn' method, or use the device only after the fork."
            )

    def live(self) -> list[FakeBuffer]:
        """The buffers that exist."""
        return [b for ref in list(self._live.values()) if (b := ref()) is not None]

    def worker_of(self, stream: Stream) -> Worker:
        """The worker of one of this provider's streams.

        Raises:
            InvalidArgument: the stream is not the fake device's.
        """
        if not isinstance(stream, FakeStream) or stream.worker.machine is not self.machine:
            raise InvalidArgument(f"{self.device} cannot work on {stream!r}: expected a stream that it made")
        return stream.worker

    def span(self, tensor: DeviceTensor, *, held: bool = False) -> Span:
        """The bytes of a tensor."""
        return self.buffer_span(tensor.buffer, tensor.offset, tensor.nbytes, held=held)

    def buffer_span(self, buffer: Buffer, offset: int, nbytes: int, *, held: bool = False) -> Span:
        """Bytes of a buffer, which may also be one that an allocator on top of this runtime cut from a larger one.

        Raises:
            InvalidArgument: the buffer is not on a fake device or is too small.
        """
        found: FakeBuffer | None = None
        if isinstance(buffer, FakeBuffer):
            found = buffer if buffer.machine is self.machine else None
        elif (owner := self.machine.runtimes.get(buffer.device)) is not None:
            found = owner.find(buffer.ptr, buffer.nbytes)
        if found is None:
            raise InvalidArgument(
                f"{self.device} cannot use the buffer at {buffer.ptr:#x} on {buffer.device}: not its own"
            )
        if offset < 0 or offset + nbytes > buffer.nbytes:
            raise InvalidArgument(
                f"a tensor of {nbytes} bytes at offset {offset} leaves its buffer of {buffer.nbytes} bytes"
            )
        low = buffer.ptr - found.block.base + offset
        return Span(found.block, low, low + nbytes, held)

    def _submit(self, direction: Any, nbytes: int, worker: Worker | None, src: Any, dst: Any) -> None:
        machine = self.machine
        error = machine.faults.hit(direction, f"a copy of {nbytes} bytes")
        machine.count_copy(direction.removeprefix("copy_"), nbytes)
        reads, writes = (tuple(s for s in (side,) if isinstance(s, Span)) for side in (src, dst))
        source, target = (s.block.data[s.low : s.high] if isinstance(s, Span) else s for s in (src, dst))
        op = Op(direction, f"{direction} of {nbytes} bytes", nbytes, partial(np.copyto, target, source), reads, writes)
        op.error = error
        if worker is not None and not (reads and writes):
            late = LateCopy(machine, source, target, to_host=not writes)
            op.action, op.done, op.keep = late, late.close, (source, target)
        op.submit(worker, machine, self.device)

    def find(self, ptr: int, nbytes: int) -> FakeBuffer | None:
        """The buffer that holds these addresses."""
        for buffer in self.live():
            block = buffer.block
            if block.base <= ptr and ptr + nbytes <= block.base + block.nbytes:
                return buffer
        return None

    def _reserve(self, nbytes: int) -> None:
        stats, limit = self._stats, self.limit_bytes
        if limit is not None and stats.in_use_bytes + nbytes > limit:
            raise OutOfMemory(
                f"{self.device} cannot allocate {nbytes} bytes: {stats.in_use_bytes} bytes are in use and {limit} are "
                "allowed. Raise memory_limit_bytes, or drop values that are not needed."
            )
        stats.in_use_bytes += nbytes
        stats.num_allocations += 1
        stats.peak_in_use_bytes = max(stats.peak_in_use_bytes, stats.in_use_bytes)
        stats.largest_allocation_bytes = max(stats.largest_allocation_bytes, nbytes)

    def _drain(self) -> None:
        while self._released:
            self._stats.in_use_bytes -= self._released.popleft()

    def _check_open(self) -> None:
        if self.machine.closed:
            raise EPFail(f"{self.device} was closed: its `fake_device()` block has ended")
