"""Steps that a fake stream executes: checked uses of memory around an action, and the freeing of memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ort_core.devices import Device
from ort_core.errors import EPFail
from ort_core.ir.types import ElementType
from ort_core.testing.fake.machine import HOST_STREAM, NOTHING_KNOWN, Failure, HostClock, Machine, Step
from ort_core.testing.fake.stream import Timeline, Worker

if TYPE_CHECKING:
    from ort_core.testing.fake.memory import Block


class Span(NamedTuple):
    """Bytes of a block that a step uses; a step keeps a `held` block alive until it is done."""

    block: Block
    low: int
    high: int
    held: bool = False

    def array(self, element: ElementType, shape: Sequence[int]) -> np.ndarray:
        """The bytes as a tensor; for steps in execution only."""
        return self.block.data[self.low : self.high].view(element.dtype).reshape(shape)


@dataclass(slots=True, eq=False)
class Op:
    """One step: `action` with the memory that it uses.

    Attributes:
        keep: host objects that stay alive until it is done.
        error: raised instead of doing it.
        done: called at the end, whether or not the action was done.
    """

    kind: str
    what: str
    nbytes: int
    action: Callable[[], None]
    reads: tuple[Span, ...]
    writes: tuple[Span, ...]
    keep: tuple[object, ...] = ()
    error: Exception | None = None
    done: Callable[[], object] | None = None
    host: HostClock = NOTHING_KNOWN

    def submit(self, worker: Worker | None, machine: Machine, device: Device) -> None:
        """Queues the step, or does it now if there is no stream.

        Raises:
            Exception: whatever a step without a stream failed with.
        """
        held = [span.block for span in (*self.reads, *self.writes) if span.held]
        if held:
            with machine.lock:
                for block in held:
                    block.pin()
        self.host = machine.host
        if worker is not None:
            worker.put(self)
            return
        now = Timeline(machine, HOST_STREAM, device)
        with np.errstate(all="ignore"):
            self.execute(now)
        machine.raise_failure(now.failure)

    def execute(self, order: Timeline) -> None:
        """Checks the memory that it uses, does the action unless its data is missing, records the outcome."""
        order.pause()
        order.learn(self.host)
        seq = order.step()
        machine = order.machine
        with machine.lock:
            missing = self._check(order, seq)
        failure = self._inherit(missing, order, seq)
        if failure is None:
            try:
                if self.error is not None:
                    raise self.error
                self.action()
            except Exception as error:
                failure = order.fail(error, seq)
        if self.done is not None:
            self.done()
        machine.log.append(Step(order.number, str(order.device), self.kind, self.what, self.nbytes))
        with machine.lock:
            for block, low, high, _ in self.writes:
                block.wrote(low, high, failure)
            for span in (*self.reads, *self.writes):
                if span.held:
                    span.block.unpin()
        self.keep, self.action, self.done = (), _nothing, None

    def _check(self, order: Timeline, seq: int) -> Failure | None:
        missing = None
        user = f"{self.what} on stream {order.number}"
        for spans, writes in ((self.reads, False), (self.writes, True)):
            for block, low, high, held in spans:
                for text in block.problems(order, user, low, high, writes=writes, held=held):
                    order.violate(text, seq)
                if not writes:
                    missing = missing or block.failure_in(low, high)
                block.note(order.number, seq, self.what, low, high, writes=writes, held=held)
        return missing

    def _inherit(self, missing: Failure | None, order: Timeline, seq: int) -> Failure | None:
        """The failure of a step whose data is missing: the old one, or a new one if the host knew and went on."""
        if missing is None:
            return None
        if missing.told(self.host):
            return order.fail(EPFail(f"{self.what} uses data that a failed step did not write: {missing.text}"), seq)
        order.adopt(missing)
        return missing


def _nothing() -> None:
    """What a finished step holds on to."""


class Free:
    """Frees a block on its home stream, after the streams in `route` have got that far."""

    __slots__ = ("_block", "_clock", "_host", "_order", "_route")

    def __init__(self, block: Block, route: Sequence[Worker], host: HostClock) -> None:
        self._block = block
        self._route = list(route)
        self._host = host
        self._clock: dict[int, int] = {}

    def submit(self, machine: Machine) -> None:
        """Goes to the next stream; called by finalizers, so it takes no lock on the way to a stream."""
        if self._route:
            self._route.pop().put_last(self)
        elif self._block.home is not None:
            self._block.home.put_last(_Release(self))
        else:
            now = Timeline(machine, HOST_STREAM, self._block.device)
            now.host = self._host
            self.release(now)
            if now.failure is not None:
                machine.leave_orphan(now.failure)

    def execute(self, order: Timeline) -> None:
        """Takes over the clock of a stream that used the block."""
        for stream, seq in order.clock.items():
            self._clock[stream] = max(seq, self._clock.get(stream, 0))
        self.submit(order.machine)

    def release(self, order: Timeline) -> None:
        """Frees the block in the order of its home stream."""
        order.learn(self._host)
        self._order = order
        with order.machine.lock:
            for text in self._block.release(self):
                order.violate(text, order.clock.get(order.number, 0))

    def covers(self, stream: int, seq: int) -> bool:
        """Whether a step is known to come before the release."""
        return self._order.covers(stream, seq) or self._clock.get(stream, 0) >= seq


class _Release:
    __slots__ = ("_free",)

    def __init__(self, free: Free) -> None:
        self._free = free

    def execute(self, order: Timeline) -> None:
        self._free.release(order)


class Allocate:
    """The point of a stream from which on a block may be used."""

    __slots__ = ("_block",)

    def __init__(self, block: Block) -> None:
        self._block = block

    def execute(self, order: Timeline) -> None:
        """Marks the block as allocated."""
        seq = order.step()
        with order.machine.lock:
            self._block.note(order.number, seq, "its allocation", 0, self._block.nbytes, writes=True)
