"""Constant tensors of a model: in memory, or still in the file that they came from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ort_core.ir.types import ElementType


@runtime_checkable
class WeightRef(Protocol):
    """A constant tensor that need not be in memory.

    `view()` and `read_into()` deal in the stored bytes (little-endian, row-major, sub-byte elements packed low nibble
    first); `array()` gives the decoded tensor. The bytes of a view may be unaligned.
    """

    @property
    def element(self) -> ElementType:
        """The element type."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The dimensions."""

    @property
    def nbytes(self) -> int:
        """The stored size in bytes."""

    def view(self) -> memoryview:
        """The stored bytes, without a copy where the source allows it."""

    def read_into(self, dst: memoryview) -> None:
        """Copies the stored bytes into `dst` (`nbytes` long).

        Raises:
            Fail: the file became shorter or unreadable.
        """

    def array(self) -> np.ndarray:
        """The decoded tensor in memory of its own, read-only, aligned, C-contiguous."""


class ArrayWeight:
    """A `WeightRef` over an array in memory."""

    __slots__ = ("_array", "element")

    def __init__(self, array: np.ndarray, element: ElementType | None = None) -> None:
        self._array = np.ascontiguousarray(array).reshape(np.shape(array))
        self.element = element or ElementType.from_dtype(array.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The dimensions."""
        return self._array.shape

    @property
    def nbytes(self) -> int:
        """The stored size in bytes."""
        return packed_size_bytes(self.element, self._array.shape)

    def view(self) -> memoryview:
        """The stored bytes."""
        return memoryview(pack(self._array, self.element).data)

    def read_into(self, dst: memoryview) -> None:
        """Copies the stored bytes into `dst`."""
        dst[:] = self.view()

    def array(self) -> np.ndarray:
        """The array, without a copy."""
        out = self._array.view()
        out.flags.writeable = False
        return out


def packed_size_bytes(element: ElementType, shape: Sequence[int]) -> int:
    """Bytes that a tensor takes in a model file; 0 for strings."""
    return (math.prod(shape) * element.bits + 7) // 8


def pack(array: np.ndarray, element: ElementType) -> np.ndarray:
    """The flat uint8 bytes of `array` as a model file stores them."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if element.bits >= 8:
        return flat.view(np.uint8)
    per_byte = 8 // element.bits
    mask = (1 << element.bits) - 1
    codes = flat.view(np.uint8) & mask
    codes = np.concatenate([codes, np.zeros(-len(codes) % per_byte, np.uint8)]).reshape(-1, per_byte)
    shifts = np.arange(per_byte, dtype=np.uint8) * element.bits
    return np.bitwise_or.reduce(codes << shifts, axis=1).astype(np.uint8)


def unpack(data: Any, element: ElementType, shape: Sequence[int]) -> np.ndarray:
    """The tensor that the stored bytes `data` (a buffer) stand for; a view of `data` where no unpacking is needed."""
    raw = np.frombuffer(data, np.uint8)
    count = math.prod(shape)
    if element.bits >= 8:
        stored = element.dtype if element.dtype.itemsize == 1 else element.dtype.newbyteorder("<")
        array = raw.view(stored) if raw.size else np.empty(0, element.dtype)
        return array.astype(element.dtype, copy=False).reshape(shape)
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


def content_hash(weight: WeightRef) -> str:
    """SHA-256 of element type, shape and stored bytes: equal hashes mean equal tensors."""
    digest = hashlib.sha256(f"{int(weight.element)}{weight.shape}".encode())
    if weight.element is ElementType.STRING:
        for item in weight.array().reshape(-1):
            data = item.encode() if isinstance(item, str) else bytes(item)
            digest.update(len(data).to_bytes(8, "little") + data)
    else:
        digest.update(weight.view())
    return digest.hexdigest()
