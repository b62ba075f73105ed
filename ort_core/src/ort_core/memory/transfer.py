"""Copies of tensors outside a run, between host and devices: done when they return, unless a stream is given."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ort_core.devices import Device
from ort_core.errors import InvalidArgument
from ort_core.ir.types import ElementType, describe
from ort_core.memory.host import array_over, check_size, copy_elements, host_array
from ort_core.memory.registry import allocator_for, runtime_for
from ort_core.values import DeviceTensor, RuntimeValue, type_of

if TYPE_CHECKING:
    from ort_core.memory.allocator import DeviceRuntime, Stream


class _ThreadStreams(threading.local):
    """One stream per device runtime for the copies of a thread."""

    def __init__(self) -> None:
        self.by_device: dict[Device, tuple[DeviceRuntime, Stream | None]] = {}


_streams = _ThreadStreams()


def new_tensor(device: Device, element: ElementType, shape: Sequence[int]) -> RuntimeValue:
    """An uninitialised tensor in a device's memory, from its shared allocator if there is one.

    Memory that the host can read gives an array, other memory a `DeviceTensor`. Strings are empty.

    Raises:
        InvalidArgument: a negative dimension, a size beyond 63 bits, strings on a device, or an unknown device.
        OutOfMemory: there is no room.
    """
    dims = tuple(int(d) for d in shape)
    if any(d < 0 for d in dims):
        raise InvalidArgument(f"a tensor cannot have the shape {list(dims)}: dimensions must be at least 0")
    nbytes = check_size(math.prod(dims) * element.dtype.itemsize)
    if element is ElementType.STRING:
        if not device.is_host:
            raise InvalidArgument(f"strings live on the host only, not on {device}")
        return np.full(dims, "", object)
    buffer = allocator_for(device).allocate(nbytes, None, device.memory)
    if device.is_host:
        return array_over(buffer.ptr, element.dtype, dims, buffer)
    return DeviceTensor(element, dims, buffer)


def to_device(array: np.ndarray, device: Device) -> DeviceTensor:
    """A copy of a host tensor in a device's memory.

    Raises:
        InvalidArgument: strings, or an unknown device.
        OutOfMemory: there is no room.
    """
    tensor: DeviceTensor = new_tensor(device, ElementType.from_dtype(array.dtype), array.shape)
    copy_tensor(array, tensor)
    return tensor


def to_host(value: RuntimeValue) -> np.ndarray:
    """A tensor as an array: itself on the host, a copy from a device, once its contents are there."""
    if isinstance(value, np.ndarray):
        return value
    array = np.empty(value.shape, value.element.dtype)
    copy_tensor(value, array)
    return array


def wait_ready(value: RuntimeValue) -> None:
    """Blocks the host until the contents of a tensor are there."""
    if isinstance(value, DeviceTensor) and value.ready is not None:
        value.ready.wait_host()
        value.ready = None


def note_use(value: RuntimeValue, stream: Stream | None) -> None:
    """Tells the allocator of a tensor that work queued on `stream` uses it, so that freeing it comes after that work.

    Only needed for memory that was not allocated for that stream; allocators that wait on their own ignore it.
    """
    if isinstance(value, DeviceTensor) and stream is not None:
        record = getattr(value.buffer, "record_stream", None)
        if record is not None:
            record(stream)


def copy_tensor(src: RuntimeValue, dst: RuntimeValue, stream: Stream | None = None) -> None:
    """Copies the elements of a tensor, in row-major order, into another of the same element type and element count.

    Args:
        stream: the copy is queued there and `dst.ready` tells when it is done; the host side must be left alone until
            then. None waits.

    Raises:
        InvalidArgument: types or counts differ, the target is read-only, or strings would leave the host.
    """
    source, target = _side(src), _side(dst)
    _check_same_elements(source, target)
    devices = [v for v in (target, source) if isinstance(v, DeviceTensor)]
    if not devices:
        wait_ready(src)
        wait_ready(dst)
        copy_elements(source, target)
        return
    if len(devices) == 2 and source.device.type != target.device.type:
        copy_tensor(to_host(source), target, stream)
        return
    if isinstance(target, np.ndarray) and not (target.flags.c_contiguous and target.flags.writeable):
        copy_elements(to_host(source), target)
        return
    device = devices[0].device
    runtime = runtime_for(device)
    queue = _stream_of(device, runtime) if stream is None else stream
    for tensor in devices:
        _order(tensor, device, queue)
    if isinstance(source, np.ndarray):
        source = np.ascontiguousarray(source)
    runtime.copy(_shaped(source, target.shape), target, queue)
    if stream is None:
        if queue is not None:
            _finish(device, queue)
        return
    for tensor in devices:
        note_use(tensor, stream)
    if isinstance(dst, DeviceTensor):
        dst.ready = stream.record()


def _side(value: RuntimeValue) -> RuntimeValue:
    """A tensor as an array where the host can read it."""
    if isinstance(value, DeviceTensor) and not value.device.is_host:
        return value
    return host_array(value)


def _check_same_elements(source: RuntimeValue, target: RuntimeValue) -> None:
    have, want = type_of(source), type_of(target)
    same = getattr(have, "element", None) is getattr(want, "element", None)
    if not same or math.prod(source.shape) != math.prod(target.shape):
        raise InvalidArgument(
            f"cannot copy {describe(have)} into {describe(want)}: element type and number of elements must agree"
        )
    if getattr(have, "element", None) is ElementType.STRING and not (
        isinstance(source, np.ndarray) and isinstance(target, np.ndarray)
    ):
        raise InvalidArgument("strings live on the host only and cannot be copied to or from a device")


def _shaped(value: RuntimeValue, shape: tuple[int, ...]) -> RuntimeValue:
    if isinstance(value, np.ndarray):
        return value.reshape(shape)
    return value if value.shape == shape else DeviceTensor(value.element, shape, value.buffer, value.offset)


def _order(tensor: DeviceTensor, device: Device, queue: Stream | None) -> None:
    if tensor.ready is None:
        return
    if queue is None or tensor.device != device:
        tensor.ready.wait_host()
    else:
        queue.wait(tensor.ready)


def _stream_of(device: Device, runtime: DeviceRuntime) -> Stream | None:
    known = _streams.by_device.get(device)
    if known is None or known[0] is not runtime:
        known = _streams.by_device[device] = runtime, runtime.new_stream()
    return known[1]


def _finish(device: Device, queue: Stream) -> None:
    try:
        queue.synchronize()
    except BaseException:
        _streams.by_device.pop(device, None)
        raise
