"""The protobuf wire format of a model, walked once: large tensors are cut out, the rest is a small skeleton."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ort_core.errors import InvalidProtobuf
from ort_core.ir.proto_tensors import STRIP_BYTES, WEIGHT_KEY
from ort_core.limits import Limits
from ort_core.load.source import ByteSource
from ort_core.progress import UNWATCHED, Progress

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_WINDOW_BYTES = 8192
_MAX_DEPTH = 100
_MAX_FIELDS = 5_000_000
_MAX_TENSOR_FIELDS = 1024
_MAX_SKELETON_BYTES = (1 << 31) - 1

_CHILDREN: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 25: "FunctionProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
}
_DIMS, _DATA_TYPE, _NAME, _DATA_LOCATION = 1, 2, 8, 14
_IN_PLACE = 0
"""The data location of a tensor that holds its data; written out where external data was put back into the model."""
_PAYLOADS = {4: "float_data", 5: "int32_data", 7: "int64_data", 9: "raw_data", 10: "double_data", 11: "uint64_data"}
_UNCUT = {3, 6, 13, _DATA_LOCATION}
"""TensorProto fields whose presence keeps a tensor whole: segment, string_data, external_data, data_location."""

_Piece = tuple[int, int] | bytes


class Span(NamedTuple):
    """A tensor that was cut out: payload `field` lies in bytes [offset, offset + length) of the source."""

    name: str
    data_type: int
    dims: tuple[int, ...]
    field: str
    offset: int
    length: int


class _Field(NamedTuple):
    number: int
    wire: int
    start: int
    body: int
    end: int
    value: int


def walk(source: ByteSource, limits: Limits | None = None, progress: Progress = UNWATCHED) -> tuple[bytes, list[Span]]:
    """Cuts every tensor with more than `STRIP_BYTES` of payload out of a serialised model.

    Covered are initializers, sparse initializers and tensor attributes, in subgraphs and functions too. Strings, tensors
    that are external already and unpacked typed fields stay. The time taken depends on the number of fields, not on
    the size of payloads.

    Args:
        limits: how many nodes the model may have; those of subgraphs under 1 KiB are not counted here.
        progress: told of the bytes that are done.

    Returns:
        The model without those payloads, its tensors marked with `WEIGHT_KEY` and the index of their span; the spans.

    Raises:
        InvalidProtobuf: the bytes are malformed; the message says where and what was expected.
        LimitExceeded: there are more nodes than `limits` allow.
        Fail: the source cannot be read.
    """
    progress.begin("read", source.size)
    return _Walker(source, limits or Limits(), progress).run()


class _Walker:
    def __init__(self, source: ByteSource, limits: Limits, progress: Progress) -> None:
        self.source = source
        self.limits = limits
        self.nodes = 0
        self.progress = progress
        self.spans: list[Span] = []
        self.base = self.stop = 0
        self.window: bytes | memoryview = b""
        self.fields_left = _MAX_FIELDS

    def run(self) -> tuple[bytes, list[Span]]:
        pieces, size = self._message("ModelProto", 0, self.source.size, 0)
        if size > _MAX_SKELETON_BYTES:
            raise InvalidProtobuf(
                f"'{self.source.name}': {size} bytes remain without the large tensors; the limit of protobuf is 2 GiB. "
                "Store string tensors and typed fields as raw_data or external data."
            )
        skeleton = b"".join(p if isinstance(p, bytes) else self.source.view(p[0], p[1] - p[0]) for p in pieces)
        if skeleton.count(WEIGHT_KEY.encode()) != len(self.spans):
            raise InvalidProtobuf(
                f"'{self.source.name}' uses the reserved key '{WEIGHT_KEY}'. It is a skeleton that was saved by mistake, or "
                "made to mislead; export the model again."
            )
        return skeleton, self.spans

    def _message(self, kind: str, pos: int, end: int, depth: int) -> tuple[list[_Piece], int]:
        """The pieces and the new length of a message whose fields are in [pos, end)."""
        if kind == "TensorProto":
            return self._tensor(pos, end)
        if depth > _MAX_DEPTH:
            raise self._error(pos, f"messages are nested more than {_MAX_DEPTH} deep")
        children = _CHILDREN[kind]
        pieces: list[_Piece] = []
        copied, size = pos, end - pos
        for number, wire, start, body, stop, _ in self._fields(pos, end, kind):
            child = children.get(number)
            if child is None:
                continue
            if wire != _LENGTH:
                raise self._error(start, f"field {number} of {kind} has wire type {wire}, expected 2 (a {child})")
            if child == "NodeProto":
                self.nodes += 1
                self.limits.check("nodes", self.nodes, f"'{self.source.name}'")
            if stop - body <= STRIP_BYTES:
                continue
            inner, inner_size = self._message(child, body, stop, depth + 1)
            if inner_size != stop - body:
                head = encode_varint(number << 3 | _LENGTH) + encode_varint(inner_size)
                pieces += [(copied, start), head, *inner]
                size += len(head) + inner_size - (stop - start)
                copied = stop
        pieces.append((copied, end))
        return pieces, size

    def _tensor(self, pos: int, end: int) -> tuple[list[_Piece], int]:
        whole: tuple[list[_Piece], int] = [(pos, end)], end - pos
        dims: list[int] = []
        data_type, name = 0, ""
        payload: _Field | None = None
        for count, field in enumerate(self._fields(pos, end, "TensorProto")):
            if field.number == _DATA_LOCATION and field.wire == _VARINT and field.value == _IN_PLACE:
                continue
            if field.number in _UNCUT or count > _MAX_TENSOR_FIELDS:
                return whole
            if field.number in _PAYLOADS:
                if payload is not None or field.wire != _LENGTH:
                    return whole
                payload = field
            elif field.number == _DIMS and field.wire == _VARINT:
                dims.append(_signed(field.value))
            elif field.number == _DIMS and field.wire == _LENGTH:
                dims += self._packed(field)
            elif field.number == _DATA_TYPE and field.wire == _VARINT:
                data_type = field.value
            elif field.number == _NAME and field.wire == _LENGTH:
                name = bytes(self.source.view(field.body, min(field.end - field.body, 512))).decode("utf-8", "replace")
            elif field.number in (_DIMS, _DATA_TYPE, _NAME):
                raise self._error(field.start, f"field {field.number} of TensorProto has wire type {field.wire}")
        if payload is None or payload.end - payload.body <= STRIP_BYTES:
            return whole
        marker = _marker(len(self.spans))
        self.spans.append(
            Span(name, data_type, tuple(dims), _PAYLOADS[payload.number], payload.body, payload.end - payload.body)
        )
        size = end - pos - (payload.end - payload.start) + len(marker)
        return [(pos, payload.start), (payload.end, end), marker], size

    def _packed(self, field: _Field) -> Iterator[int]:
        pos = field.body
        while pos < field.end:
            value, pos = self._varint(pos, field.end, "TensorProto.dims")
            yield _signed(value)

    def _fields(self, pos: int, end: int, kind: str) -> Iterator[_Field]:
        while pos < end:
            start = pos
            tag, pos = self._varint(pos, end, kind)
            wire = tag & 7
            value = 0
            if wire == _LENGTH:
                value, pos = self._varint(pos, end, kind)
                stop = pos + value
            elif wire == _VARINT:
                value, stop = self._varint(pos, end, kind)
            elif wire == _FIXED32:
                stop = pos + 4
            elif wire == _FIXED64:
                stop = pos + 8
            else:
                raise self._error(start, f"wire type {wire} of a field of {kind}, expected 0, 1, 2 or 5")
            if stop > end:
                raise self._error(
                    start, f"field {tag >> 3} of {kind} needs {stop - pos} bytes, but only {end - pos} are left"
                )
            if not 0 < tag >> 3 < 1 << 29:
                raise self._error(start, f"field number {tag >> 3} in {kind}, expected 1 to {(1 << 29) - 1}")
            yield _Field(tag >> 3, wire, start, pos, stop, value)
            pos = stop
            self.fields_left -= 1
            if self.fields_left < 0:
                raise self._error(start, f"more than {_MAX_FIELDS} fields; the model is too fragmented to load")

    def _varint(self, pos: int, end: int, kind: str) -> tuple[int, int]:
        """The varint at `pos` and the position after it."""
        if not self.base <= pos <= self.stop - 10:
            self._fetch(pos)
        index = pos - self.base
        if pos < end and index < len(self.window) and (byte := self.window[index]) < 0x80:
            return byte, pos + 1
        limit = min(index + 10, end - self.base, self.stop - self.base)
        value = shift = 0
        while index < limit:
            byte = self.window[index]
            index += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, self.base + index
            shift += 7
        if limit == pos - self.base + 10:
            raise self._error(pos, f"an integer in {kind} is longer than 10 bytes")
        raise self._error(pos, f"{kind} ends inside an integer; the data is truncated")

    def _fetch(self, pos: int) -> None:
        self.progress.advance(max(pos - self.base, 0))
        size = max(min(_WINDOW_BYTES, self.source.size - pos), 0)
        self.base, self.window = pos, bytes(self.source.view(pos, size))
        self.stop = pos + size

    def _error(self, offset: int, problem: str) -> InvalidProtobuf:
        return InvalidProtobuf(
            f"'{self.source.name}' is no valid ONNX model: at byte {offset} of {self.source.size}, {problem}. The file is "
            "incomplete, damaged, or of another format; download or export it again."
        )


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def encode_varint(value: int) -> bytes:
    """A non-negative integer as protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _marker(index: int) -> bytes:
    """Two TensorProto fields: `external_data {key: WEIGHT_KEY value: index}` and `data_location: EXTERNAL`."""
    key, value = WEIGHT_KEY.encode(), str(index).encode()
    entry = b"\x0a" + encode_varint(len(key)) + key + b"\x12" + encode_varint(len(value)) + value
    return b"\x6a" + encode_varint(len(entry)) + entry + b"\x70\x01"
