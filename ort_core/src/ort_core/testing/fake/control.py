"""What a test holds of a fake device: delays, failures, violations, trace, memory."""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from ort_core.devices import Device
from ort_core.testing.fake.faults import Fault, FaultMode, FaultStep
from ort_core.testing.fake.machine import FakeDeviceViolation, Machine, Step
from ort_core.testing.fake.provider import DEVICE_TYPE, NAME, FakeDevicePlugin
from ort_core.testing.fake.runtime import FakeRuntime

DEFAULT_DELAY_S = (0.0, 200e-6)


class LiveBuffer(NamedTuple):
    """A buffer that has not been collected; `stream` is the one that it was allocated for, 0 for none."""

    device: Device
    number: int
    ptr: int
    nbytes: int
    stream: int


class FakeDeviceControl:
    """The controls of one fake device with two device ids.

    Attributes:
        plugin: what is registered as the provider `FakeDeviceExecutionProvider`.
    """

    name = NAME

    def __init__(
        self, *, seed: int = 0, delay: tuple[float, float] = DEFAULT_DELAY_S, memory_limit_bytes: int | None = None
    ) -> None:
        self._machine = Machine(seed, delay)
        self.plugin = FakeDevicePlugin(self._machine, memory_limit_bytes)

    def runtime(self, device_id: int = 0) -> FakeRuntime:
        """The runtime of a device."""
        return self.plugin.runtime(Device(DEVICE_TYPE, device_id))

    @property
    def delay(self) -> tuple[float, float]:
        """The shortest and longest delay before each step, in seconds."""
        return self._machine.delay

    @delay.setter
    def delay(self, bounds: tuple[float, float]) -> None:
        self._machine.delay = bounds

    @property
    def violations(self) -> list[str]:
        """Broken rules so far; each is also raised by the next synchronisation. Clear the list to accept them."""
        return self._machine.violations

    @property
    def log(self) -> list[Step]:
        """The steps that the device executed, in order."""
        return list(self._machine.log)

    @property
    def counters(self) -> Counter[str]:
        """`kernels` queued, `allocations`, results written `in_place` into donated inputs."""
        return self._machine.counters

    @property
    def copies(self) -> Counter[str]:
        """Copies queued, by direction: `h2d`, `d2h`, `d2d`. Constants that are uploaded are not among them."""
        return self._machine.copies

    @property
    def copied_bytes(self) -> Counter[str]:
        """Bytes of `copies`."""
        return self._machine.copied_bytes

    @property
    def live_bytes(self) -> int:
        """Bytes of all live buffers of both devices."""
        return sum(buffer.nbytes for buffer in self.live_buffers())

    @property
    def live_streams(self) -> int:
        """Streams with a thread."""
        return len(self._machine.workers)

    def live_buffers(self) -> list[LiveBuffer]:
        """The buffers that have not been collected."""
        found = []
        for runtime in self._machine.runtimes.values():
            for buffer in runtime.live():
                block = buffer.block
                stream = 0 if block.home is None else block.home.number
                found.append(LiveBuffer(block.device, block.number, buffer.ptr, buffer.nbytes, stream))
        return found

    def fail(
        self,
        step: FaultStep,
        nth: int = 1,
        error: Exception | type[Exception] | None = None,
        mode: FaultMode | None = None,
    ) -> Fault:
        """Makes the `nth` coming step of a kind fail, once.

        Args:
            error: what is raised; `OutOfMemory` for `alloc`, `EPFail` for the others by default.
            mode: `sync` raises from the call that queues the step, `async` (the default for kernels and copies) while
                the stream executes it, to surface at the next synchronisation.

        Raises:
            InvalidArgument: there is no such step, or it is not queued and cannot fail asynchronously.
        """
        return self._machine.faults.arm(step, nth, error, mode)

    def set_memory_limit(self, nbytes: int | None, device_id: int = 0) -> None:
        """Caps what may be in use on a device."""
        self.runtime(device_id).limit_bytes = nbytes

    def drain(self) -> None:
        """Waits until all streams are idle, without raising and without the device counting it as a synchronisation."""
        for worker in list(self._machine.workers.values()):
            worker.settle()

    def reset(self, seed: int | None = None) -> None:
        """Forgets violations, trace, counters, armed and pending failures, and restarts the random delays."""
        self.drain()
        machine = self._machine
        machine.violations.clear()
        machine.log.clear()
        machine.clear_counters()
        machine.faults.clear()
        machine.forget_failures()
        machine.reseed(machine.seed if seed is None else seed)

    def check(self) -> None:
        """Raises the violations that happened so far.

        Raises:
            FakeDeviceViolation: listing them.
        """
        self.drain()
        if self.violations:
            raise FakeDeviceViolation(f"{len(self.violations)} violations:\n" + "\n".join(self.violations))

    def check_no_leaks(self) -> None:
        """Raises if a buffer is alive after a garbage collection.

        Raises:
            FakeDeviceViolation: listing the buffers.
        """
        gc.collect()
        self.drain()
        if live := self.live_buffers():
            raise FakeDeviceViolation(f"{len(live)} buffers are alive:\n" + "\n".join(map(str, live)))

    def close(self) -> None:
        """Ends all stream threads after what is queued; the devices take no more work."""
        self._machine.closed = True
        workers = list(self._machine.workers.values())
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join(30.0)


@contextlib.contextmanager
def fake_device(
    *,
    seed: int = 0,
    delay: tuple[float, float] = DEFAULT_DELAY_S,
    memory_limit_bytes: int | None = None,
    register: bool = True,
    check: bool = True,
) -> Iterator[FakeDeviceControl]:
    """Provides `FakeDeviceExecutionProvider` with the devices `fake:0` and `fake:1` for the time of a `with` block.

    Args:
        seed: of the random delays.
        delay: shortest and longest delay before each step, in seconds; (0, 0) for none.
        memory_limit_bytes: cap of each device.
        register: make it known to sessions by its name.
        check: raise at the end if there were violations that the test did not clear.

    Raises:
        FakeDeviceViolation: see `check`.
    """
    from ort_core.providers import registry

    control = FakeDeviceControl(seed=seed, delay=delay, memory_limit_bytes=memory_limit_bytes)
    if register:
        registry.register_plugin(control.plugin, distribution="ort_core.testing")
    try:
        yield control
        if check:
            control.check()
    finally:
        if register:
            registry.unregister_plugin(NAME)
        control.close()
