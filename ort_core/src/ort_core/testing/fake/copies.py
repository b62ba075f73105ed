"""Copies between host arrays and the fake device that happen late, and what they check."""

from __future__ import annotations

import math
import zlib

import numpy as np

from ort_core.errors import InvalidArgument
from ort_core.ir.types import ElementType
from ort_core.testing.fake.machine import FakeDeviceViolation, Machine
from ort_core.testing.fake.memory import POISON
from ort_core.values import DeviceTensor, RuntimeValue


class LateCopy:
    """A queued copy. It scrambles a host target at once, and notices a host source that changes while it waits."""

    __slots__ = ("_checksum", "_machine", "_source", "_target")

    def __init__(self, machine: Machine, source: np.ndarray, target: np.ndarray, *, to_host: bool) -> None:
        self._machine = machine
        self._source = source
        self._target = target
        self._checksum: int | None = None
        host = target if to_host else source
        low = host.__array_interface__["data"][0]
        high = low + host.nbytes
        pending = list(machine.pending_host.values())
        overlapping = [written for first, end, written in pending if first < high and low < end]
        machine.pending_host[id(self)] = (low, high, to_host)
        if to_host and not overlapping:
            host.fill(POISON)
        if not to_host and not any(overlapping):
            self._checksum = zlib.crc32(host.data)

    def __call__(self) -> None:
        """Does the copy.

        Raises:
            FakeDeviceViolation: the host source is not what it was.
        """
        changed = self._checksum is not None and zlib.crc32(self._source.data) != self._checksum
        np.copyto(self._target, self._source)
        if changed:
            text = "host memory changed while a copy from it was queued: wait for the copy before writing to the array"
            self._machine.violations.append(text)
            raise FakeDeviceViolation(text)

    def close(self) -> None:
        """Forgets the host range."""
        self._machine.pending_host.pop(id(self), None)


def element_of(value: RuntimeValue) -> ElementType:
    """The element type of a tensor."""
    return value.element if isinstance(value, DeviceTensor) else ElementType.from_dtype(value.dtype)


def check_same_elements(src: RuntimeValue, dst: RuntimeValue) -> None:
    """Checks that one tensor can be copied into another.

    Raises:
        InvalidArgument: element types or counts differ, or they are strings.
    """
    for value in (src, dst):
        if not isinstance(value, np.ndarray | DeviceTensor):
            raise InvalidArgument(f"only tensors can be copied between devices, got {type(value).__name__}")
    have, want = element_of(src), element_of(dst)
    if have is not want or have is ElementType.STRING or math.prod(src.shape) != math.prod(dst.shape):
        raise InvalidArgument(
            f"cannot copy tensor({have.onnx_name}) {list(src.shape)} into tensor({want.onnx_name}) {list(dst.shape)}: type "
            "and number of elements must agree, and strings live on the host only"
        )


def host_bytes(array: np.ndarray, *, writes: bool = False) -> np.ndarray:
    """The memory of a host array.

    Raises:
        InvalidArgument: it is not contiguous, or read-only and to be written.
    """
    if not array.flags.c_contiguous or (writes and not array.flags.writeable):
        raise InvalidArgument(
            "a host array in a device copy must be C-contiguous, and writeable where it is the target"
        )
    return array.reshape(-1).view(np.uint8)
