"""ONNX models read from the wire without the `onnx` package, whose import costs more than creating a small session.

Only plain messages are read here. Where a model has anything else (functions, sparse tensors, containers, unknown fields, a
field set twice, damage of any kind) the answer is None, and the `onnx` package says what it means.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from ort_core.ir.wire_values import (
    FIXED32,
    LENGTH,
    VARINT,
    OddMessageError,
    packed_floats,
    packed_varints,
    read_bytes,
    read_float,
    read_float_run,
    read_text,
    read_varint,
    to_int32,
    to_int64,
    to_uint64,
)

if TYPE_CHECKING:
    import onnx

_MAX_DEPTH = 32
_ONE_BYTE = 0x7F
_VALUE_FIELDS = {
    1: "f",
    2: "i",
    3: "s",
    4: "t",
    5: "g",
    6: "floats",
    7: "ints",
    8: "strings",
    9: "tensors",
    10: "graphs",
}
"""The field of an AttributeProto that holds a value of the type; types that are not read here are left out."""
_CHILDREN = ("t", "g")


class FieldName(NamedTuple):
    """The descriptor of a field, as far as it is used."""

    name: str


class Message:
    """A message: its fields are attributes, which have defaults while they are not set, as in `onnx`."""

    fields: ClassVar[dict[int, _Field]] = {}
    """The tag of each field to how it is read."""

    def HasField(self, name: str) -> bool:  # noqa: N802 - named as in protobuf
        """Whether the field is set."""
        return name in self.__dict__

    def is_plain(self) -> bool:
        """Whether the fields fit each other so that the message means what the IR makes of it."""
        return True

    def ListFields(self) -> list[tuple[FieldName, Any]]:  # noqa: N802 - named as in protobuf
        """The fields that are set."""
        return [(FieldName(name), value) for name, value in self.__dict__.items()]


class ModelMessage(Message):
    """A ModelProto without functions and training information."""

    ir_version = 0
    opset_import: tuple[Any, ...] = ()
    producer_name = producer_version = domain = doc_string = ""
    model_version = 0
    graph: Any = None
    metadata_props: tuple[Any, ...] = ()
    functions: tuple[Any, ...] = ()

    def is_plain(self) -> bool:
        """Whether it has a graph."""
        return self.graph is not None

    def header(self) -> ModelMessage:
        """The model without its graph."""
        copy = ModelMessage()
        copy.__dict__.update({name: value for name, value in self.__dict__.items() if name != "graph"})
        return copy

    def to_proto(self) -> onnx.ModelProto:
        """The `onnx.ModelProto` of a header."""
        import onnx

        proto = onnx.ModelProto()
        for name, value in self.__dict__.items():
            if isinstance(value, list):
                for item in value:
                    getattr(proto, name).add(**item.__dict__)
            else:
                setattr(proto, name, value)
        return proto

    def SerializeToString(self) -> bytes:  # noqa: N802 - named as in protobuf
        """A header as protobuf writes it."""
        return bytes(self.to_proto().SerializeToString())

    def __eq__(self, other: object) -> bool:
        return bool(self.to_proto() == (other.to_proto() if isinstance(other, ModelMessage) else other))

    __hash__ = None  # type: ignore[assignment]


class GraphMessage(Message):
    """A GraphProto without sparse tensors and annotations."""

    name = doc_string = ""
    node: tuple[Any, ...] = ()
    initializer: tuple[Any, ...] = ()
    sparse_initializer: tuple[Any, ...] = ()
    input: tuple[Any, ...] = ()
    output: tuple[Any, ...] = ()
    value_info: tuple[Any, ...] = ()
    quantization_annotation: tuple[Any, ...] = ()
    metadata_props: tuple[Any, ...] = ()


class NodeMessage(Message):
    """A NodeProto."""

    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    name = op_type = domain = overload = doc_string = ""
    attribute: tuple[Any, ...] = ()
    metadata_props: tuple[Any, ...] = ()
    device_configurations: tuple[Any, ...] = ()


class AttributeMessage(Message):
    """An AttributeProto that gives its value itself."""

    name = ref_attr_name = ""
    type = 0
    f = 0.0
    i = 0
    s = b""
    floats: tuple[float, ...] = ()
    ints: tuple[int, ...] = ()
    strings: tuple[bytes, ...] = ()
    tensors: tuple[Any, ...] = ()
    graphs: tuple[Any, ...] = ()

    def is_plain(self) -> bool:
        """Whether the only value that is set is the one of its type."""
        field = _VALUE_FIELDS.get(self.type, "")
        given = self.__dict__.keys() - {"name", "type", "doc_string", field}
        return bool(field) and not given and (field not in _CHILDREN or field in self.__dict__)


class TensorMessage(Message):
    """A TensorProto without documentation."""

    dims: tuple[int, ...] = ()
    data_type = data_location = 0
    name = doc_string = ""
    raw_data = b""
    float_data: Any = ()
    int32_data: Any = ()
    int64_data: Any = ()
    double_data: Any = ()
    uint64_data: Any = ()
    string_data: tuple[bytes, ...] = ()
    external_data: tuple[Any, ...] = ()
    metadata_props: tuple[Any, ...] = ()

    def is_plain(self) -> bool:
        """Whether it has no documentation, and its data a place that ONNX knows."""
        return not self.doc_string and self.data_location in (0, 1)


class DimensionMessage(Message):
    """A dimension with a size, a name or neither."""

    dim_value = 0
    dim_param = ""

    def is_plain(self) -> bool:
        """Whether it is at most one of a size and a name."""
        return (
            self.dim_value >= 0 and len(self.__dict__) < 2 and bool(self.dim_param or "dim_param" not in self.__dict__)
        )

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - named as in protobuf
        """The field that is set."""
        return next(iter(self.__dict__), None)


class ShapeMessage(Message):
    """A TensorShapeProto."""

    dim: tuple[Any, ...] = ()


class TensorTypeMessage(Message):
    """The type of a tensor."""

    elem_type = 0
    shape: Any = ShapeMessage()

    def is_plain(self) -> bool:
        """Whether there is an element type."""
        return self.elem_type > 0


class TypeMessage(Message):
    """A TypeProto of a tensor, or an empty one."""

    tensor_type: Any = TensorTypeMessage()

    def WhichOneof(self, group: str) -> str | None:  # noqa: N802 - named as in protobuf
        """The field that is set."""
        return next(iter(self.__dict__), None)


class ValueInfoMessage(Message):
    """A ValueInfoProto."""

    name = doc_string = ""
    type: Any = TypeMessage()
    metadata_props: tuple[Any, ...] = ()


class OperatorSetMessage(Message):
    """An OperatorSetIdProto."""

    domain = ""
    version = 0


class EntryMessage(Message):
    """A StringStringEntryProto."""

    key = value = ""


class _Field(NamedTuple):
    name: str
    read: Callable[..., Any]
    repeated: bool = False
    packed: bool = False


def header_proto(header: onnx.ModelProto | ModelMessage) -> onnx.ModelProto:
    """The header of a model as a message of onnx."""
    return header.to_proto() if isinstance(header, ModelMessage) else header


def read_model_message(data: bytes) -> ModelMessage | None:
    """The model that `data` holds; None if it is not entirely plain."""
    try:
        message = _decode(ModelMessage, data, 0, len(data), 0)
    except (OddMessageError, IndexError, KeyError, UnicodeDecodeError, struct.error):
        return None
    return message if isinstance(message, ModelMessage) else None


def _decode(kind: type[Message], data: bytes, pos: int, end: int, depth: int) -> Message:
    if depth > _MAX_DEPTH:
        raise OddMessageError
    message = kind()
    found = message.__dict__
    known = kind.fields
    value: Any
    while pos < end:
        tag = data[pos]
        if tag < 0x80:
            pos += 1
        else:
            tag, pos = read_varint(data, pos)
        name, read, repeated, packed = known[tag]
        wire = tag & 7
        if repeated and not packed:
            pos = _read_run(found.setdefault(name, []), read, data, pos, end, tag, depth)
            continue
        if wire == VARINT:
            value, pos = read_varint(data, pos)
            value = read(value)
        else:
            size = 4
            if wire == LENGTH:
                size = data[pos]
                if size < 0x80:
                    pos += 1
                else:
                    size, pos = read_varint(data, pos)
            stop = pos + size
            if stop > end:
                raise OddMessageError
            value = str(data[pos:stop], "utf-8") if read is read_text else read(data, pos, stop, depth)
            pos = stop
        if packed:
            found.setdefault(name, []).extend(value)
        elif name in found:
            raise OddMessageError
        else:
            found[name] = value
    if pos != end or not message.is_plain():
        raise OddMessageError
    return message


def _read_run(items: list[Any], read: Callable[..., Any], data: bytes, pos: int, end: int, tag: int, depth: int) -> int:
    """Reads an element of a repeated field from `pos` on, and those that follow it directly; returns where the last ends."""
    wire = tag & 7
    if wire == FIXED32:
        return read_float_run(items, data, pos, end)
    while True:
        size = data[pos]
        if size < 0x80:
            pos += 1
        else:
            size, pos = read_varint(data, pos)
        if wire == VARINT:
            items.append(size if size < 0x80 else read(size))
        else:
            stop = pos + size
            if stop > end:
                raise OddMessageError
            items.append(str(data[pos:stop], "utf-8") if read is read_text else read(data, pos, stop, depth))
            pos = stop
        if pos >= end or data[pos] != tag or tag > _ONE_BYTE:
            return pos
        pos += 1


def _child(kind: type[Message]) -> Callable[..., Message]:
    return lambda data, start, stop, depth: _decode(kind, data, start, stop, depth + 1)


def _texts(**numbers: int) -> dict[int, _Field]:
    return {number << 3 | LENGTH: _Field(name, read_text) for name, number in numbers.items()}


def _one(number: int, name: str, kind: type[Message]) -> dict[int, _Field]:
    return {number << 3 | LENGTH: _Field(name, _child(kind))}


def _many(number: int, name: str, read: type[Message] | Callable[..., Any]) -> dict[int, _Field]:
    reader = _child(read) if isinstance(read, type) else read
    return {number << 3 | LENGTH: _Field(name, reader, True)}


def _number(number: int, name: str, convert: Callable[[int], int]) -> dict[int, _Field]:
    return {number << 3 | VARINT: _Field(name, convert)}


def _numbers(number: int, name: str, convert: Callable[[int], int]) -> dict[int, _Field]:
    return {
        number << 3 | VARINT: _Field(name, convert, True),
        number << 3 | LENGTH: _Field(name, packed_varints(convert), True, True),
    }


EntryMessage.fields = _texts(key=1, value=2)
OperatorSetMessage.fields = _texts(domain=1) | _number(2, "version", to_int64)
DimensionMessage.fields = _number(1, "dim_value", to_int64) | _texts(dim_param=2)
ShapeMessage.fields = _many(1, "dim", DimensionMessage)
TensorTypeMessage.fields = _number(1, "elem_type", to_int32) | _one(2, "shape", ShapeMessage)
TypeMessage.fields = _one(1, "tensor_type", TensorTypeMessage)
ValueInfoMessage.fields = (
    _texts(name=1, doc_string=3) | _one(2, "type", TypeMessage) | _many(4, "metadata_props", EntryMessage)
)
TensorMessage.fields = (
    _texts(name=8, doc_string=12)
    | _numbers(1, "dims", to_int64)
    | _number(2, "data_type", to_int32)
    | {4 << 3 | LENGTH: _Field("float_data", packed_floats("f"), True, True)}
    | _numbers(5, "int32_data", to_int32)
    | _many(6, "string_data", read_bytes)
    | _numbers(7, "int64_data", to_int64)
    | {9 << 3 | LENGTH: _Field("raw_data", read_bytes)}
    | {10 << 3 | LENGTH: _Field("double_data", packed_floats("d"), True, True)}
    | _numbers(11, "uint64_data", to_uint64)
    | _many(13, "external_data", EntryMessage)
    | _number(14, "data_location", to_int32)
)
NodeMessage.fields = (
    _many(1, "input", read_text)
    | _many(2, "output", read_text)
    | _texts(name=3, op_type=4, doc_string=6, domain=7, overload=8)
    | _many(5, "attribute", AttributeMessage)
    | _many(9, "metadata_props", EntryMessage)
)
GraphMessage.fields = (
    _many(1, "node", NodeMessage)
    | _texts(name=2, doc_string=10)
    | _many(5, "initializer", TensorMessage)
    | _many(11, "input", ValueInfoMessage)
    | _many(12, "output", ValueInfoMessage)
    | _many(13, "value_info", ValueInfoMessage)
    | _many(16, "metadata_props", EntryMessage)
)
AttributeMessage.fields = (
    _texts(name=1, doc_string=13)
    | {2 << 3 | FIXED32: _Field("f", read_float)}
    | _number(3, "i", to_int64)
    | {4 << 3 | LENGTH: _Field("s", read_bytes)}
    | _one(5, "t", TensorMessage)
    | _one(6, "g", GraphMessage)
    | {
        7 << 3 | LENGTH: _Field("floats", packed_floats("f"), True, True),
        7 << 3 | FIXED32: _Field("floats", read_float, True),
    }
    | _numbers(8, "ints", to_int64)
    | _many(9, "strings", read_bytes)
    | _many(10, "tensors", TensorMessage)
    | _many(11, "graphs", GraphMessage)
    | _number(20, "type", to_int32)
)
ModelMessage.fields = (
    _number(1, "ir_version", to_int64)
    | _texts(producer_name=2, producer_version=3, domain=4, doc_string=6)
    | _number(5, "model_version", to_int64)
    | _one(7, "graph", GraphMessage)
    | _many(8, "opset_import", OperatorSetMessage)
    | _many(14, "metadata_props", EntryMessage)
)
