"""Constant tensors of a model: in memory, or still in the file that they came from."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ort_core.errors import InvalidArgument, RuntimeException
from ort_core.ir.types import ElementType


class WeightRef(ABC):
    """A constant tensor that need not be in memory.

    `view()` and `read_into()` deal in the stored bytes (little-endian, row-major, sub-byte elements packed low bits
    first); `array()` gives the decoded tensor. The bytes of a view may be unaligned.

    Attributes:
        element: the element type.
        shape: the dimensions.
        nbytes: the stored size in bytes.
        is_seekable: whether reading a part costs no more than the part.
    """

    __slots__ = ()

    is_seekable: bool = False

    element: ElementType
    shape: tuple[int, ...]
    nbytes: int

    @abstractmethod
    def view(self) -> memoryview:
        """The stored bytes, without a copy where the source allows it."""

    @abstractmethod
    def read_into(self, dst: memoryview, offset: int = 0) -> None:
        """Fills `dst` with the stored bytes from `offset` on.

        Raises:
            Fail: the file became shorter or unreadable.
        """

    @abstractmethod
    def array(self) -> np.ndarray:
        """The decoded tensor in memory of its own, read-only, aligned, C-contiguous."""


class ArrayWeight(WeightRef):
    """A `WeightRef` over an array in memory."""

    __slots__ = ("_array", "element", "nbytes", "shape")

    def __init__(self, array: np.ndarray, element: ElementType | None = None) -> None:
        self._array = np.ascontiguousarray(array).reshape(np.shape(array))
        self.element = element or ElementType.from_dtype(array.dtype)
        self.shape = self._array.shape
        self.nbytes = packed_size_bytes(self.element, self.shape)

    def view(self) -> memoryview:
        """The stored bytes."""
        return memoryview(pack(self._array, self.element).data)

    def read_into(self, dst: memoryview, offset: int = 0) -> None:
        """Fills `dst` with the stored bytes from `offset` on."""
        dst[:] = self.view()[offset : offset + len(dst)]

    def array(self) -> np.ndarray:
        """The array, without a copy."""
        out = self._array.view()
        out.flags.writeable = False
        return out


class ReleasedWeight(WeightRef):
    """Stands for a constant whose data the session has let go of; only its type is left."""

    __slots__ = ("element", "nbytes", "shape")

    def __init__(self, weight: WeightRef) -> None:
        self.element, self.shape, self.nbytes = weight.element, weight.shape, weight.nbytes

    def array(self) -> np.ndarray:
        """Raises RuntimeException: constants are read while the session is created."""
        raise RuntimeException("a constant was asked for after the session had released the model's data")

    def view(self) -> memoryview:
        """Raises RuntimeException."""
        return self.array().data

    def read_into(self, dst: memoryview, offset: int = 0) -> None:
        """Raises RuntimeException."""
        dst[:] = self.view()


def packed_size_bytes(element: ElementType, shape: Sequence[int]) -> int:
    """Bytes that a tensor takes in a model file; 0 for strings."""
    return (math.prod(shape) * element.bits + 7) // 8


def pack(array: np.ndarray, element: ElementType) -> np.ndarray:
    """The flat uint8 bytes of `array` as a model file stores them.

    Raises:
        InvalidArgument: the tensor holds strings.
    """
    if element is ElementType.STRING:
        raise InvalidArgument("string tensors have no packed bytes. Use array().")
    flat = np.ascontiguousarray(array).reshape(-1)
    if element.bits >= 8:
        return flat.view(np.uint8)
    if element.bits == 6:
        return _pack_six(flat.view(np.uint8))
    per_byte = 8 // element.bits
    mask = (1 << element.bits) - 1
    codes = flat.view(np.uint8) & mask
    codes = np.concatenate([codes, np.zeros(-len(codes) % per_byte, np.uint8)]).reshape(-1, per_byte)
    shifts = np.arange(per_byte, dtype=np.uint8) * element.bits
    packed: np.ndarray = np.bitwise_or.reduce(codes << shifts, axis=1).astype(np.uint8)
    return packed


def unpack(data: Any, element: ElementType, shape: Sequence[int]) -> np.ndarray:
    """The tensor that the stored bytes `data` (a buffer) stand for; a view of `data` where no unpacking is needed."""
    raw = np.frombuffer(data, np.uint8)
    count = math.prod(shape)
    if element is ElementType.BOOL and raw.size and raw.max() > 1:
        return np.reshape(raw != 0, shape)
    if element.bits >= 8:
        stored = element.dtype if element.dtype.itemsize == 1 else element.dtype.newbyteorder("<")
        array = raw.view(stored) if raw.size else np.empty(0, element.dtype)
        return array.astype(element.dtype, copy=False).reshape(shape)
    if element.bits == 6:
        return _unpack_six(raw)[:count].view(element.dtype).reshape(shape)
    per_byte = 8 // element.bits
    shifts = np.arange(per_byte, dtype=np.uint8) * element.bits
    codes = ((raw[:, None] >> shifts) & ((1 << element.bits) - 1)).reshape(-1)[:count]
    if element in (ElementType.INT4, ElementType.INT2):
        sign = 1 << (element.bits - 1)
        return ((codes.astype(np.int8) ^ sign) - sign).astype(element.dtype).reshape(shape)
    if element in (ElementType.UINT4, ElementType.UINT2):
        return codes.astype(element.dtype).reshape(shape)
    floats: np.ndarray = codes.view(element.dtype).reshape(shape)
    return floats


def _pack_six(codes: np.ndarray) -> np.ndarray:
    groups = np.concatenate([codes & 0x3F, np.zeros(-len(codes) % 4, np.uint8)]).reshape(-1, 4)
    packed = np.empty((len(groups), 3), np.uint8)
    packed[:, 0] = groups[:, 0] | groups[:, 1] << 6
    packed[:, 1] = groups[:, 1] >> 2 | groups[:, 2] << 4
    packed[:, 2] = groups[:, 2] >> 4 | groups[:, 3] << 2
    return packed.reshape(-1)[: (len(codes) * 6 + 7) // 8]


def _unpack_six(raw: np.ndarray) -> np.ndarray:
    packed = np.concatenate([raw, np.zeros(-len(raw) % 3, np.uint8)]).reshape(-1, 3)
    codes = np.empty((len(packed), 4), np.uint8)
    codes[:, 0] = packed[:, 0]
    codes[:, 1] = packed[:, 0] >> 6 | packed[:, 1] << 2
    codes[:, 2] = packed[:, 1] >> 4 | packed[:, 2] << 4
    codes[:, 3] = packed[:, 2] >> 2
    return codes.reshape(-1) & 0x3F
