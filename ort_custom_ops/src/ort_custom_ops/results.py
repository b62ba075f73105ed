"""Results of operators: made into run-time values, or refused with a message that names all that is needed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ort_core.errors import InvalidArgument, OutOfMemory, RuntimeException
from ort_core.ir.shapes import format_shape
from ort_core.ir.types import ElementType, OptionalType, SequenceType, TensorType, ValueType, describe
from ort_core.values import fits, type_of
from ort_custom_ops.patterns import Pattern

_BROKEN_PROMISE = "Correct the function, or what promised this shape: `shapes`, `infer_types` or the model."


class Expected(NamedTuple):
    """What one output of a node has to be: of `type` or, where that is open, of `pattern`."""

    name: str
    type: ValueType | None
    is_used: bool
    pattern: Pattern | None = None


class Site(NamedTuple):
    """How messages name a kernel: the node, and the author's function with its file and line."""

    node: str
    function: str
    is_on_host: bool = True

    def __str__(self) -> str:
        return f"{self.node}: {self.function}"


def checked(result: Any, expected: Expected, index: int, site: Site) -> Any:
    """A result as a run-time value of the expected type.

    Raises:
        RuntimeException: it is of another type, element type or shape.
    """
    type_ = expected.type
    if result is None and not expected.is_used:
        return None
    value = _normalized(result, type_, is_on_host=site.is_on_host)
    reason = _misfit(value, type_, is_on_host=site.is_on_host)
    if reason is None:
        if type_ is None and site.is_on_host and (wanted := _no_member(value, expected.pattern)):
            raise RuntimeException(
                f"{site} returned {describe_value(result)} for output {index} '{expected.name}', expected {wanted}. "
                "Return a value of that type, or correct the annotation."
            )
        return value
    raise RuntimeException(
        f"{site} returned {describe_value(result)} for output {index} '{expected.name}', expected {describe(type_)}. {reason}"
    )


def taken(value: Any, pattern: Pattern, index: int, site: Site) -> Any:
    """An input whose type was not known before, if the signature allows it.

    Raises:
        RuntimeException: it does not.
    """
    if wanted := _no_member(value, pattern):
        raise RuntimeException(
            f"{site} cannot take {describe_value(value)} as input {index}, expected {wanted}. The type was not known when the "
            "session was made: declare it in the model (value_info) if an overload for it is to be called."
        )
    return value


def _no_member(value: Any, pattern: Pattern | None) -> str | None:
    """What was expected instead of a value; None if the pattern has its type."""
    if pattern is None:
        return None
    type_ = None
    if not isinstance(value, np.ndarray) or (type(value) is np.ndarray and value.dtype.isnative):
        with contextlib.suppress(InvalidArgument):
            type_ = type_of(value)
    if type_ is not None:
        return pattern.match(type_, {})
    is_empty = value is None or (isinstance(value, list) and not value)
    return None if is_empty and not pattern.is_tensor else str(pattern)


def _normalized(value: Any, type_: ValueType | None, *, is_on_host: bool) -> Any:
    """Python scalars and numpy scalars as tensors, numpy's own strings as objects, arrays in C order."""
    if not is_on_host:
        return value
    if isinstance(type_, OptionalType):
        return None if value is None else _normalized(value, type_.element, is_on_host=True)
    if isinstance(type_, SequenceType) and isinstance(value, list | tuple):
        return [_normalized(item, type_.element, is_on_host=True) for item in value]
    if isinstance(value, np.ma.MaskedArray):
        return value
    if isinstance(value, bool | int | float | complex | str) and not isinstance(value, np.generic):
        value = _from_python(value, type_)
    if not isinstance(value, np.ndarray | np.generic):
        return value
    array = np.asarray(value)
    if array.dtype.kind == "U":
        return array.astype(object)
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def _from_python(value: Any, type_: ValueType | None) -> Any:
    if isinstance(type_, TensorType):
        dtype = type_.element.dtype
        if isinstance(value, str) == (type_.element is ElementType.STRING):
            with contextlib.suppress(OverflowError, ValueError, TypeError):
                array = np.array(value).astype(dtype)
                if dtype.kind not in "biu" or array == value:
                    return array
        return value
    return np.array(value, object) if isinstance(value, str) else np.array(value)


def _misfit(value: Any, type_: ValueType | None, *, is_on_host: bool) -> str | None:
    """What to do about a value that does not fit; None if it fits."""
    if type_ is None:
        return None
    if not is_on_host:
        return _device_misfit(value, type_)
    if isinstance(value, np.ma.MaskedArray):
        return "Fill it with .filled(value)."
    if not fits(value, type_):
        if isinstance(value, np.ndarray) and value.dtype.kind == "S":
            return "Decode it with np.char.decode(..., 'utf-8')."
        if isinstance(value, np.ndarray) and isinstance(type_, TensorType) and value.dtype != object:
            return f"Convert it with .astype({_spelt(type_.element)})."
        if isinstance(value, list) and isinstance(type_, TensorType):
            return "Make it an array: np.array(..., dtype)."
        return "Return a value of that type, or correct the annotation."
    if isinstance(type_, TensorType):
        return _tensor_misfit(value, type_)
    if isinstance(type_, SequenceType):
        return next((r for item in value if (r := _misfit(item, type_.element, is_on_host=True)) is not None), None)
    if isinstance(type_, OptionalType) and value is not None:
        return _misfit(value, type_.element, is_on_host=True)
    return None


def _tensor_misfit(value: np.ndarray, type_: TensorType) -> str | None:
    if type_.element is ElementType.STRING and not set(map(type, value.reshape(-1).tolist())) <= {str}:
        return "Every element must be a str: decode bytes, and replace None."
    if type_.shape is not None and not dims_check(type_.shape)(value.shape):
        return _BROKEN_PROMISE
    return None


def _device_misfit(value: Any, type_: ValueType) -> str | None:
    if not isinstance(type_, TensorType):
        return None
    dtype = getattr(value, "dtype", None)
    if dtype != type_.element.dtype:
        return f"Convert it with .astype({_spelt(type_.element)})."
    if type_.shape is not None and not dims_check(type_.shape)(tuple(value.shape)):
        return _BROKEN_PROMISE
    return None


def _spelt(element: ElementType) -> str:
    dtype = element.dtype
    if element is ElementType.STRING:
        return "object"
    return f"np.{dtype.name}" if dtype.kind in "biufc" and hasattr(np, dtype.name) else f"ml_dtypes.{dtype.name}"


def describe_value(value: Any) -> str:
    """The type of anything, for messages."""
    with contextlib.suppress(InvalidArgument):
        type_ = type_of(value) if type(value) is np.ndarray and value.dtype.isnative else None
        if type_ is not None and (value.dtype != object or set(map(type, value.reshape(-1).tolist())) <= {str}):
            return describe(type_)
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{type(value).__name__} of {value.dtype} {format_shape(value.shape)}"
    if isinstance(value, list):
        return f"a list of {len(value)} ({', '.join(dict.fromkeys(describe_value(v) for v in value[:8]))})"
    return "None" if value is None else f"{type(value).__name__} {value!r:.60}"


def wrong_count(results: Any, outputs: Sequence[Expected], site: Site) -> RuntimeException:
    """The error for something else than a tuple of enough values."""
    names = ", ".join(f"'{e.name}'" for e in outputs)
    got = f"{len(results)} values" if isinstance(results, tuple) else describe_value(results)
    return RuntimeException(
        f"{site} returned {got}, expected a tuple of {len(outputs)} values for the outputs {names}."
    )


def dims_check(expected: tuple[Any, ...]) -> Callable[[tuple[int, ...]], bool]:
    """A function that says whether a shape has the rank and the sizes that are expected, where they are known."""
    rank = len(expected)
    fixed = [(i, d) for i, d in enumerate(expected) if isinstance(d, int)]

    def check(shape: tuple[int, ...]) -> bool:
        return len(shape) == rank and all(shape[i] == d for i, d in fixed)

    return check


def failure(site: Site, inputs: Sequence[Any], error: Exception) -> RuntimeException:
    """The error for an exception of the author's function; the exception is to be its cause."""
    shown = ", ".join(map(describe_value, inputs))
    kind = OutOfMemory if isinstance(error, MemoryError) else RuntimeException
    return kind(f"{site} raised {type(error).__name__}: {error}. Its inputs were ({shown}).")
