"""All state of one call of `run`: streams, cancellation, configuration, profiler."""

from __future__ import annotations

import contextlib
import ctypes
import math
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from ort_core.devices import Device
from ort_core.errors import Fail, InvalidArgument
from ort_core.ir.shapes import format_shape
from ort_core.ir.types import ElementType, TensorType, describe
from ort_core.memory.registry import runtime_for
from ort_core.values import DeviceTensor, RuntimeValue

if TYPE_CHECKING:
    from ort_core.memory.allocator import Buffer, DeviceRuntime, Stream
    from ort_core.plan.plan import RunStep
    from ort_core.providers.spec import MemoryMeter, Profiler


class StreamPool:
    """Idle streams of a session, by device; a stream that failed is not put back.

    Attributes:
        allocator: gives what memory of a device is taken from.
    """

    def __init__(self, allocator: Callable[[Device], DeviceRuntime]) -> None:
        self.allocator = allocator
        self._idle: dict[Device, list[Stream]] = {}
        self._lock = threading.Lock()

    def take(self, device: Device) -> Stream | None:
        """An idle stream or a new one; None if the device works synchronously."""
        with self._lock:
            idle = self._idle.get(device)
            if idle:
                return idle.pop()
        return runtime_for(device).new_stream()

    def put(self, device: Device, stream: Stream) -> None:
        """Makes a synchronised stream available again."""
        with self._lock:
            self._idle.setdefault(device, []).append(stream)

    def clear(self) -> None:
        """Forgets the idle streams."""
        with self._lock:
            self._idle.clear()


class RunState:
    """One call of `run`.

    Attributes:
        cancel_flag: non-zero once the run was terminated.
        allocator: gives what memory of a device is taken from.
        memory: counts the host memory of the run; None if there is no limit.
    """

    __slots__ = ("_pool", "_streams", "allocator", "binding_id", "cancel_flag", "config", "memory", "profiler")

    def __init__(
        self,
        pool: StreamPool,
        cancel_flag: ctypes.c_uint32,
        config: Mapping[str, str],
        profiler: Profiler | None = None,
        binding_id: int | None = None,
        *,
        memory: MemoryMeter | None = None,
    ) -> None:
        self._pool = pool
        self._streams: dict[Device, Stream] = {}
        self.allocator = pool.allocator
        self.cancel_flag = cancel_flag
        self.config = config
        self.profiler = profiler
        self.binding_id = binding_id
        self.memory = memory

    def stream(self, device: Device) -> Stream | None:
        """The stream of this run on `device`."""
        if device.is_host:
            return None
        stream = self._streams.get(device)
        if stream is None:
            stream = self._pool.take(device)
            if stream is not None:
                self._streams[device] = stream
        return stream

    def new_tensor(self, device: Device, element: ElementType, shape: Sequence[int]) -> DeviceTensor:
        """Uninitialised memory on a device, in the order of this run's stream there."""
        shape = tuple(shape)
        nbytes = math.prod(shape) * element.dtype.itemsize
        return DeviceTensor(element, shape, self.allocator(device).allocate(nbytes, self.stream(device)))

    def check(self) -> None:
        """Raises Fail when the run was terminated."""
        if self.cancel_flag.value:
            raise Fail(
                "Exiting due to terminate flag being set to true. Set RunOptions.terminate to False to run again."
            )

    def synchronize(self) -> None:
        """Waits for all device work and gives the streams back; raises what a stream failed with."""
        while self._streams:
            device, stream = self._streams.popitem()
            stream.synchronize()
            self._pool.put(device, stream)

    def release(self) -> None:
        """Gives the streams back without waiting: later users of a stream come after what is queued on it."""
        while self._streams:
            self._pool.put(*self._streams.popitem())

    def abandon(self) -> None:
        """After a failure: waits for what is queued, ignoring further errors."""
        while self._streams:
            _, stream = self._streams.popitem()
            # The first error is on its way to the user.
            with contextlib.suppress(Exception):
                stream.synchronize()


class BoundOutput(NamedTuple):
    """The buffer that the caller bound to the output `name`."""

    name: str
    buffer: RuntimeValue


class StepContext:
    """The `RunContext` of one step."""

    __slots__ = (
        "_arguments",
        "_bound",
        "_scratch",
        "_state",
        "_step",
        "binding_id",
        "cancel_flag",
        "config",
        "memory",
        "profiler",
        "stream",
        "wanted",
    )

    def __init__(
        self, state: RunState, step: RunStep, arguments: list[RuntimeValue], bound: Mapping[int, BoundOutput]
    ) -> None:
        self._state = state
        self._step = step
        self._arguments = arguments
        self._bound = bound
        self._scratch: list[Buffer] | None = None
        self.cancel_flag = state.cancel_flag
        self.config = state.config
        self.binding_id = state.binding_id
        self.profiler = state.profiler
        self.memory = state.memory
        self.wanted = step.wanted
        self.stream = None if step.device.is_host else state.stream(step.device)

    def output(self, index: int, element: ElementType, shape: Sequence[int]) -> RuntimeValue:
        """Where output `index` goes: the bound buffer, else new memory of the device."""
        step = self._step
        target = self._bound.get(step.outputs[index]) if self._bound else None
        if target is not None:
            check_fits(target, element, shape)
            wait_in_order(target.buffer, self._state)
            return target.buffer
        if step.device.is_host:
            if self.memory is not None:
                nbytes = math.prod(shape) * element.dtype.itemsize
                self.memory.admit(nbytes, f"{step.provider}: output '{step.output_names[index]}'")
            return np.empty(tuple(shape), element.dtype)
        return self._state.new_tensor(step.device, element, shape)

    def donated(self, index: int) -> bool:
        """Whether nothing else will read input `index` or share its memory."""
        return self._step.donatable[index] and is_exclusive(self._arguments, index)

    def scratch(self, nbytes: int) -> Buffer:
        """Memory until the call ends, in stream order."""
        buffer = self._state.allocator(self._step.device).allocate(nbytes, self.stream)
        if self._scratch is None:
            self._scratch = []
        self._scratch.append(buffer)
        return buffer

    def check(self) -> None:
        """Raises when the run was terminated."""
        self._state.check()


def wait_in_order(value: RuntimeValue, state: RunState) -> None:
    """Makes later work of this run come after the event that a tensor waits for."""
    if isinstance(value, DeviceTensor) and value.ready is not None:
        stream = state.stream(value.device)
        if stream is None:
            value.ready.wait_host()
        else:
            stream.wait(value.ready)


def check_fits(target: BoundOutput, element: ElementType, shape: Sequence[int]) -> None:
    """Raises InvalidArgument if a bound buffer has another type or shape than the result."""
    name, buffer = target
    have = element_of(buffer)
    if have is not element or tuple(buffer.shape) != tuple(shape):
        raise InvalidArgument(
            f"the buffer bound to output '{name}' is {describe(TensorType(have, tuple(buffer.shape)))}, the result is "
            f"tensor({element.onnx_name}) {format_shape(shape)}. Bind a buffer of that type and shape, or none."
        )


def element_of(tensor: RuntimeValue) -> ElementType:
    """The element type of an array or a device tensor."""
    return tensor.element if isinstance(tensor, DeviceTensor) else ElementType.from_dtype(tensor.dtype)


def is_exclusive(arguments: list[RuntimeValue], index: int) -> bool:
    """Whether the only reference to a tensor and its memory is `arguments[index]`."""
    if not _COUNTS_ARE_EXACT:
        return False
    references = _references(arguments, index)
    value = arguments[index]
    if isinstance(value, DeviceTensor):
        return references == _ALONE_TENSOR
    return isinstance(value, np.ndarray) and value.base is None and value.flags.writeable and references == _ALONE_ARRAY


def _references(arguments: list[Any], index: int) -> tuple[int, int]:
    """Reference counts of a tensor and its buffer, temporary ones of this call included."""
    value = arguments[index]
    return sys.getrefcount(value), sys.getrefcount(value.buffer) if isinstance(value, DeviceTensor) else 0


# What a single reference counts depends on the interpreter. Without its lock the counts tell nothing.
_COUNTS_ARE_EXACT: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
_ALONE_ARRAY = _references([np.empty(0)], 0)
_ALONE_TENSOR = _references([DeviceTensor(ElementType.FLOAT, (), cast("Buffer", object()))], 0)
