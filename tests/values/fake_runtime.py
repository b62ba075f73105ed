"""A device with memory of its own and streams that only move when something waits for them."""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np

from ort_core.devices import Device
from ort_core.errors import OutOfMemory
from ort_core.memory.allocator import MemoryStats
from ort_core.values import DeviceTensor


class FakeBuffer:
    def __init__(self, runtime, ptr, nbytes, owner=None):
        self._runtime, self.ptr, self.nbytes, self._owner = runtime, ptr, nbytes, owner
        self.device = runtime.device

    def __del__(self):
        if self._owner is None:
            self._runtime.release(self)


class FakeEvent:
    def __init__(self, stream, position):
        self._stream, self._position = stream, position

    def wait_host(self):
        self._stream.run_until(self._position)


class FakeStream:
    """Queued work runs when the host waits; `done` counts what has run."""

    def __init__(self, runtime):
        self._runtime = runtime
        self._queue = deque()
        self.queued = self.done = 0
        self.failure = None
        self.waits = 0

    @property
    def handle(self):
        return id(self) & 0xFFFF

    def submit(self, work):
        self._queue.append(work)
        self.queued += 1

    def record(self):
        return FakeEvent(self, self.queued)

    def wait(self, event):
        self.waits += 1
        self.submit(event.wait_host)

    def run_until(self, position):
        while self.done < position:
            self.done += 1
            try:
                self._queue.popleft()()
            except Exception as error:
                self.failure = error
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure

    def synchronize(self):
        self.run_until(self.queued)


class FakeRuntime:
    def __init__(self, index=0, capacity=1 << 30, synchronous=False):
        self.device = Device("fake", index)
        self.capacity = capacity
        self.synchronous = synchronous
        self._addresses = itertools.count(0x7000_0000_0000 + index * 0x1000_0000_0000, 1 << 32)
        self.memory = {}
        self.in_use = 0
        self.streams = []
        self.allocations = []
        self.live = 0

    def allocate(self, nbytes, stream=None, kind="default"):
        if self.in_use + nbytes > self.capacity:
            raise OutOfMemory(
                f"cannot allocate {nbytes} bytes on {self.device}: {self.in_use} of {self.capacity} in use"
            )
        self.allocations.append((nbytes, kind))
        if kind == "pinned":
            array = np.empty(nbytes + 1, np.uint8)
            buffer = FakeBuffer(self, array.ctypes.data, nbytes, array)
            buffer.device = self.device._replace(memory="pinned")
            return buffer
        ptr = next(self._addresses)
        self.memory[ptr] = np.full(nbytes, 0xCD, np.uint8)
        self.in_use += nbytes
        self.live += 1
        return FakeBuffer(self, ptr, nbytes)

    def release(self, buffer):
        self.memory.pop(buffer.ptr, None)
        self.in_use -= buffer.nbytes
        self.live -= 1

    def view(self, tensor):
        base = max(p for p in self.memory if p <= tensor.ptr)
        start = tensor.ptr - base
        raw = self.memory[base][start : start + tensor.nbytes]
        assert raw.nbytes == tensor.nbytes
        return raw.view(tensor.element.dtype).reshape(tensor.shape)

    def copy(self, src, dst, stream=None):
        def work():
            source = self.resolve(src)
            self.resolve(dst)[...] = source

        if stream is None:
            work()
        else:
            stream.submit(work)

    def resolve(self, value):
        if not isinstance(value, DeviceTensor):
            return value
        owner = self if value.device == self.device else FAKES[value.device]
        return owner.view(value)

    def new_stream(self):
        if self.synchronous:
            return None
        self.streams.append(FakeStream(self))
        return self.streams[-1]

    def wrap(self, ptr, nbytes, owner):
        return FakeBuffer(self, ptr, nbytes, owner if owner is not None else "caller")

    def trim(self):
        return 0

    def stats(self):
        return MemoryStats(in_use_bytes=self.in_use)

    def after_fork(self):
        raise RuntimeError("fake devices do not survive a fork")


FAKES = {}
