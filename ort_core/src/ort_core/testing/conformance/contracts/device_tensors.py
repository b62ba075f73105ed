"""Tensors in a device's memory, made and read with its runtime alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ort_core.ir.types import ElementType
from ort_core.values import DeviceTensor

if TYPE_CHECKING:
    from ort_core.memory.allocator import DeviceRuntime, Stream

ELEMENTS = tuple(element for element in ElementType if element is not ElementType.STRING)
"""The types that device memory can hold."""


def new_tensor(
    runtime: DeviceRuntime, element: ElementType, shape: tuple[int, ...], stream: Stream | None = None
) -> DeviceTensor:
    """Uninitialised memory, usable in the order of the stream."""
    nbytes = math.prod(shape) * element.dtype.itemsize
    return DeviceTensor(element, shape, runtime.allocate(nbytes, stream))


def put(runtime: DeviceRuntime, array: np.ndarray, stream: Stream | None = None) -> DeviceTensor:
    """A tensor with the contents of an array, valid in the order of the stream; the array must stay as it is until then."""
    tensor = new_tensor(runtime, ElementType.from_dtype(array.dtype), array.shape, stream)
    runtime.copy(array, tensor, stream)
    return tensor


def get(runtime: DeviceRuntime, tensor: DeviceTensor, stream: Stream | None = None) -> np.ndarray:
    """The contents of a tensor, once the stream is done with it."""
    array = np.empty(tensor.shape, tensor.element.dtype)
    runtime.copy(tensor, array, stream)
    if stream is not None:
        stream.synchronize()
    return array


def part(tensor: DeviceTensor, first: int, shape: tuple[int, ...]) -> DeviceTensor:
    """A tensor of the same memory that begins at element `first`."""
    offset = tensor.offset + first * tensor.element.dtype.itemsize
    return DeviceTensor(tensor.element, shape, tensor.buffer, offset)
