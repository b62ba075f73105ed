"""Host memory as a device runtime: 64-byte aligned blocks, synchronous copies, no streams."""

from __future__ import annotations

import functools
import math
import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ort_core.devices import HOST
from ort_core.errors import InvalidArgument, OutOfMemory
from ort_core.ir.types import describe
from ort_core.memory.allocator import MemoryStats
from ort_core.values import DeviceTensor, RuntimeValue, type_of

if TYPE_CHECKING:
    from ort_core.memory.allocator import Stream

ALIGNMENT_BYTES = 64
MAX_BYTES = (1 << 63) - 1
"""Sizes above this overflow a pointer difference, on every device."""


class HostBuffer:
    """A block of host memory, or a view of memory that `owner` keeps alive."""

    __slots__ = ("_owner", "_released", "nbytes", "ptr")

    device = HOST

    def __init__(self, ptr: int, nbytes: int, owner: object, released: deque[int] | None = None) -> None:
        self.ptr = ptr
        self.nbytes = nbytes
        self._owner = owner
        self._released = released

    def __del__(self) -> None:
        if self._released is not None:
            self._released.append(self.nbytes)


class HostRuntime:
    """Numpy's memory behind the `DeviceRuntime` protocol; thread-safe."""

    device = HOST

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stats = MemoryStats()
        # Finalizers run at any point, also while this thread holds the lock, so they only append.
        self._released: deque[int] = deque()

    def allocate(self, nbytes: int, stream: Stream | None = None, kind: str = "default") -> HostBuffer:
        """A block aligned to 64 bytes; `stream` and `kind` make no difference on the host.

        Raises:
            InvalidArgument: the size is negative or does not fit 63 bits.
            OutOfMemory: the system has no such block.
        """
        check_size(nbytes)
        try:
            raw = np.empty(nbytes + ALIGNMENT_BYTES, np.uint8)
        except (MemoryError, ValueError) as error:
            raise OutOfMemory(
                f"cannot allocate {nbytes} bytes on {HOST}: the system has no such block; "
                f"{self.stats().in_use_bytes} bytes are in use here"
            ) from error
        address = raw.ctypes.data
        buffer = HostBuffer(address + -address % ALIGNMENT_BYTES, nbytes, raw, self._released)
        with self._lock:
            self._drain()
            stats = self._stats
            stats.in_use_bytes += nbytes
            stats.num_allocations += 1
            stats.peak_in_use_bytes = max(stats.peak_in_use_bytes, stats.in_use_bytes)
            stats.largest_allocation_bytes = max(stats.largest_allocation_bytes, nbytes)
        return buffer

    def copy(self, src: RuntimeValue, dst: RuntimeValue, stream: Stream | None = None) -> None:
        """Copies a tensor that the host can read into another of the same type and number of elements."""
        copy_elements(host_array(src), host_array(dst))

    def new_stream(self) -> Stream | None:
        """None: work is done when a call returns."""
        return None

    def wrap(self, ptr: int, nbytes: int, owner: object) -> HostBuffer:
        """A buffer over memory that `owner` keeps alive."""
        check_size(nbytes)
        return HostBuffer(ptr, nbytes, owner)

    def trim(self) -> int:
        """0: freed blocks go back to the system at once."""
        return 0

    def stats(self) -> MemoryStats:
        """What came from `allocate` and is still in use; arrays that numpy made are not in it."""
        with self._lock:
            self._drain()
            s = self._stats
            return MemoryStats(
                in_use_bytes=s.in_use_bytes,
                peak_in_use_bytes=s.peak_in_use_bytes,
                reserved_bytes=s.in_use_bytes,
                num_allocations=s.num_allocations,
                largest_allocation_bytes=s.largest_allocation_bytes,
            )

    def after_fork(self) -> None:
        """Host memory is the child's own; only the lock may have been held."""
        self._lock = threading.Lock()

    def _drain(self) -> None:
        while self._released:
            self._stats.in_use_bytes -= self._released.popleft()


@functools.cache
def host_runtime() -> HostRuntime:
    """The host's runtime: one for the process."""
    return HostRuntime()


class _Exporter:
    """Lets numpy view a block and keep `owner` alive as the array's base."""

    __slots__ = ("__array_interface__", "owner")

    def __init__(self, ptr: int, nbytes: int, owner: object, read_only: bool) -> None:
        self.owner = owner
        self.__array_interface__ = {
            "data": (ptr, read_only),
            "shape": (nbytes,),
            "typestr": "|u1",
            "version": 3,
        }


def array_over(
    ptr: int, dtype: np.dtype, shape: Sequence[int], owner: object, *, read_only: bool = False
) -> np.ndarray:
    """An array over memory at `ptr` that keeps `owner` alive. Nothing is read, so `ptr` may be a device address.

    Raises:
        InvalidArgument: the size does not fit 63 bits, or there is no memory at 0.
    """
    dims = tuple(int(d) for d in shape)
    nbytes = check_size(math.prod(dims) * dtype.itemsize)
    if nbytes and not ptr:
        raise InvalidArgument(f"a tensor of {nbytes} bytes cannot lie at address 0")
    if not ptr:
        return np.empty(dims, dtype)
    raw: np.ndarray[Any, Any] = np.asarray(_Exporter(ptr, nbytes, owner, read_only))
    return raw.view(dtype).reshape(dims)


def host_array(value: RuntimeValue) -> np.ndarray:
    """A tensor that the host can read, as an array over the same memory.

    Raises:
        InvalidArgument: it is not a tensor, or lies on a device.
    """
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, DeviceTensor) and value.device.is_host:
        return array_over(value.ptr, value.element.dtype, value.shape, value.buffer)
    where = f" on {value.device}" if isinstance(value, DeviceTensor) else ""
    raise InvalidArgument(f"the host cannot read {describe(type_of(value))}{where} as a tensor")


def copy_elements(source: np.ndarray, target: np.ndarray) -> None:
    """Copies all elements in row-major order.

    Raises:
        InvalidArgument: element types or counts differ, or the target is read-only.
    """
    if source.dtype != target.dtype or source.size != target.size:
        raise InvalidArgument(
            f"cannot copy {describe(type_of(source))} into {describe(type_of(target))}: element type and number of "
            "elements must agree"
        )
    if not target.flags.writeable:
        raise InvalidArgument(f"cannot copy into a read-only {describe(type_of(target))}. Copy the array first.")
    np.copyto(target, source.reshape(target.shape))


def check_size(nbytes: int) -> int:
    """`nbytes`, if a device could hold it.

    Raises:
        InvalidArgument: it is negative or does not fit 63 bits.
    """
    if not 0 <= nbytes <= MAX_BYTES:
        raise InvalidArgument(f"a size of {nbytes} bytes is not between 0 and 2**63 - 1: integer overflow in a shape?")
    return nbytes
