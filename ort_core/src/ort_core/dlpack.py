"""DLPack both ways: tensors to capsules, and capsules or objects with `__dlpack__` to tensors, sharing memory.

Capsules are made by numpy over an array of the same size and address, and then relabelled with the element type and device
of the tensor; so numpy's own deleter, which is safe at interpreter exit and without the GIL, manages the lifetime.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np

from ort_core.devices import HOST, Device
from ort_core.errors import InvalidArgument
from ort_core.ir.tensors import packed_size_bytes, unpack
from ort_core.ir.types import ElementType, TensorType, describe
from ort_core.memory.host import array_over, check_size
from ort_core.memory.registry import runtime_for
from ort_core.memory.transfer import copy_tensor, new_tensor, to_host, wait_ready
from ort_core.values import DeviceTensor, RuntimeValue, device_of, type_of


class DLPackError(InvalidArgument, BufferError):
    """A tensor cannot be exchanged through DLPack as asked."""


_CPU, _CUDA, _CUDA_HOST, _ROCM_HOST, _EXTENSION, _CUDA_MANAGED = 1, 2, 3, 11, 12, 13
_DEVICE_CODES = {
    "cpu": _CPU,
    "cuda": _CUDA,
    "opencl": 4,
    "vulkan": 7,
    "metal": 8,
    "vpi": 9,
    "rocm": 10,
    "oneapi": 14,
    "webgpu": 15,
    "hexagon": 16,
    "maia": 17,
}
_DEVICE_TYPES = {code: name for name, code in _DEVICE_CODES.items()} | {_CUDA_MANAGED: "cuda"}
_HOST_CODES = (_CPU, _CUDA_HOST, _ROCM_HOST)

_INT, _UINT, _FLOAT, _BFLOAT, _COMPLEX, _BOOL = 0, 1, 2, 4, 5, 6
_TYPES = {
    (_FLOAT, 32): ElementType.FLOAT,
    (_UINT, 8): ElementType.UINT8,
    (_INT, 8): ElementType.INT8,
    (_UINT, 16): ElementType.UINT16,
    (_INT, 16): ElementType.INT16,
    (_INT, 32): ElementType.INT32,
    (_INT, 64): ElementType.INT64,
    (_BOOL, 8): ElementType.BOOL,
    (_FLOAT, 16): ElementType.FLOAT16,
    (_FLOAT, 64): ElementType.DOUBLE,
    (_UINT, 32): ElementType.UINT32,
    (_UINT, 64): ElementType.UINT64,
    (_COMPLEX, 64): ElementType.COMPLEX64,
    (_COMPLEX, 128): ElementType.COMPLEX128,
    (_BFLOAT, 16): ElementType.BFLOAT16,
    (10, 8): ElementType.FLOAT8E4M3FN,
    (11, 8): ElementType.FLOAT8E4M3FNUZ,
    (12, 8): ElementType.FLOAT8E5M2,
    (13, 8): ElementType.FLOAT8E5M2FNUZ,
    (_UINT, 4): ElementType.UINT4,
    (_INT, 4): ElementType.INT4,
    (17, 4): ElementType.FLOAT4E2M1,
    (14, 8): ElementType.FLOAT8E8M0,
    (_UINT, 2): ElementType.UINT2,
    (_INT, 2): ElementType.INT2,
    (15, 6): ElementType.FLOAT6E2M3,
    (16, 6): ElementType.FLOAT6E3M2,
}
_CODES = {element: code for code, element in _TYPES.items()}

_READ_ONLY, _COPIED, _PADDED = 1, 2, 4
_PADDED_SINCE = (1, 1)
_MAX_RANK = 64
_NUMPY_HAS_VERSIONS = np.lib.NumpyVersion(np.__version__) >= "2.1.0"


class _DLTensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Managed(ctypes.Structure):
    _fields_ = (("tensor", _DLTensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


class _ManagedVersioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _DLTensor),
    )


_DELETER = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)

_capsule_is = ctypes.pythonapi.PyCapsule_IsValid
_capsule_is.argtypes, _capsule_is.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_int
_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.argtypes, _capsule_pointer.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p
_capsule_rename = ctypes.pythonapi.PyCapsule_SetName
_capsule_rename.argtypes, _capsule_rename.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_int

_LEGACY, _VERSIONED = b"dltensor", b"dltensor_versioned"
_USED = {_LEGACY: b"used_dltensor", _VERSIONED: b"used_dltensor_versioned"}
for _name in _USED.values():
    # PyCapsule_SetName keeps the pointer, and a capsule may outlive this module.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_name))


def dlpack_device(device: Device) -> tuple[int, int]:
    """The (device type, id) that DLPack knows a device by; a type of a plugin's own is an extension device (12)."""
    if device.memory == "pinned":
        return {"cuda": _CUDA_HOST, "rocm": _ROCM_HOST}.get(device.type, _CPU), device.id
    return _DEVICE_CODES.get(device.type, _EXTENSION), device.id


def to_capsule(
    value: RuntimeValue,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """A tensor as a DLPack capsule, with the arguments of `__dlpack__`.

    The host waits until a device's contents are there, so every consumer stream may read them.

    Raises:
        DLPackError: not a tensor, strings, a read-only tensor for an old consumer, elements of less than a byte for a
            consumer older than DLPack 1.1, or a device that it cannot be copied to.
    """
    kind = type_of(value)
    if not isinstance(kind, TensorType):
        raise DLPackError(f"only tensors have a DLPack form, not {describe(kind) if kind else type(value).__name__}")
    code = _CODES.get(kind.element)
    if code is None:
        raise DLPackError(f"DLPack has no element type for {kind}")
    versioned = _NUMPY_HAS_VERSIONS and max_version is not None and max_version[0] >= 1
    if kind.element.bits < 8 and not (versioned and max_version is not None and tuple(max_version) >= _PADDED_SINCE):
        raise DLPackError(
            f"{kind} has one element to a byte, which DLPack can say since version 1.1 only; the consumer asked for "
            f"{max_version or 'the unversioned form'}. Pass it bytes: `numpy.asarray(value).view(numpy.uint8)`."
        )
    value, copied = _placed(value, dl_device, copy)
    if stream != -1:
        wait_ready(value)
    array = _relabelled(value)
    if not array.flags.writeable and not versioned:
        raise DLPackError(
            f"a read-only {describe(kind)} cannot be given to a consumer of unversioned DLPack. Copy it first."
        )
    capsule = array.__dlpack__(max_version=(1, 0)) if versioned else array.__dlpack__()
    tensor, managed = _open(capsule)
    if managed is not None:
        managed.flags |= (_PADDED if kind.element.bits < 8 else 0) | (_COPIED if copied else 0)
        if kind.element.bits < 8:
            managed.minor = max(managed.minor, _PADDED_SINCE[1])
    tensor.code, tensor.bits = code
    tensor.device_type, tensor.device_id = dlpack_device(device_of(value))
    return capsule


def from_dlpack(data: Any, device: Device | None = None) -> RuntimeValue:
    """The tensor of an object with `__dlpack__`, or of a capsule, sharing its memory where it is dense.

    A host tensor with strides or without alignment, and packed elements of less than a byte, are copied. On a device the
    producer's work is ordered before `ready`.

    Args:
        device: what an extension device (12) stands for, where `data` does not say it.

    Raises:
        DLPackError: it holds no DLPack tensor, a used one, or one without an ONNX form.
        InvalidArgument, EPFail: nothing installed drives its device.
    """
    if _is_capsule(data):
        return _adopt(data, device, is_bool=False)
    if not hasattr(data, "__dlpack__"):
        raise DLPackError(f"{type(data).__name__} is neither a DLPack capsule nor an object with __dlpack__")
    device = device or getattr(data, "device", None)
    code, index = data.__dlpack_device__() if hasattr(data, "__dlpack_device__") else (_CPU, 0)
    place = _device(int(code), int(index), device)
    if place.is_host:
        return _adopt(_request(data), device, _says_bool(data))
    stream = runtime_for(place).new_stream()
    tensor = _adopt(_request(data, stream.handle if stream is not None else 0), device, _says_bool(data))
    if stream is not None:
        tensor.ready = stream.record()
    return tensor


def _placed(value: RuntimeValue, dl_device: tuple[int, int] | None, copy: bool | None) -> tuple[RuntimeValue, bool]:
    """The tensor where the consumer wants it, and whether it is a copy."""
    here = dlpack_device(device_of(value))
    if dl_device is not None and tuple(dl_device) != here:
        if dl_device[0] != _CPU or copy is False:
            raise DLPackError(
                f"a tensor on {device_of(value)} (DLPack device {here}) cannot be exported to DLPack device "
                f"{tuple(dl_device)}{' without a copy' if copy is False else ''}. Copy it there first."
            )
        return to_host(value), True
    if not copy:
        return value, False
    if isinstance(value, np.ndarray):
        return value.copy(), True
    clone = new_tensor(value.device, value.element, value.shape)
    copy_tensor(value, clone)
    return clone, True


def _relabelled(value: RuntimeValue) -> np.ndarray:
    """An array that numpy can export, with the address and shape of the tensor."""
    dtype = value.dtype if isinstance(value, np.ndarray) else value.element.dtype
    plain = dtype if dtype.kind in "biufc" and dtype.isbuiltin == 1 else np.dtype(f"u{dtype.itemsize}")
    if isinstance(value, np.ndarray):
        return value.view(plain)
    return array_over(value.ptr, plain, value.shape, value.buffer)


def _open(capsule: Any) -> tuple[_DLTensor, _ManagedVersioned | None]:
    """The tensor inside a capsule, and the structure around it where it has a version."""
    if _capsule_is(capsule, _VERSIONED):
        managed = _ManagedVersioned.from_address(_capsule_pointer(capsule, _VERSIONED))
        return managed.tensor, managed
    return _Managed.from_address(_capsule_pointer(capsule, _LEGACY)).tensor, None


def _is_capsule(data: Any) -> bool:
    return type(data).__name__ == "PyCapsule"


def _request(data: Any, stream: int = 0) -> Any:
    arguments = {"stream": stream} if stream else {}
    try:
        try:
            return data.__dlpack__(max_version=_PADDED_SINCE, **arguments)
        except TypeError:
            return data.__dlpack__(**arguments)
    except Exception as error:
        raise DLPackError(
            f"{type(data).__name__} cannot be shared through DLPack: {error}. Pass a copy, such as numpy.array(value)."
        ) from error


def _says_bool(data: Any) -> bool:
    """Old producers export bool as uint8; the object's dtype tells."""
    dtype = getattr(data, "dtype", None)
    return getattr(dtype, "name", str(dtype)) in ("bool", "bool_", "torch.bool")


def _device(code: int, index: int, hint: Any) -> Device:
    if code in _HOST_CODES:
        return HOST
    if code in _DEVICE_TYPES:
        return Device(_DEVICE_TYPES[code], index)
    if isinstance(hint, Device) and dlpack_device(hint)[0] == code:
        return hint._replace(id=index)
    raise DLPackError(
        f"DLPack device type {code} is none that can be told apart here. Copy the tensor to the host first."
    )


class _Owner:
    """Calls a capsule's deleter when nothing uses its memory any more."""

    __slots__ = ("_deleter", "_pointer")

    def __init__(self, pointer: int, deleter: int | None) -> None:
        self._pointer = pointer
        self._deleter = _DELETER(deleter) if deleter else None

    def __del__(self) -> None:
        if self._deleter is not None:
            self._deleter(self._pointer)


def _adopt(capsule: Any, hint: Any, is_bool: bool) -> RuntimeValue:
    """Takes over the tensor of a capsule; its deleter is called when the result is gone, or at once on an error."""
    name = next((n for n in _USED if _is_capsule(capsule) and _capsule_is(capsule, n)), None)
    if name is None:
        raise DLPackError(
            "expected a DLPack capsule named 'dltensor' or 'dltensor_versioned'; a capsule can be used only once"
        )
    tensor, managed = _open(capsule)
    pointer = _capsule_pointer(capsule, name)
    _capsule_rename(capsule, _USED[name])
    owner = _Owner(pointer, (managed or _Managed.from_address(pointer)).deleter)
    if managed is not None and managed.major != 1:
        raise DLPackError(f"the capsule is of DLPack {managed.major}.{managed.minor}, expected version 1")
    flags = managed.flags if managed is not None else 0
    element = _TYPES.get((tensor.code, tensor.bits))
    if element is None or tensor.lanes != 1 or not 0 <= tensor.ndim <= _MAX_RANK:
        raise DLPackError(
            f"a DLPack tensor of type code {tensor.code}, {tensor.bits} bits, {tensor.lanes} lanes and rank {tensor.ndim} "
            "has no ONNX form"
        )
    if is_bool and element is ElementType.UINT8:
        element = ElementType.BOOL
    shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
    if any(d < 0 for d in shape):
        raise DLPackError(f"the DLPack tensor has the shape {list(shape)}: dimensions must be at least 0")
    strides = tuple(tensor.strides[i] for i in range(tensor.ndim)) if tensor.strides else None
    dense = strides is None or _is_dense(shape, strides)
    address = (tensor.data or 0) + tensor.byte_offset
    packed = element.bits < 8 and not flags & _PADDED
    place = _device(tensor.device_type, tensor.device_id, hint)
    if packed and not (dense and place.is_host):
        raise DLPackError(
            f"packed {element.onnx_name} elements can be taken from dense host memory only. Copy it first."
        )
    if not place.is_host:
        if not dense:
            raise DLPackError(
                f"a tensor on {place} must be dense row-major, got strides {strides}. Make it contiguous."
            )
        nbytes = check_size(math.prod(shape) * element.dtype.itemsize)
        return DeviceTensor(element, shape, runtime_for(place).wrap(address, nbytes, owner))
    if packed:
        raw = array_over(address, np.dtype("u1"), (packed_size_bytes(element, shape),), owner)
        return unpack(raw, element, shape)
    read_only = bool(flags & _READ_ONLY)
    if dense:
        array = array_over(address, element.dtype, shape, owner, read_only=read_only)
    else:
        array = _strided(address, element.dtype, shape, strides or (), owner)
    return array if array.flags.c_contiguous and array.flags.aligned else array.copy()


def _is_dense(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    expected = 1
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if size != 1 and stride != expected:
            return 0 in shape
        expected *= size
    return True


class _Strided:
    """Lets numpy view memory with strides, of elements as unsigned integers or complex numbers."""

    def __init__(self, interface: dict[str, Any], owner: object) -> None:
        self.__array_interface__ = interface
        self.owner = owner


def _strided(
    address: int, dtype: np.dtype, shape: tuple[int, ...], strides: tuple[int, ...], owner: object
) -> np.ndarray:
    interface = {
        "data": (address, True),
        "shape": shape,
        "strides": tuple(s * dtype.itemsize for s in strides),
        "typestr": np.dtype("c16" if dtype.itemsize == 16 else f"u{dtype.itemsize}").str,
        "version": 3,
    }
    array: np.ndarray = np.asarray(_Strided(interface, owner)).view(dtype)
    return array
