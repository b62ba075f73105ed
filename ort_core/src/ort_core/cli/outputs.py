"""Results of a run as table cells and as JSON values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ort_core.errors import Fail
from ort_core.ir.shapes import format_shape

_SMALL = 16


def describe_shape(value: Any) -> str:
    """The shape of a tensor, the length of a list or dictionary, `-` for anything else."""
    if isinstance(value, np.ndarray):
        return format_shape(value.shape)
    return f"{len(value)} items" if isinstance(value, (list, dict)) else "-"


def describe_values(value: Any) -> str:
    """The values where they are few; otherwise what they range over."""
    if isinstance(value, np.ndarray):
        if value.size == 0:
            return "(empty)"
        return _format(to_json(value)) if value.size <= _SMALL else _summary(value)
    if value is None or isinstance(value, (list, dict, str, int, float)):
        text = _format(to_json(value))
        return text if len(text) <= 120 else text[:117] + "..."
    return type(value).__name__


def to_json(value: Any) -> Any:
    """`value` in terms of JSON: tensors and tuples as lists, complex numbers as [real, imaginary].

    JSON has no non-finite numbers: they become the strings "NaN", "Infinity" and "-Infinity".

    Raises:
        Fail: the value is of a kind that has no JSON form.
    """
    if isinstance(value, np.ndarray):
        return to_json(_in_python_types(value).tolist())
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, complex):
        return [to_json(value.real), to_json(value.imag)]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise Fail(f"a value of type {type(value).__name__} cannot be shown as JSON. Choose other outputs with --output.")


def _in_python_types(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind in "biufcOSU" and array.dtype.isbuiltin == 1:
        return array
    name = array.dtype.name
    return array.astype(np.int64 if name.startswith(("int", "uint")) else np.float64)


def _format(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_format, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_format(item)}' for key, item in value.items())}}}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _summary(array: np.ndarray) -> str:
    array = _in_python_types(array)
    if array.dtype.kind == "b":
        return f"{np.count_nonzero(array)} true of {array.size}"
    if array.dtype.kind not in "iuf":
        first = _format(to_json(array.reshape(-1)[:3]))
        return f"{first[:-1]}, ...]"
    finite = array[np.isfinite(array)]
    parts = []
    if finite.size:
        low, high, mean = finite.min().item(), finite.max().item(), finite.mean(dtype=np.float64).item()
        parts.append(f"min {_format(low)}  max {_format(high)}  mean {_format(mean)}")
    for label, count in (("NaN", np.isnan(array).sum()), ("infinite", np.isinf(array).sum())):
        if count:
            parts.append(f"{count} {label}")
    return "  ".join(parts)
