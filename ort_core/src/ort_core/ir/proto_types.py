"""Value types to and from `onnx.TypeProto`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ort_core.errors import InvalidGraph, InvalidProtobuf
from ort_core.ir.shapes import Dim, Shape
from ort_core.ir.types import ElementType, MapType, OptionalType, SequenceType, SparseTensorType, TensorType, ValueType

if TYPE_CHECKING:
    import onnx

_MAX_DEPTH = 32
_ELEMENTS = {int(element): element for element in ElementType}


def checked_name(text: str | bytes, where: object) -> str:
    """A string field that must be text; protobuf hands out bytes where it is not.

    Raises:
        InvalidProtobuf: it is not UTF-8.
    """
    if isinstance(text, bytes):
        raise InvalidProtobuf(f"{where}: {text[:60]!r} is not UTF-8 text. The model file is damaged; export it again.")
    return text


def lenient_text(text: str | bytes) -> str:
    """Documentation; what is not UTF-8 shows as replacement characters."""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def read_entries(entries: Iterable[onnx.StringStringEntryProto]) -> dict[str, str]:
    """Key-value pairs such as metadata, read leniently."""
    return {lenient_text(e.key): lenient_text(e.value) for e in entries}


def element_from_code(code: int, where: object) -> ElementType:
    """The element type of an ONNX type number.

    Raises:
        InvalidGraph: ONNX has no such element type.
    """
    element = _ELEMENTS.get(code)
    if element is None:
        raise InvalidGraph(
            f"{where}: element type {code} is not an ONNX element type (1 to {max(ElementType)}). "
            "Export the model again, or install a newer ort-core if the type is new."
        )
    return element


def type_from_proto(proto: onnx.TypeProto, where: object = "type", *, _depth: int = 0) -> ValueType | None:
    """Our type for a TypeProto; None where it says nothing or is opaque.

    Negative dimensions count as unknown, as in onnxruntime.

    Args:
        where: what has this type, for messages.

    Raises:
        InvalidGraph: an element type is unknown, or the types are nested too deeply.
    """
    if _depth > _MAX_DEPTH:
        raise InvalidGraph(f"{where}: the type is nested more than {_MAX_DEPTH} deep. Flatten it.")
    kind = proto.WhichOneof("value")
    if kind == "tensor_type":
        tensor = proto.tensor_type
        if not tensor.elem_type:
            return None
        return TensorType(
            element_from_code(tensor.elem_type, where),
            shape_from_proto(tensor.shape) if tensor.HasField("shape") else None,
        )
    if kind == "sparse_tensor_type":
        sparse = proto.sparse_tensor_type
        return SparseTensorType(
            element_from_code(sparse.elem_type, where),
            shape_from_proto(sparse.shape) if sparse.HasField("shape") else None,
        )
    if kind in ("sequence_type", "optional_type"):
        inner = type_from_proto(getattr(proto, kind).elem_type, where, _depth=_depth + 1)
        if inner is None:
            return None
        return SequenceType(inner) if kind == "sequence_type" else OptionalType(inner)
    if kind == "map_type":
        value = type_from_proto(proto.map_type.value_type, where, _depth=_depth + 1)
        return None if value is None else MapType(element_from_code(proto.map_type.key_type, where), value)
    return None


def shape_from_proto(proto: onnx.TensorShapeProto) -> Shape:
    """Known sizes as int, names as str, everything else None."""
    return tuple(_dim(d) for d in proto.dim)


def _dim(proto: onnx.TensorShapeProto.Dimension) -> Dim:
    kind = proto.WhichOneof("value")
    if kind == "dim_value":
        return proto.dim_value if proto.dim_value >= 0 else None
    return (checked_name(proto.dim_param, "a dimension") or None) if kind == "dim_param" else None


def type_to_proto(type_: ValueType | None) -> onnx.TypeProto:
    """The TypeProto of a type; an empty one for None."""
    import onnx

    proto = onnx.TypeProto()
    if type_ is not None:
        _fill(proto, type_)
    return proto


def _fill(proto: onnx.TypeProto, type_: ValueType) -> None:
    if isinstance(type_, TensorType | SparseTensorType):
        tensor = proto.tensor_type if isinstance(type_, TensorType) else proto.sparse_tensor_type
        tensor.elem_type = int(type_.element)
        if type_.shape is not None:
            tensor.shape.SetInParent()
            for dim in type_.shape:
                item = tensor.shape.dim.add()
                if isinstance(dim, str):
                    item.dim_param = dim
                elif dim is not None:
                    item.dim_value = dim
    elif isinstance(type_, SequenceType):
        _fill(proto.sequence_type.elem_type, type_.element)
    elif isinstance(type_, OptionalType):
        _fill(proto.optional_type.elem_type, type_.element)
    else:
        proto.map_type.key_type = int(type_.key)
        _fill(proto.map_type.value_type, type_.value)
