"""Constant tensors to and from `onnx.TensorProto` and `onnx.SparseTensorProto`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ort_core.errors import InvalidGraph
from ort_core.ir.attributes import SparseWeight
from ort_core.ir.proto_types import element_from_code, read_entries
from ort_core.ir.tensors import ArrayWeight, WeightRef, packed_size_bytes, unpack
from ort_core.ir.types import ElementType

if TYPE_CHECKING:
    import onnx

WEIGHT_KEY = "ort_core.weight"
"""The `external_data` key whose value is the tensor's index in the list of weights that comes with a skeleton."""

STRIP_BYTES = 1024
"""Constants up to this size stay in a skeleton: shape inference reads them."""

ExternalResolver: TypeAlias = "Callable[[onnx.TensorProto, ElementType, tuple[int, ...], str], WeightRef]"
"""Finds the data of an EXTERNAL tensor from the message, its element type, its dimensions and its name in messages."""

Place: TypeAlias = Literal["initializer", "sparse", "nested"]
"""Where a tensor is: an initializer of the main graph, a part of a sparse tensor, or anything else."""

TensorStore: TypeAlias = "Callable[[WeightRef, onnx.TensorProto, Place], bool]"
"""Asked where the data of a tensor over `STRIP_BYTES` goes: either it completes the message and returns True, or the
data is put into the message."""

_MAX_RANK = 64
_MAX_BYTES = 1 << 62
_EXTERNAL = 1
_PER_INT32 = (ElementType.FLOAT6E2M3, ElementType.FLOAT6E3M2)
_FIELDS: dict[ElementType, tuple[str, np.dtype[Any]]] = {
    ElementType.FLOAT: ("float_data", np.dtype(np.float32)),
    ElementType.COMPLEX64: ("float_data", np.dtype(np.float32)),
    ElementType.DOUBLE: ("double_data", np.dtype(np.float64)),
    ElementType.COMPLEX128: ("double_data", np.dtype(np.float64)),
    ElementType.INT64: ("int64_data", np.dtype(np.int64)),
    ElementType.UINT32: ("uint64_data", np.dtype(np.uint64)),
    ElementType.UINT64: ("uint64_data", np.dtype(np.uint64)),
}
_INT32_FIELD: tuple[str, np.dtype[Any]] = ("int32_data", np.dtype(np.int32))


def storage_field(element: ElementType) -> tuple[str, np.dtype]:
    """The typed field that may hold the elements of a TensorProto, and the dtype of the field's items."""
    return _FIELDS.get(element, _INT32_FIELD)


def storage_count(element: ElementType, shape: Sequence[int]) -> int:
    """How many items the typed field of a tensor has."""
    count = math.prod(shape)
    if element in (ElementType.COMPLEX64, ElementType.COMPLEX128):
        return 2 * count
    if element.bits < 8 and element not in _PER_INT32:
        return packed_size_bytes(element, shape)
    return count


def checked_dims(dims: Sequence[int], element: ElementType, where: object) -> tuple[int, ...]:
    """The dimensions as a tuple.

    Raises:
        InvalidGraph: a dimension is negative, the rank is over 64, or the size overflows.
    """
    shape = tuple(dims)
    if len(shape) > _MAX_RANK:
        raise InvalidGraph(f"{where}: rank {len(shape)} is over the limit of {_MAX_RANK}. Reshape the tensor.")
    if min(shape, default=0) < 0:
        raise InvalidGraph(
            f"{where}: the dimensions {list(shape)} hold a negative size. The model file is damaged; export it again."
        )
    size = math.prod(shape) or math.prod(d or 1 for d in shape)
    if size * max(element.bits, 8) > 8 * _MAX_BYTES:
        raise InvalidGraph(
            f"{where}: the size of dimensions {list(shape)} overflows. The model file is damaged; export it again."
        )
    return shape


def weight_from_proto(
    proto: onnx.TensorProto,
    weights: Sequence[WeightRef] = (),
    where: object = "",
    external: ExternalResolver | None = None,
) -> WeightRef:
    """The constant that a TensorProto stands for.

    Args:
        weights: what tensors marked with `WEIGHT_KEY` refer to.
        where: the tensor as messages name it; by default its own name.
        external: finds the data of other EXTERNAL tensors; without it they are refused.

    Raises:
        InvalidGraph: element type, dimensions and data do not agree, or the data is in a file that was not resolved.
    """
    where = where or f"tensor '{proto.name}'"
    element = element_from_code(proto.data_type, where)
    shape = checked_dims(proto.dims, element, where)
    if proto.data_location == _EXTERNAL:
        return _external_weight(proto, weights, element, shape, where, external)
    if proto.HasField("segment"):
        raise InvalidGraph(f"{where}: segmented tensors are not supported. Save the tensor in one piece.")
    if element is ElementType.STRING:
        return ArrayWeight(_strings(proto, shape, where), element)
    raw = proto.raw_data if proto.HasField("raw_data") else b""
    if raw:
        expected = packed_size_bytes(element, shape)
        if len(raw) != expected:
            raise InvalidGraph(
                f"{where}: {element.onnx_name} {list(shape)} takes {expected} bytes, got {len(raw)} in raw_data. "
                "The model file is damaged; export it again."
            )
        return ArrayWeight(unpack(raw, element, shape), element)
    field, dtype = storage_field(element)
    return ArrayWeight(
        decode_items(np.array(getattr(proto, field), dtype), element, shape, f"{where}, {field}"), element
    )


def decode_items(items: np.ndarray, element: ElementType, shape: tuple[int, ...], where: object) -> np.ndarray:
    """The tensor whose typed field holds `items`.

    Raises:
        InvalidGraph: there are too few or too many items.
    """
    expected = storage_count(element, shape)
    if len(items) != expected:
        raise InvalidGraph(
            f"{where}: {element.onnx_name} {list(shape)} takes {expected} items, got {len(items)}. "
            "The model file is damaged; export it again."
        )
    if element in _FIELDS:
        dtype = element.dtype
        items = items.view(dtype) if dtype.kind == "c" else items.astype(dtype, copy=False)
        return np.reshape(items, shape)
    if element.bits < 8 and element not in _PER_INT32:
        return unpack(items.astype(np.uint8), element, shape)
    if element in _PER_INT32:
        return (items.astype(np.uint8) & 0x3F).view(element.dtype).reshape(shape)
    if element is ElementType.BOOL:
        return np.reshape(items != 0, shape)
    return items.astype(f"u{element.dtype.itemsize}").view(element.dtype).reshape(shape)


def _strings(proto: onnx.TensorProto, shape: tuple[int, ...], where: object) -> np.ndarray:
    count = math.prod(shape)
    if len(proto.string_data) != count:
        raise InvalidGraph(
            f"{where}: string {list(shape)} takes {count} items, got {len(proto.string_data)} in string_data. "
            "The model file is damaged; export it again."
        )
    array = np.empty(count, object)
    array[:] = [s.decode("utf-8", "surrogateescape") for s in proto.string_data]
    return array.reshape(shape)


def _external_weight(
    proto: onnx.TensorProto,
    weights: Sequence[WeightRef],
    element: ElementType,
    shape: tuple[int, ...],
    where: object,
    external: ExternalResolver | None,
) -> WeightRef:
    entries = read_entries(proto.external_data)
    marker = entries.get(WEIGHT_KEY)
    if marker is None:
        if external is not None:
            return external(proto, element, shape, str(where))
        raise InvalidGraph(
            f"{where}: its data is in the external file '{entries.get('location', '')}', which is not loaded here. "
            "Load the model through its path, or give the data's folder."
        )
    if not marker.isdecimal() or int(marker) >= len(weights):
        raise InvalidGraph(f"{where}: weight reference {marker!r} is not one of the {len(weights)} weights.")
    weight = weights[int(marker)]
    if weight.element is not element or tuple(weight.shape) != shape:
        raise InvalidGraph(
            f"{where}: declared {element.onnx_name} {list(shape)}, "
            f"its weight is {weight.element.onnx_name} {list(weight.shape)}."
        )
    return weight


def weight_to_proto(
    weight: WeightRef, name: str = "", *, store: TensorStore | None = None, place: Place = "nested"
) -> onnx.TensorProto:
    """The TensorProto of a constant.

    Args:
        store: decides where large data goes; without it the message holds everything.
        place: what `store` is told about the place of the tensor.
    """
    import onnx

    proto = onnx.TensorProto(data_type=int(weight.element), dims=weight.shape)
    if name:
        proto.name = name
    if weight.element is ElementType.STRING:
        proto.string_data.extend(_encode(s) for s in weight.array().reshape(-1))
    elif store is None or weight.nbytes <= STRIP_BYTES or not store(weight, proto, place):
        proto.raw_data = bytes(weight.view())
    return proto


def strip(_weight: WeightRef, proto: onnx.TensorProto, _place: Place) -> bool:
    """A `TensorStore` that drops the data."""
    proto.data_location = type(proto).EXTERNAL
    proto.external_data.add(key="location", value="stripped")
    return True


def _encode(item: str | bytes) -> bytes:
    return item.encode("utf-8", "surrogateescape") if isinstance(item, str) else bytes(item)


def sparse_from_proto(
    proto: onnx.SparseTensorProto,
    weights: Sequence[WeightRef] = (),
    where: object = "sparse tensor",
    external: ExternalResolver | None = None,
) -> SparseWeight:
    """The constant that a SparseTensorProto stands for; the arguments are those of `weight_from_proto`.

    Raises:
        InvalidGraph: values, indices and dimensions do not agree.
    """
    values = weight_from_proto(proto.values, weights, f"{where}, values", external)
    shape = checked_dims(proto.dims, values.element, where)
    count = math.prod(values.shape)
    if not proto.HasField("indices") and count == 0:
        indices: WeightRef = ArrayWeight(np.empty(0, np.int64))
    else:
        indices = weight_from_proto(proto.indices, weights, f"{where}, indices", external)
    linear, full = (count,), (count, len(shape))
    if len(values.shape) != 1 or indices.element is not ElementType.INT64 or tuple(indices.shape) not in (linear, full):
        raise InvalidGraph(
            f"{where}: expected values [NNZ] with int64 indices [NNZ] or [NNZ, {len(shape)}], got values "
            f"{list(values.shape)} with {indices.element.onnx_name} indices {list(indices.shape)}."
        )
    return SparseWeight(values, indices, shape)


def sparse_to_proto(
    weight: SparseWeight, name: str = "", *, store: TensorStore | None = None
) -> onnx.SparseTensorProto:
    """The SparseTensorProto of a constant; its name is the name of its values."""
    import onnx

    return onnx.SparseTensorProto(
        values=weight_to_proto(weight.values, name, store=store, place="sparse"),
        indices=weight_to_proto(weight.indices, store=store, place="sparse"),
        dims=weight.shape,
    )
