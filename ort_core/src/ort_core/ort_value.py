"""`OrtValue`: a value of any ONNX type, on the host or on a device."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ort_core.convert import host_tensor, to_python, to_runtime_value
from ort_core.devices import Device
from ort_core.errors import InvalidArgument
from ort_core.ir.tensors import packed_size_bytes, unpack
from ort_core.ir.types import (
    ElementType,
    OptionalType,
    SequenceType,
    SparseTensorType,
    TensorType,
    ValueType,
    describe,
)
from ort_core.memory.host import host_array
from ort_core.memory.transfer import copy_tensor, new_tensor, to_device, to_host, wait_ready
from ort_core.ort_device import OrtDevice
from ort_core.sparse import SparseTensor
from ort_core.values import DeviceTensor, RuntimeValue, SparseValue, device_of, type_of

if TYPE_CHECKING:
    from ort_core.memory.allocator import Stream
    from ort_core.memory.memory_info import OrtDeviceVendorId, OrtMemoryInfo

__all__ = ["OrtDevice", "OrtSyncStream", "OrtValue", "copy_tensors", "element_of", "to_python", "to_runtime_value"]


class OrtSyncStream:
    """A stream of a device, for `copy_tensors`."""

    __slots__ = ("stream",)

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def get_handle(self) -> int:
        """The native handle, 0 where there is none."""
        return self.stream.handle


class OrtValue:
    """A tensor, sparse tensor, sequence, map or optional.

    Args:
        ortvalue: a run-time value (array, `DeviceTensor`, `SparseValue`, list, dict, None) or another `OrtValue`.
        numpy_obj: an object to keep alive with it.
        session: the session that it belongs to, if it does.
        type_: its declared type, for what the value alone does not tell: empty sequences, maps and optionals.
    """

    __slots__ = ("__weakref__", "_numpy_obj", "_session", "_type", "_value")

    def __init__(
        self,
        ortvalue: RuntimeValue | OrtValue,
        numpy_obj: object = None,
        session: object = None,
        *,
        type_: ValueType | None = None,
    ) -> None:
        if isinstance(ortvalue, OrtValue):
            type_ = type_ or ortvalue._type
            ortvalue = ortvalue._value
        if not (ortvalue is None or isinstance(ortvalue, np.ndarray | DeviceTensor | SparseValue | list | dict)):
            raise InvalidArgument(
                f"OrtValue wraps a run-time value, got {type(ortvalue).__name__}. Use OrtValue.ortvalue_from_numpy, "
                "from_dlpack or ort_value_from_sparse_tensor."
            )
        self._value: RuntimeValue = ortvalue
        self._type: ValueType | None = type_
        self._numpy_obj = numpy_obj
        self._session = session

    @classmethod
    def ortvalue_from_numpy(
        cls,
        numpy_obj: np.ndarray,
        /,
        device_type: str = "cpu",
        device_id: int = 0,
        vendor_id: int | OrtDeviceVendorId = -1,
    ) -> OrtValue:
        """A tensor from an array.

        On the host it shares the array's memory, if that is dense, native-endian and not of fixed-width strings; it is a
        copy otherwise. On a device it is a copy.

        Args:
            device_type: `cpu`, `cuda`, ... or a device type of an installed provider.
            vendor_id: with `gpu` or `npu`, the PCI number of the maker.

        Raises:
            InvalidArgument: not an array, or of a dtype that ONNX has no element type for; an unknown device.
        """
        if not isinstance(numpy_obj, np.ndarray | np.generic):
            raise InvalidArgument(f"OrtValues are made from numpy arrays, got {type(numpy_obj).__name__}")
        array = host_tensor(np.asanyarray(numpy_obj))
        device = OrtDevice.make(device_type, device_id, vendor_id).device
        return cls(array if device.is_host else to_device(array, device))

    @classmethod
    def ortvalue_from_numpy_with_onnx_type(cls, data: np.ndarray, /, onnx_element_type: int) -> OrtValue:
        """A host tensor of an ONNX type, from an array of the same item size that holds its bits.

        Shares the array's memory if it is dense. Types of less than a byte (int4, ...) take an array of the tensor's shape
        whose leading bytes hold the packed elements, low bits first, and whose other bytes are 0; they are unpacked.

        Raises:
            InvalidArgument: not an array, an unknown type, strings, or another item size.
        """
        element = element_of(onnx_element_type)
        if not isinstance(data, np.ndarray) or element is ElementType.STRING or data.dtype.kind in "OUS":
            got = f"an array of {data.dtype}" if isinstance(data, np.ndarray) else type(data).__name__
            raise InvalidArgument(f"expected a numpy array with the bits of tensor({element.onnx_name}), got {got}")
        if data.dtype == element.dtype:
            return cls(host_tensor(data))
        if data.dtype.itemsize != element.dtype.itemsize:
            raise InvalidArgument(
                f"Items size in the incoming array: {data.dtype.itemsize} specified by onnxtype: "
                f"{element.dtype.itemsize} (tensor({element.onnx_name}))"
            )
        array = np.ascontiguousarray(data, data.dtype.newbyteorder("=")).reshape(data.shape)
        if element.bits >= 8:
            return cls(array.view(element.dtype), numpy_obj=data)
        raw = array.reshape(-1).view(np.uint8)
        used = packed_size_bytes(element, array.shape)
        if raw[used:].any():
            raise InvalidArgument(
                f"expected {array.size} packed {element.onnx_name} elements in the first {used} bytes and zeros after them. "
                f"For one element to a byte pass an array of ml_dtypes.{element.dtype.name} to ortvalue_from_numpy."
            )
        return cls(unpack(raw[:used], element, array.shape))

    @classmethod
    def ortvalue_from_shape_and_type(
        cls,
        shape: Sequence[int],
        element_type: Any,
        device_type: str = "cpu",
        device_id: int = 0,
        vendor_id: int | OrtDeviceVendorId = -1,
        memory_info: OrtMemoryInfo | None = None,
    ) -> OrtValue:
        """An uninitialised tensor (of empty strings, if of strings).

        Args:
            element_type: a numpy or ml_dtypes dtype, or the number of an `onnx.TensorProto` type.
            vendor_id: with `gpu` or `npu`, the PCI number of the maker.
            memory_info: the memory to take instead of the device's own; `CudaPinned` gives memory that the host reads.

        Raises:
            InvalidArgument: a bad shape or type, or an unknown device.
            OutOfMemory: there is no room.
        """
        if memory_info is None:
            device = OrtDevice.make(device_type, device_id, vendor_id).device
        else:
            device = memory_info.device
            if (device_type, device_id, vendor_id) != ("cpu", 0, -1):
                warnings.warn(
                    "device_type, device_id, and vendor_id are ignored when memory_info is provided.", stacklevel=2
                )
        return cls(new_tensor(device, element_of(element_type), shape))

    @classmethod
    def ort_value_from_sparse_tensor(cls, sparse_tensor: SparseTensor) -> OrtValue:
        """The value of a sparse tensor."""
        return cls(sparse_tensor.value)

    @classmethod
    def from_dlpack(cls, data: Any, /) -> OrtValue:
        """A tensor that shares the memory of an object with `__dlpack__`, or of a DLPack capsule.

        Raises:
            InvalidArgument: it holds no tensor that has an ONNX form.
        """
        from ort_core.dlpack import from_dlpack

        return cls(from_dlpack(data))

    @property
    def value(self) -> RuntimeValue:
        """The run-time value."""
        return self._value

    @property
    def type(self) -> ValueType | None:
        """Its ONNX type, where known."""
        return type_of(self._value) or self._type

    @property
    def device(self) -> Device:
        """Where it lives."""
        return device_of(self._value)

    @property
    def _ortvalue(self) -> OrtValue:
        """Itself: the native value of onnxruntime, which some packages reach for, has the same methods."""
        return self

    def as_sparse_tensor(self) -> SparseTensor:
        """The sparse tensor in it.

        Raises:
            InvalidArgument: it is none.
        """
        if not isinstance(self._value, SparseValue):
            raise InvalidArgument(f"this OrtValue does not contain a SparseTensor: it is {self._described()}")
        return SparseTensor(self._value)

    def data_ptr(self) -> int:
        """The address of the first element, on the value's device.

        Raises:
            InvalidArgument: it is not a tensor, or one of strings.
        """
        value = self._tensor("have a data pointer")
        if isinstance(value, DeviceTensor):
            return value.ptr
        if value.dtype.kind == "O":
            raise InvalidArgument("a tensor of strings has no data pointer")
        address: int = value.__array_interface__["data"][0]
        return address

    def device_name(self) -> str:
        """`cpu`, `cuda`, ...

        Raises:
            InvalidArgument: it is neither a tensor nor a sparse tensor.
        """
        if not isinstance(self._value, SparseValue):
            self._tensor("have a device")
        return self.device.type

    def shape(self) -> list[int]:
        """The dimensions.

        Raises:
            InvalidArgument: it is neither a tensor nor a sparse tensor.
        """
        if isinstance(self._value, SparseValue):
            return list(self._value.shape)
        return list(self._tensor("have a shape").shape)

    def data_type(self) -> str:
        """The type as onnxruntime spells it: `tensor(float)`, `seq(tensor(int64))`, ...

        Raises:
            InvalidArgument: it is empty, and no type is known.
        """
        kind = self.type
        if isinstance(kind, OptionalType):
            kind = kind.element
        if kind is None:
            raise InvalidArgument(f"the type of {self._described()} is not known")
        return str(kind)

    def element_type(self) -> int:
        """The number of the element type in `onnx.TensorProto`, also of the tensors of a sequence.

        Raises:
            InvalidArgument: its elements are not tensors.
        """
        kind = self.type
        while isinstance(kind, OptionalType | SequenceType):
            kind = kind.element
        if not isinstance(kind, TensorType | SparseTensorType):
            raise InvalidArgument(f"Tensor proto_type is unavailable for this value: it is {self._described()}")
        return int(kind.element)

    def tensor_size_in_bytes(self) -> int:
        """The size of a tensor as it lies in memory, where elements of less than a byte (int4) take one each.

        Raises:
            InvalidArgument: it is not a tensor.
        """
        return int(self._tensor("have a size in bytes").nbytes)

    def has_value(self) -> bool:
        """False for an empty optional."""
        return self._value is not None

    def is_tensor(self) -> bool:
        """Whether it is a dense tensor, or an empty optional of one."""
        return isinstance(self._resolved_type(), TensorType)

    def is_sparse_tensor(self) -> bool:
        """Whether it is a sparse tensor."""
        return isinstance(self._resolved_type(), SparseTensorType)

    def is_tensor_sequence(self) -> bool:
        """Whether it is a sequence of tensors, or an empty optional of one."""
        kind = self._resolved_type()
        if kind is None:
            return isinstance(self._value, list)
        return isinstance(kind, SequenceType) and isinstance(kind.element, TensorType)

    def numpy(self) -> np.ndarray:
        """The tensor as an array: a view of its memory on the host, a copy from a device.

        Raises:
            InvalidArgument: it is not a tensor.
        """
        value = self._tensor("be converted to numpy")
        return value.view() if isinstance(value, np.ndarray) else to_host(value)

    def update_inplace(self, data: np.ndarray | OrtValue) -> None:
        """Copies the elements of a tensor into this one, whose address stays.

        Args:
            data: a tensor of the same element type and number of elements. Types that numpy lacks also take unsigned
                integers of their size as their bits.

        Raises:
            InvalidArgument: types or counts differ, or this is read-only or not a tensor.
        """
        target = self._tensor("be updated in place")
        if isinstance(data, OrtValue):
            source = data._tensor("be copied into another")
        elif isinstance(data, np.ndarray):
            source = host_tensor(data)
            element = ElementType.from_dtype(target.dtype) if isinstance(target, np.ndarray) else target.element
            if source.dtype == f"u{element.dtype.itemsize}" and element.dtype.isbuiltin == 2 and element.bits >= 8:
                source = source.view(element.dtype)
        else:
            raise InvalidArgument(f"data must be a numpy.ndarray or an OrtValue, got {type(data).__name__}")
        copy_tensor(source, target)

    def to_dlpack(self) -> Any:
        """A DLPack capsule of the unversioned form; see `__dlpack__`."""
        return self.__dlpack__()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = self._tensor("be converted to numpy")
        if copy is False and isinstance(value, DeviceTensor):
            raise InvalidArgument(f"a tensor on {value.device} cannot become an array without a copy")
        array = self.numpy()
        if copy is None:
            return np.asarray(array, dtype)
        if not copy and dtype is not None and array.dtype != np.dtype(dtype):
            raise InvalidArgument(f"{self._described()} cannot become an array of {np.dtype(dtype)} without a copy")
        return np.array(array, dtype, copy=True) if copy else array

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A DLPack capsule that shares the tensor's memory.

        Raises:
            InvalidArgument: also a BufferError; it has no DLPack form as asked.
        """
        from ort_core.dlpack import to_capsule

        return to_capsule(self._value, stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)

    def __dlpack_device__(self) -> tuple[int, int]:
        """The device's type and index in DLPack's numbering.

        Raises:
            InvalidArgument: it is not a tensor.
        """
        from ort_core.dlpack import dlpack_device

        self._tensor("have a DLPack device")
        return dlpack_device(self.device)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.device.is_host and not isinstance(self._value, DeviceTensor):
            return _restore, (self._value, self._type)
        raise InvalidArgument(f"a value on {self.device} cannot be pickled. Pickle its copy: `OrtValue.numpy()`.")

    def __repr__(self) -> str:
        return f"OrtValue({self._described()})"

    def _resolved_type(self) -> ValueType | None:
        kind = self.type
        return kind.element if isinstance(kind, OptionalType) else kind

    def _described(self) -> str:
        kind = self.type
        if self._value is None:
            return f"empty {kind}" if kind else "empty optional"
        text = describe(kind) if kind is not None else f"empty {type(self._value).__name__}"
        return f"{text} on {self.device}"

    def _tensor(self, verb: str) -> Any:
        if isinstance(self._value, np.ndarray):
            return self._value
        if isinstance(self._value, DeviceTensor):
            if not self._value.device.is_host:
                return self._value
            wait_ready(self._value)
            return host_array(self._value)
        raise InvalidArgument(f"only OrtValues that are tensors can {verb}; this is {self._described()}")


def copy_tensors(
    src: Sequence[OrtValue], dst: Sequence[OrtValue], stream: OrtSyncStream | Stream | None = None
) -> None:
    """Copies tensors into tensors of the same element type and number of elements, between any devices.

    Args:
        stream: where the copies are queued; None waits for them.

    Raises:
        InvalidArgument: the numbers of values, or types or counts of elements, differ.
    """
    if len(src) != len(dst):
        raise InvalidArgument(f"copy_tensors: {len(src)} sources and {len(dst)} destinations must be as many")
    queue = stream.stream if isinstance(stream, OrtSyncStream) else stream
    for source, target in zip(src, dst, strict=True):
        copy_tensor(source._tensor("be copied"), target._tensor("be copied into"), queue)


def element_of(element_type: Any) -> ElementType:
    """The element type of an ONNX number, a numpy or ml_dtypes dtype, or a Python type."""
    if isinstance(element_type, int) and not isinstance(element_type, bool):
        try:
            return ElementType(element_type)
        except ValueError as error:
            raise InvalidArgument(f"tensor type {element_type} is not supported: not in onnx.TensorProto") from error
    try:
        return ElementType.from_dtype(element_type)
    except TypeError as error:
        raise InvalidArgument(f"{element_type!r} is neither a dtype nor a number of onnx.TensorProto") from error


def _restore(value: RuntimeValue, type_: ValueType | None) -> OrtValue:
    return OrtValue(value, type_=type_)
