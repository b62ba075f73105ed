"""Conversion of what users feed into run-time values of the declared type, and of results into what they get."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ort_core.errors import InvalidArgument
from ort_core.ir.shapes import Shape, format_shape
from ort_core.ir.types import (
    ElementType,
    MapType,
    OptionalType,
    SequenceType,
    SparseTensorType,
    TensorType,
    ValueType,
    describe,
)
from ort_core.values import DeviceTensor, RuntimeValue, SparseValue, fits, type_of


def to_runtime_value(obj: Any, declared: ValueType | None, name: str) -> RuntimeValue:
    """What a user feeds, as a run-time value of the declared type.

    Dense native arrays of the declared type are taken as they are; strided, unaligned or big-endian ones are copied. Also
    taken: lists, tuples and scalars, `OrtValue`, `SparseTensor`, objects with `__dlpack__` (sharing memory, on devices too)
    or `__array__`, dicts for maps, None for optionals. An element type is never changed, but for Python numbers, which
    become the declared type if that loses nothing but precision.

    Args:
        declared: None takes the type from the value.
        name: the input, for messages.

    Raises:
        InvalidArgument: naming the input, its type and shape, and the declared ones.
    """
    if (
        type(obj) is np.ndarray
        and isinstance(declared, TensorType)
        and obj.dtype == declared.element.dtype
        and obj.dtype.kind != "O"
        and obj.flags.c_contiguous
        and obj.flags.aligned
    ):
        check_shape(obj.shape, declared.shape, name)
        return obj
    if isinstance(declared, OptionalType):
        return None if _is_none(obj) else to_runtime_value(obj, declared.element, name)
    wrapped, obj = obj, _unwrapped(obj)
    if isinstance(obj, list) and obj is not wrapped and isinstance(declared, TensorType):
        raise _mismatch(obj, declared, name)
    if isinstance(declared, SequenceType):
        return _sequence(obj, declared, name)
    if isinstance(declared, MapType):
        return _map(obj, declared, name)
    if isinstance(declared, SparseTensorType):
        if not fits(obj, declared):
            raise _mismatch(obj, declared, name)
        check_shape(obj.shape, declared.shape, name)
        return obj
    if declared is None and (obj is None or isinstance(obj, SparseValue | list | tuple | dict)):
        return _inferred(obj, name)
    return _tensor(obj, declared, name)


def to_python(value: RuntimeValue) -> Any:
    """A run-time value as `run` returns it: arrays, lists, dicts, `SparseTensor`, None; device tensors are copied."""
    if isinstance(value, DeviceTensor):
        from ort_core.memory.transfer import to_host

        return to_host(value)
    if isinstance(value, SparseValue):
        from ort_core.sparse import SparseTensor

        return SparseTensor(value)
    if isinstance(value, list):
        return [to_python(item) for item in value]
    return value


def host_tensor(array: np.ndarray, name: str | None = None) -> np.ndarray:
    """An array as a host tensor: dense, aligned, native-endian, strings as `str` objects; itself where it is that already.

    Raises:
        InvalidArgument: ONNX has no such element type, bytes are not UTF-8, or a mask would be lost.
    """
    where = f" for input '{name}'" if name else ""
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise InvalidArgument(f"a masked array{where} would lose its mask. Fill it first: `array.filled(value)`.")
    if array.dtype.kind in "OUS":
        return _strings(array, where)
    native = array.dtype if array.dtype.isnative else array.dtype.newbyteorder("=")
    try:
        dtype = ElementType.from_dtype(native).dtype
    except InvalidArgument as error:
        raise InvalidArgument(f"{error}{where}") from error
    if type(array) is np.ndarray and array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.require(np.asarray(array), dtype, ["C", "A"]).reshape(array.shape)


def check_shape(shape: tuple[int, ...], declared: Shape | None, name: str, what: str = "input") -> None:
    """Raises InvalidArgument if a shape contradicts the declared one; symbolic and unknown dimensions take any size."""
    if declared is None:
        return
    if len(shape) != len(declared):
        raise InvalidArgument(
            f"Invalid rank for {what}: {name} Got: {len(shape)} Expected: {len(declared)}. The shape is {list(shape)}, the "
            f"model declares {format_shape(declared)}. Reshape the {what}."
        )
    wrong = [
        i for i, (got, want) in enumerate(zip(shape, declared, strict=True)) if isinstance(want, int) and got != want
    ]
    if wrong:
        lines = " ".join(f"index: {i} Got: {shape[i]} Expected: {declared[i]}" for i in wrong)
        raise InvalidArgument(
            f"Got invalid dimensions for {what}: {name} for the following indices {lines}. The shape is {list(shape)}, the "
            f"model declares {format_shape(declared)}."
        )


def _tensor(obj: Any, declared: ValueType | None, name: str) -> RuntimeValue:
    want = declared.element if isinstance(declared, TensorType) else None
    if isinstance(obj, DeviceTensor):
        value: RuntimeValue = obj
    elif isinstance(obj, list | tuple | bool | int | float | complex | str | bytes) and not isinstance(obj, np.generic):
        value = _from_python(obj, want, name)
    elif isinstance(obj, np.ndarray | np.generic):
        value = host_tensor(np.asanyarray(obj), name)
    else:
        value = _foreign(obj, declared, name)
    if isinstance(declared, TensorType):
        if not fits(value, declared):
            raise _mismatch(value, declared, name)
        check_shape(value.shape, declared.shape, name)
    return value


def _foreign(obj: Any, declared: ValueType | None, name: str) -> RuntimeValue:
    """The tensor of another library, through DLPack or as an array."""
    refused: Exception | None = None
    if hasattr(obj, "__dlpack__"):
        from ort_core.dlpack import DLPackError, from_dlpack

        try:
            value = from_dlpack(obj)
            return value if isinstance(value, DeviceTensor) else host_tensor(value, name)
        except DLPackError as error:
            refused = error
    if hasattr(obj, "__array__"):
        try:
            return host_tensor(np.asarray(obj), name)
        except Exception as error:
            refused = error
    if refused is not None:
        raise InvalidArgument(f"cannot take the {type(obj).__name__} for input '{name}': {refused}") from refused
    raise _mismatch(obj, declared, name)


def _from_python(obj: Any, want: ElementType | None, name: str) -> np.ndarray:
    """Python lists and scalars as a tensor of the wanted type."""
    if want is ElementType.STRING:
        return _strings(_array_of(obj, name, object), f" for input '{name}'")
    array = _array_of(obj, name)
    if want is None or array.dtype == want.dtype:
        return host_tensor(array, name)
    if array.size == 0:
        return np.empty(array.shape, want.dtype)
    converted = _converted(array, want)
    if converted is None:
        raise InvalidArgument(
            f"the Python values for input '{name}' do not fit tensor({want.onnx_name}): they are {array.dtype}"
            + (f", from {array.min()} to {array.max()}" if array.dtype.kind in "iuf" else "")
            + ". Convert them first."
        )
    return converted


def _converted(array: np.ndarray, want: ElementType) -> np.ndarray | None:
    """Numbers as another type, or None if that loses more than precision."""
    if array.dtype.kind not in "biufc":
        return None
    target = want.dtype
    if array.dtype.kind == "c" and target.kind != "c":
        return None
    if want is not ElementType.BOOL and "INT" not in want.name:
        with np.errstate(over="ignore", invalid="ignore"):
            floats = array.astype(target)
        overflown = np.isfinite(array) & ~np.isfinite(floats)
        return None if overflown.any() else floats
    if array.dtype.kind == "f":
        if not np.all((array == np.floor(array)) & (np.abs(array) < 2.0**63)):
            return None
        array = array.astype(np.int64)
    low, high = (0, 1) if want is ElementType.BOOL else _range(want)
    return array.astype(target) if low <= int(array.min()) and int(array.max()) <= high else None


def _range(element: ElementType) -> tuple[int, int]:
    if element.name.startswith("U"):
        return 0, (1 << element.bits) - 1
    return -(1 << (element.bits - 1)), (1 << (element.bits - 1)) - 1


def _array_of(obj: Any, name: str, dtype: Any = None) -> np.ndarray:
    try:
        array = np.array(obj, dtype)
    except Exception as error:
        raise InvalidArgument(f"could not create a tensor from the values given for input '{name}': {error}") from error
    if dtype is None and array.dtype.kind == "O":
        raise InvalidArgument(
            f"could not create a tensor from the values given for input '{name}': they are neither numbers nor strings of "
            "one kind"
        )
    return array


def _strings(array: np.ndarray, where: str) -> np.ndarray:
    """Elements as `str`: bytes are decoded, anything else is formatted."""
    flat = array.reshape(-1).tolist()
    plain = type(array) is np.ndarray and array.dtype.kind == "O" and array.flags.c_contiguous
    if plain and all(type(item) is str for item in flat):
        return array
    try:
        texts = [item.decode("utf-8") if isinstance(item, bytes) else str(item) for item in flat]
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"the bytes{where} are not UTF-8: {error}. Decode them first.") from error
    result = np.empty(len(texts), object)
    result[:] = texts
    return result.reshape(array.shape)


def _sequence(obj: Any, declared: SequenceType, name: str) -> list[RuntimeValue]:
    if not isinstance(obj, list | tuple):
        raise _mismatch(obj, declared, name)
    return [to_runtime_value(item, declared.element, f"{name}[{i}]") for i, item in enumerate(obj)]


def _map(obj: Any, declared: MapType, name: str) -> dict[Any, Any]:
    if not isinstance(obj, Mapping):
        raise _mismatch(obj, declared, name)
    text = declared.key is ElementType.STRING
    result: dict[Any, Any] = {}
    for key, item in obj.items():
        if isinstance(key, str) != text or not isinstance(key, str | int | np.integer):
            raise InvalidArgument(
                f"Unexpected input data type for '{name}': the key {key!r} is {type(key).__name__}, expected: ({declared})"
            )
        scalar = isinstance(declared.value, TensorType) and isinstance(
            item, str | bytes | int | float | complex | np.generic
        )
        value = to_runtime_value(
            item.item() if isinstance(item, np.generic) else item, declared.value, f"{name}[{key!r}]"
        )
        result[key if text else int(key)] = value.item() if scalar else value
    return result


def _inferred(obj: Any, name: str) -> RuntimeValue:
    """A value whose declared type is unknown: a list of numbers is a tensor, of anything else a sequence."""
    if isinstance(obj, list | tuple):
        if all(isinstance(item, list | tuple | bool | int | float | complex | str) for item in obj):
            return _from_python(obj, None, name)
        return [to_runtime_value(item, None, f"{name}[{i}]") for i, item in enumerate(obj)]
    return obj


def _unwrapped(obj: Any) -> Any:
    """The run-time value inside our own wrappers."""
    from ort_core.ort_value import OrtValue
    from ort_core.sparse import SparseTensor

    return obj.value if isinstance(obj, OrtValue | SparseTensor) else obj


def _is_none(obj: Any) -> bool:
    return _unwrapped(obj) is None


def _mismatch(obj: Any, declared: ValueType | None, name: str) -> InvalidArgument:
    """The exception for a value of another type than declared."""
    try:
        have = type_of(obj) if isinstance(obj, np.ndarray | DeviceTensor | SparseValue | list | dict) else None
    except RecursionError:
        have = None
    if obj is None:
        actual = "None"
    elif have is not None:
        actual = str(have)
    else:
        actual = f"a Python {type(obj).__name__}"
    shape = f" {describe(have).removeprefix(str(have)).strip()}" if have is not None else ""
    return InvalidArgument(
        f"Unexpected input data type. Actual: ({actual}) , expected: ({declared}) for input '{name}'{shape}. "
        f"{_remedy(obj, have, declared)}"
    )


def _remedy(obj: Any, have: ValueType | None, declared: ValueType | None) -> str:
    if obj is None:
        return "It is not optional: give it a value."
    if isinstance(have, SparseTensorType) and isinstance(declared, TensorType):
        return "Pass the dense tensor: `to_dense()`."
    if isinstance(have, TensorType) and isinstance(declared, TensorType):
        dtype = declared.element.dtype
        prefix = "ml_dtypes" if dtype.isbuiltin == 2 else "numpy"
        target = "str" if declared.element is ElementType.STRING else f"{prefix}.{dtype.name}"
        if dtype.isbuiltin == 2 and have.element.bits == declared.element.bits:
            return f"If these are its bits: `.view({target})`; to convert: `.astype({target})`."
        return f"Convert it: `.astype({target})`."
    if isinstance(declared, SequenceType):
        return "Pass a list."
    if isinstance(declared, MapType):
        return "Pass a dict."
    return "Pass a numpy array, a list, an OrtValue, or a tensor with __dlpack__ or __array__."
