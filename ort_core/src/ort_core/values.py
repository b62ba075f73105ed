"""Run-time values: what flows between nodes.

A host tensor is a C-contiguous native-endian `numpy.ndarray` (object dtype for strings, ml_dtypes for bfloat16, float8,
float4 and the small integers, one element a byte). A sequence is a list, a map a dict, an empty optional None. A tensor in
a device's memory is a `DeviceTensor`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ort_core.devices import HOST, Device
from ort_core.errors import InvalidArgument
from ort_core.ir.types import ElementType, MapType, OptionalType, SequenceType, SparseTensorType, TensorType, ValueType

if TYPE_CHECKING:
    from ort_core.memory.allocator import Buffer, Event

RuntimeValue: TypeAlias = Any
"""ndarray | DeviceTensor | SparseValue | list | dict | None"""


@dataclass(slots=True)
class DeviceTensor:
    """A dense row-major tensor in device memory.

    Attributes:
        ready: completes when the contents are valid; None when they are valid in the order of the current stream.
    """

    element: ElementType
    shape: tuple[int, ...]
    buffer: Buffer
    offset: int = 0
    ready: Event | None = None

    @property
    def device(self) -> Device:
        """Where the buffer lives."""
        return self.buffer.device

    @property
    def nbytes(self) -> int:
        """Size of the contents in bytes."""
        return math.prod(self.shape) * self.element.dtype.itemsize

    @property
    def ptr(self) -> int:
        """Address of the first element on its device."""
        return self.buffer.ptr + self.offset

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        from ort_core.dlpack import to_capsule

        return to_capsule(self, stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        from ort_core.dlpack import dlpack_device

        return dlpack_device(self.device)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise InvalidArgument(
            f"a tensor on {self.device} cannot be read by the host. Copy it first: `OrtValue.numpy()`, or bind the "
            "output to 'cpu'."
        )


@dataclass(slots=True)
class SparseValue:
    """A sparse tensor on the host: COO, CSR or block-sparse, as `format` says (`coo`, `csr`, `block`)."""

    format: str
    shape: tuple[int, ...]
    values: np.ndarray
    indices: tuple[np.ndarray, ...]


def device_of(value: RuntimeValue) -> Device:
    """Where a value lives; everything that is not a `DeviceTensor` is on the host."""
    return value.device if isinstance(value, DeviceTensor) else HOST


def type_of(value: RuntimeValue) -> ValueType | None:
    """The ONNX type of a value, or None for an empty optional and for an empty sequence's or map's contents."""
    if isinstance(value, np.ndarray):
        return TensorType(ElementType.from_dtype(value.dtype), value.shape)
    if isinstance(value, DeviceTensor):
        return TensorType(value.element, value.shape)
    if isinstance(value, SparseValue):
        return SparseTensorType(ElementType.from_dtype(value.values.dtype), value.shape)
    if isinstance(value, list):
        inner = next((t for t in map(type_of, value) if t is not None), None)
        return None if inner is None else SequenceType(_without_shape(inner))
    if isinstance(value, dict):
        for key, item in value.items():
            kind = ElementType.STRING if isinstance(key, str) else ElementType.INT64
            inner = type_of(np.asarray(item)) if np.isscalar(item) else type_of(item)
            return None if inner is None else MapType(kind, _without_shape(inner))
    return None


def fits(value: RuntimeValue, type_: ValueType | None) -> bool:
    """Whether a value is of a type, shapes aside."""
    if type_ is None:
        return True
    if isinstance(type_, OptionalType):
        return value is None or fits(value, type_.element)
    if isinstance(type_, TensorType):
        if isinstance(value, np.ndarray):
            return bool(value.dtype == type_.element.dtype)
        return isinstance(value, DeviceTensor) and value.element is type_.element
    if isinstance(type_, SparseTensorType):
        return isinstance(value, SparseValue) and bool(value.values.dtype == type_.element.dtype)
    if isinstance(type_, SequenceType):
        return isinstance(value, list) and all(fits(item, type_.element) for item in value)
    return isinstance(value, dict)


def _without_shape(type_: ValueType) -> ValueType:
    return TensorType(type_.element) if isinstance(type_, TensorType) else type_
