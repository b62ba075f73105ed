"""Values in protobuf's wire format."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

VARINT, LENGTH, FIXED32 = 0, 2, 5
"""How a field is written, which the lowest bits of its tag tell."""

_TAGGED_FLOAT = 5
_INT32_MAX = (1 << 31) - 1
_UINT64 = 1 << 64


class OddMessageError(Exception):
    """Something that only the `onnx` package can judge."""


def read_float_run(items: list[Any], data: bytes, pos: int, end: int) -> int:
    """Appends the float at `pos`, and those that follow it directly with the same tag; returns where the last ends."""
    tags = data[pos - 1 : end : _TAGGED_FLOAT]
    count = min(len(tags) - len(tags.lstrip(tags[:1])), (end - pos + 1) // _TAGGED_FLOAT)
    if not count or data[pos - 1] & 7 != FIXED32:
        raise OddMessageError
    stop = pos - 1 + _TAGGED_FLOAT * count
    items.extend([value for (value,) in struct.iter_unpack("<xf", data[pos - 1 : stop])])
    return stop


def read_varint(data: bytes, pos: int) -> tuple[int, int]:
    """The unsigned integer at `pos`, and where it ends."""
    byte = data[pos]
    if byte < 0x80:
        return byte, pos + 1
    value, shift = byte & 0x7F, 7
    while shift < 70:
        pos += 1
        byte = data[pos]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value < _UINT64:
                return value, pos + 1
            break
        shift += 7
    raise OddMessageError


def read_text(data: bytes, start: int, stop: int, depth: int) -> str:
    """A string."""
    return str(data[start:stop], "utf-8")


def read_bytes(data: bytes, start: int, stop: int, depth: int) -> bytes:
    """Bytes as they are."""
    return data[start:stop]


def read_float(data: bytes, start: int, stop: int, depth: int) -> float:
    """A float of 32 bits."""
    value: float = struct.unpack_from("<f", data, start)[0]
    return value


def to_int64(value: int) -> int:
    """The signed integer that a varint stands for."""
    return value - _UINT64 if value >> 63 else value


def to_uint64(value: int) -> int:
    """A varint as it is."""
    return value


def to_int32(value: int) -> int:
    """As `to_int64`, of 32 bits."""
    value = to_int64(value)
    if not -_INT32_MAX <= value <= _INT32_MAX:
        raise OddMessageError
    return value


def packed_varints(convert: Callable[[int], int]) -> Callable[..., list[int]]:
    """The reader of packed integers."""

    def read(data: bytes, start: int, stop: int, depth: int) -> list[int]:
        items: list[int] = []
        while start < stop:
            value, start = read_varint(data, start)
            items.append(convert(value))
        if start != stop:
            raise OddMessageError
        return items

    return read


def packed_floats(code: str) -> Callable[..., Any]:
    """The reader of packed floats, whose `struct` code is given."""
    size = struct.calcsize(code)

    def read(data: bytes, start: int, stop: int, depth: int) -> tuple[float, ...]:
        count, rest = divmod(stop - start, size)
        if rest:
            raise OddMessageError
        return struct.unpack_from(f"<{count}{code}", data, start)

    return read
