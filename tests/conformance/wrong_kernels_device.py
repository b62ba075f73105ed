"""Providers on the fake device that are wrong in one way each, with the tests of the kit that must fail."""

from __future__ import annotations

from typing import Any

import numpy as np
from wrong_kernels_host import Wrong

from ort_core.devices import Device
from ort_core.memory.allocator import MemoryStats
from ort_core.providers.spec import Plugin
from ort_core.testing.fake import FakeDeviceControl, FakeDevicePlugin
from ort_core.testing.fake.executable import FakeExecutable
from ort_core.testing.fake.provider import DEVICE_COUNT, DEVICE_TYPE, FakeDeviceProvider
from ort_core.testing.fake.runtime import FakeRuntime
from ort_core.testing.fake.stream import FakeStream
from ort_core.values import DeviceTensor

NAME = "DeviceTestExecutionProvider"


def device_plugin(
    control: FakeDeviceControl,
    runtime: type[FakeRuntime] = FakeRuntime,
    executable: type[FakeExecutable] = FakeExecutable,
    plugin: type[FakeDevicePlugin] = FakeDevicePlugin,
) -> Plugin:
    """The plugin of a fake device, parts of which are replaced by wrong ones."""
    machine = control.runtime().machine

    class Provider(FakeDeviceProvider):
        name = NAME

        def compile(self, partition, ctx):
            return executable(NAME, self._runtime, partition, ctx)

    class TestPlugin(plugin):
        name = NAME

        def __init__(self):
            super().__init__(machine)
            for index in range(DEVICE_COUNT):
                device = Device(DEVICE_TYPE, index)
                machine.runtimes[device] = runtime(machine, device)

        def create(self, options, env):
            made = super().create(options, env)
            return Provider(made._runtime, made._ops)

    return TestPlugin()


def wrong(*fails: str, **parts: Any) -> Wrong:
    return Wrong(lambda control: device_plugin(control, **parts), fails)


class CopiesTooLittle(FakeRuntime):
    def copy(self, src, dst, stream=None):
        if isinstance(src, np.ndarray) and src.size > 1 and src.ndim == 1 and src.flags.writeable:
            super().copy(np.append(src[:-1], src[:1]), dst, stream)
        else:
            super().copy(src, dst, stream)


class IgnoresOffsets(FakeRuntime):
    def copy(self, src, dst, stream=None):
        super().copy(self._at_start(src), self._at_start(dst), stream)

    def _at_start(self, value):
        return DeviceTensor(value.element, value.shape, value.buffer) if isinstance(value, DeviceTensor) else value


class CopiesByColumns(FakeRuntime):
    def copy(self, src, dst, stream=None):
        if isinstance(src, np.ndarray) and src.ndim == 2:
            src = np.ascontiguousarray(src.T).reshape(src.shape)
        super().copy(src, dst, stream)


class SharesInsteadOfCopying(FakeRuntime):
    def copy(self, src, dst, stream=None):
        if isinstance(src, DeviceTensor) and isinstance(dst, DeviceTensor) and not dst.offset:
            dst.buffer = src.buffer
        else:
            super().copy(src, dst, stream)


class CopiesBeforeTheStreamIsDone(FakeRuntime):
    def copy(self, src, dst, stream=None):
        super().copy(src, dst, None if isinstance(dst, np.ndarray) else stream)


class ForgetsTheStreamOfAllocations(FakeRuntime):
    def allocate(self, nbytes, stream=None, kind="default"):
        return super().allocate(nbytes, None, kind)


class LeaksBuffers(FakeRuntime):
    def allocate(self, nbytes, stream=None, kind="default"):
        buffer = super().allocate(nbytes, stream, kind)
        self.__dict__.setdefault("kept", []).append(buffer)
        return buffer


class AllocatesAtOddAddresses(FakeRuntime):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._next_address += 1


class AllocatesTooLittle(FakeRuntime):
    def allocate(self, nbytes, stream=None, kind="default"):
        return super().allocate(nbytes // 16 * 16 if nbytes > 4096 else nbytes, stream, kind)


class RaisesMemoryErrorOfItsOwn(FakeRuntime):
    def allocate(self, nbytes, stream=None, kind="default"):
        if nbytes > 1 << 40:
            raise ValueError("array too large")
        return super().allocate(nbytes, stream, kind)


class CountsNothing(FakeRuntime):
    def stats(self):
        return MemoryStats()


class NeverCountsDown(FakeRuntime):
    def _drain(self):
        self._released.clear()


class DropsOwners(FakeRuntime):
    def wrap(self, ptr, nbytes, owner):
        return super().wrap(ptr, nbytes, None)


class Hasty(FakeStream):
    __slots__ = ()

    def synchronize(self):
        pass


class Deaf(FakeStream):
    __slots__ = ()

    def wait(self, event):
        pass


class SynchronizesTooEarly(FakeRuntime):
    def new_stream(self):
        return Hasty(self.machine, self.device)


class WaitsForNothing(FakeRuntime):
    def new_stream(self):
        return Deaf(self.machine, self.device)


class DoesNotWaitForItsStream(FakeExecutable):
    def _queue(self, ctx, step, arguments, target):
        stream, ctx.stream = ctx.stream, None
        try:
            super()._queue(ctx, step, arguments, target)
        finally:
            ctx.stream = stream


class WritesInputs(FakeExecutable):
    def run(self, ctx, inputs):
        donated = self._donation_candidates
        ctx_donated = type(ctx).donated
        try:
            type(ctx).donated = lambda self, index: index in donated
            return super().run(ctx, inputs)
        finally:
            type(ctx).donated = ctx_donated


class OneBufferForAllRuns(FakeExecutable):
    def _output(self, ctx, index, element, shape):
        kept = self.__dict__.setdefault("kept", {})
        if (index, shape) not in kept:
            kept[index, shape] = super()._output(ctx, index, element, shape)
        return kept[index, shape]


class IgnoresItsDeviceId(FakeDevicePlugin):
    def create(self, options, env):
        made = super().create(options, env)
        return FakeDeviceProvider(self.runtime(Device(DEVICE_TYPE, 0)), made._ops)


DEVICE: dict[str, Wrong] = {
    "copy of the wrong size": wrong("copies::round_trip[float]", runtime=CopiesTooLittle),
    "copy ignores offsets": wrong("copies::parts_of_buffers", runtime=IgnoresOffsets),
    "copy by columns": wrong("copies::round_trip[float]", runtime=CopiesByColumns),
    "copy shares memory": wrong("copies::copies_are_copies", runtime=SharesInsteadOfCopying),
    "copy before the stream is done": wrong(
        "copies::parts_of_buffers", "streams::events_wait_on_the_host", runtime=CopiesBeforeTheStreamIsDone
    ),
    "memory freed before the stream is done": wrong(
        "streams::inputs_change_as_soon_as_a_run_returns",
        "streams::unsynchronised_runs",
        runtime=ForgetsTheStreamOfAllocations,
    ),
    "stream does not wait on the host": wrong("streams::events_wait_on_the_host", runtime=SynchronizesTooEarly),
    "stream does not wait for events": wrong("streams::events_order_streams", runtime=WaitsForNothing),
    "kernel does not wait for its stream": wrong(
        "streams::inputs_change_as_soon_as_a_run_returns", executable=DoesNotWaitForItsStream
    ),
    "device memory leaked": wrong("memory::device_memory_comes_back[Add]", runtime=LeaksBuffers),
    "allocation not aligned": wrong("memory::allocations", runtime=AllocatesAtOddAddresses),
    "allocation too small": wrong("memory::allocations", runtime=AllocatesTooLittle),
    "out of memory of another type": wrong("memory::out_of_memory", runtime=RaisesMemoryErrorOfItsOwn),
    "statistics of nothing": wrong("memory::statistics", runtime=CountsNothing),
    "statistics never go down": wrong("memory::statistics", runtime=NeverCountsDown),
    "owner of wrapped memory dropped": wrong("memory::wrapped_memory", runtime=DropsOwners),
    "device inputs written": wrong("copies::device_inputs_and_outputs[Add]", executable=WritesInputs),
    "one device buffer for all runs": wrong(
        "copies::values_stay_on_the_device[MatMul]", executable=OneBufferForAllRuns
    ),
    "device_id ignored": wrong("options::device_id_takes_effect", plugin=IgnoresItsDeviceId),
}
