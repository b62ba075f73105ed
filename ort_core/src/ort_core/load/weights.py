"""Constant tensors that stay in the file or buffer that they came from until somebody reads them."""

from __future__ import annotations

import numpy as np

from ort_core.errors import InvalidGraph
from ort_core.ir.proto_tensors import decode_items, storage_count
from ort_core.ir.tensors import WeightRef, pack, packed_size_bytes, unpack
from ort_core.ir.types import ElementType
from ort_core.load.source import ByteSource

ALIGNMENT_BYTES = 64


class StoredWeight(WeightRef):
    """A `WeightRef` to a byte range that holds the tensor as ONNX's raw_data does."""

    __slots__ = ("element", "nbytes", "offset", "shape", "source")

    is_seekable = True

    def __init__(self, source: ByteSource, offset: int, element: ElementType, shape: tuple[int, ...]) -> None:
        self.source = source
        self.offset = offset
        self.element = element
        self.shape = shape
        self.nbytes = packed_size_bytes(element, shape)

    def view(self) -> memoryview:
        """The stored bytes; read now if the source is a file."""
        return self.source.view(self.offset, self.nbytes)

    def read_into(self, dst: memoryview, offset: int = 0) -> None:
        """Fills `dst` with the stored bytes from `offset` on."""
        self.source.read_into(self.offset + offset, dst)

    def array(self) -> np.ndarray:
        """The decoded tensor in memory of its own, aligned to `ALIGNMENT_BYTES`, read-only."""
        raw = aligned_empty(self.nbytes)
        self.source.read_into(self.offset, raw.data)
        array = unpack(raw, self.element, self.shape)
        array.flags.writeable = False
        return array

    def __repr__(self) -> str:
        return f"StoredWeight({self.element.onnx_name} {list(self.shape)} at {self.offset} of '{self.source.name}')"


class VarintWeight(WeightRef):
    """A `WeightRef` to a packed int32_data, int64_data or uint64_data field."""

    __slots__ = ("element", "length", "nbytes", "offset", "shape", "signed", "source", "where")

    def __init__(
        self,
        source: ByteSource,
        offset: int,
        length: int,
        element: ElementType,
        shape: tuple[int, ...],
        *,
        signed: bool,
        where: str,
    ) -> None:
        self.source = source
        self.offset = offset
        self.length = length
        self.element = element
        self.shape = shape
        self.signed = signed
        self.where = where
        self.nbytes = packed_size_bytes(element, shape)

    def view(self) -> memoryview:
        """The bytes as raw_data would store them."""
        return pack(self.array(), self.element).data

    def read_into(self, dst: memoryview, offset: int = 0) -> None:
        """Fills `dst` with the bytes of `view()` from `offset` on."""
        dst[:] = self.view()[offset : offset + len(dst)]

    def array(self) -> np.ndarray:
        """The decoded tensor.

        Raises:
            InvalidGraph: the field does not hold as many integers as the dimensions ask for.
        """
        raw = np.frombuffer(self.source.view(self.offset, self.length), np.uint8)
        items = decode_varints(raw, storage_count(self.element, self.shape), self.where)
        array = decode_items(items.view(np.int64) if self.signed else items, self.element, self.shape, self.where)
        array.flags.writeable = False
        return array


def decode_varints(raw: np.ndarray, expected: int, where: str) -> np.ndarray:
    """The uint64 values of concatenated protobuf varints.

    Raises:
        InvalidGraph: there are not `expected` of them, or one is longer than 10 bytes or unfinished.
    """
    ends = np.flatnonzero(raw < 0x80)
    if len(ends) != expected or (len(raw) and (not len(ends) or ends[-1] != len(raw) - 1)):
        raise InvalidGraph(
            f"{where}: expected {expected} integers, got {len(ends)} in {len(raw)} bytes. "
            "The model file is damaged; export it again."
        )
    starts = np.concatenate([np.zeros(1, ends.dtype), ends[:-1] + 1]) if len(ends) else ends
    lengths = ends - starts + 1
    longest = int(lengths.max(initial=0))
    if longest > 10:
        raise InvalidGraph(
            f"{where}: an integer takes {longest} bytes, the limit is 10. The model file is damaged; export it again."
        )
    values = np.zeros(len(ends), np.uint64)
    for position in range(longest):
        has = np.flatnonzero(lengths > position) if position else slice(None)
        values[has] |= (raw[starts[has] + position] & 0x7F).astype(np.uint64) << np.uint64(7 * position)
    return values


def aligned_empty(size: int) -> np.ndarray:
    """Uninitialised bytes whose address is a multiple of `ALIGNMENT_BYTES`."""
    block = np.empty(size + ALIGNMENT_BYTES, np.uint8)
    start = -block.__array_interface__["data"][0] % ALIGNMENT_BYTES
    return block[start : start + size]


class WeightBlocks:
    """Reads weights of moderate size into large blocks that they share; a block lives as long as an array in it.

    Memory in large blocks comes in huge pages, which makes reading hundreds of megabytes several times quicker than one
    allocation per weight. numpy asks for such pages from 4 MiB on, so larger weights gain nothing from sharing.
    """

    BLOCK_BYTES = 64 << 20
    SMALLEST_BYTES, LARGEST_BYTES = 128 << 10, 4 << 20

    def __init__(self) -> None:
        self._block = np.empty(0, np.uint8)
        self._used = 0

    def array(self, weight: WeightRef) -> np.ndarray:
        """What `weight.array()` gives.

        Raises:
            Fail: a file changed or ends early.
        """
        fits = isinstance(weight, StoredWeight) and self.SMALLEST_BYTES <= weight.nbytes < self.LARGEST_BYTES
        if not fits or weight.element.bits < 8:
            return weight.array()
        raw = self._take(weight.nbytes)
        weight.read_into(raw.data)
        array = unpack(raw, weight.element, weight.shape)
        array.flags.writeable = False
        return array

    def _take(self, size: int) -> np.ndarray:
        if self._used + size > len(self._block):
            self._block, self._used = aligned_empty(self.BLOCK_BYTES), 0
        start = self._used
        self._used += size + -size % ALIGNMENT_BYTES
        return self._block[start : start + size]
