"""Streams of the fake device: a queue, a worker thread with random delays, and events with vector clocks."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ort_core.devices import Device
from ort_core.errors import EPFail, InvalidArgument
from ort_core.testing.fake.machine import HOST_STREAM, Failure, FakeDeviceViolation, HostClock, Machine

if TYPE_CHECKING:
    from ort_core.memory.allocator import Event


class Item(Protocol):
    """Something that can be queued."""

    def execute(self, order: Timeline) -> None:
        """Does it, in the order of a stream or of the host."""


class Timeline:
    """A sequence of steps: what it knows to be done elsewhere, and its failure. The host's own steps are stream 0."""

    def __init__(self, machine: Machine, number: int, device: Device) -> None:
        self.machine = machine
        self.number = number
        self.device = device
        self.host = machine.host
        self.clock: dict[int, int] = {}
        self.failure: Failure | None = None

    def covers(self, stream: int, seq: int) -> bool:
        """Whether step `seq` of `stream` is known to come before."""
        if stream == self.number:
            return True
        if stream == HOST_STREAM:
            return self.host.version >= seq
        return self.clock.get(stream, 0) >= seq or self.host.seqs.get(stream, 0) >= seq

    def learn(self, host: HostClock) -> None:
        """Takes over what the host knew when it queued something."""
        if host.version > self.host.version:
            self.host = host

    def step(self) -> int:
        """The number of the next step."""
        self.host = self.machine.host_step()
        return self.host.version

    def pause(self) -> None:
        """The random delay before a step."""
        self.machine.pause(self.machine.rng)

    def fail(self, error: Exception, seq: int) -> Failure:
        """Makes the next synchronisation raise `error`, unless an earlier failure is waiting."""
        failure = Failure(error, self.number, seq)
        self.adopt(failure)
        return failure

    def adopt(self, failure: Failure) -> None:
        """Takes over a failure of another stream that this one depends on."""
        if not failure.raised and (self.failure is None or self.failure.raised):
            self.failure = failure

    def violate(self, text: str, seq: int) -> None:
        """Records a broken rule."""
        self.machine.violations.append(text)
        self.fail(FakeDeviceViolation(text), seq)


class Worker(Timeline):
    """The queue and the thread behind one stream. It does not know its `FakeStream`, whose end ends it."""

    def __init__(self, machine: Machine, device: Device) -> None:
        super().__init__(machine, next(machine.stream_numbers), device)
        self.closed = False
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self._seq = 0
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._epoch = machine.epoch
        self._rng = machine.stream_rng()

    def step(self) -> int:
        """The number of the next step."""
        self._seq += 1
        self.clock[self.number] = self._seq
        return self._seq

    def pause(self) -> None:
        """The random delay before a step."""
        self.machine.pause(self._rng)

    def put(self, item: Item) -> None:
        """Queues something.

        Raises:
            EPFail: the stream or the device was closed.
        """
        if self.closed or self.machine.closed:
            raise EPFail(f"stream {self.number} of {self.device} was closed and takes no more work")
        if self._epoch != self.machine.epoch:
            self._epoch = self.machine.epoch
            self._rng = self.machine.stream_rng()
        self._queue.put(item)
        if self._thread is None:
            self._start()

    def put_last(self, item: Item) -> None:
        """Queues something also on a closed stream, where it is done at once; finalizers call this, so it takes no lock."""
        self._queue.put(item)
        if self.closed:
            self._drain()

    def settle(self) -> None:
        """Waits until all that is queued is done; not a synchronisation in the device's books."""
        if self._thread is not None:
            event = FakeEvent(self.machine)
            self.put_last(event)
            event.reached()

    def stop(self) -> None:
        """Ends the thread once the queue is empty."""
        if self._thread is None:
            self.closed = True
        else:
            self._queue.put(None)

    def join(self, timeout_s: float) -> None:
        """Waits for the end of the thread.

        Raises:
            EPFail: it did not end in time.
        """
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
            if thread.is_alive():
                raise EPFail(f"stream {self.number} of {self.device} still works after {timeout_s} s")

    def _start(self) -> None:
        with self._start_lock:
            if self._thread is None:
                self.machine.workers[self.number] = self
                thread = threading.Thread(target=self._work, name=f"fake-stream-{self.number}", daemon=True)
                thread.start()
                self._thread = thread

    def _work(self) -> None:
        with np.errstate(all="ignore"):
            item = self._queue.get()
            while item is not None:
                self._do(item)
                del item
                item = self._queue.get()
        self.closed = True
        self._drain()
        self.machine.workers.pop(self.number, None)

    def _drain(self) -> None:
        while True:
            try:
                item = self._queue.get_nowait()
            except Empty:
                return
            if item is not None:
                self._do(item)

    def _do(self, item: Item) -> None:
        before = self.failure
        try:
            item.execute(self)
        except Exception as error:
            self.fail(error, self._seq)
        if self.closed and self.failure is not None and self.failure is not before:
            self.machine.leave_orphan(self.failure)


class FakeEvent:
    """A point in a stream; it carries the stream's clock to whoever waits."""

    __slots__ = ("_latch", "clock", "failure", "host", "machine")

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.clock: dict[int, int] = {}
        self.host = machine.host
        self.failure: Failure | None = None
        self._latch = threading.Lock()
        self._latch.acquire()

    def execute(self, order: Timeline) -> None:
        """Marks the point as reached."""
        order.learn(self.host)
        self.clock = dict(order.clock)
        self.host = order.host
        if order.failure is not None and not order.failure.raised:
            self.failure = order.failure
        self._latch.release()

    def reached(self) -> None:
        """Blocks until the point is reached."""
        with self._latch:
            pass

    def wait_host(self) -> None:
        """Blocks the host until the point is reached; raises what the stream failed with, once."""
        self.reached()
        self.machine.publish(self.clock)
        self.machine.faults.hit("sync", "a synchronisation")
        self.machine.raise_failure(self.failure)


class _Wait:
    __slots__ = ("_event", "_host")

    def __init__(self, event: FakeEvent) -> None:
        self._event = event
        self._host = event.machine.host

    def execute(self, order: Timeline) -> None:
        self._event.reached()
        order.learn(self._host)
        order.learn(self._event.host)
        for stream, seq in self._event.clock.items():
            if order.clock.get(stream, 0) < seq:
                order.clock[stream] = seq
        if self._event.failure is not None:
            order.adopt(self._event.failure)


class FakeStream:
    """A queue of device work with a thread of its own, which ends with the stream."""

    __slots__ = ("__weakref__", "worker")

    def __init__(self, machine: Machine, device: Device) -> None:
        self.worker = Worker(machine, device)

    @property
    def handle(self) -> int:
        """The stream's number, from 1."""
        return self.worker.number

    @property
    def device(self) -> Device:
        """The device that it works on."""
        return self.worker.device

    def record(self) -> FakeEvent:
        """An event that completes when all work queued so far has."""
        event = FakeEvent(self.worker.machine)
        self.worker.put(event)
        return event

    def wait(self, event: Event) -> None:
        """Makes later work wait for `event`, of any stream of the fake devices.

        Raises:
            InvalidArgument: the event is not the fake device's.
        """
        if not isinstance(event, FakeEvent) or event.machine is not self.worker.machine:
            raise InvalidArgument(
                f"a stream of {self.device} can wait for events of its own provider only, got {event!r}"
            )
        self.worker.put(_Wait(event))

    def synchronize(self) -> None:
        """Blocks the host until the queue is empty; raises what the stream failed with, once."""
        self.record().wait_host()

    def close(self) -> None:
        """Ends the worker thread once the queue is empty, and waits for that."""
        self.worker.stop()
        self.worker.join(10.0)

    def __del__(self) -> None:
        self.worker.stop()
