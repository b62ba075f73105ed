"""Makes what an operator returned exactly what the node's types promise."""

from __future__ import annotations

from typing import Any

import numpy as np

from ort_core.errors import RuntimeException
from ort_core.ir.types import OptionalType, SequenceType, TensorType, ValueType, describe
from ort_core.values import RuntimeValue, SparseValue

_STRING_KINDS = "USO"


def exact(item: Any, type_: ValueType | None) -> RuntimeValue:
    """`item` as a run-time value of type `type_`; with None, as the type that it comes with.

    Tensors become C-contiguous native-endian arrays of the exact element type, strings object arrays, sequences lists.

    Raises:
        RuntimeException: it is no value of the type.
    """
    if isinstance(type_, TensorType):
        return _tensor(item, type_.element.dtype, type_)
    if isinstance(type_, OptionalType):
        return None if item is None else exact(item, type_.element)
    if isinstance(type_, SequenceType):
        if not isinstance(item, list | tuple):
            raise _mismatch(item, type_)
        return [exact(element, type_.element) for element in item]
    if isinstance(item, list):
        return [exact(element, None) for element in item]
    if item is None or isinstance(item, dict | SparseValue):
        return item
    return _tensor(item, None, type_)


def _tensor(item: Any, dtype: np.dtype | None, type_: ValueType | None) -> np.ndarray:
    if item is None or isinstance(item, list | tuple | dict | SparseValue):
        raise _mismatch(item, type_)
    array = np.asarray(item)
    if dtype is None:
        dtype = np.dtype(object) if array.dtype.kind in _STRING_KINDS else array.dtype.newbyteorder("=")
    if array.dtype != dtype or not array.dtype.isnative:
        if (array.dtype.kind in _STRING_KINDS) is not (dtype.kind in _STRING_KINDS):
            raise _mismatch(item, type_)
        array = array.astype(dtype)
    return array if array.flags.c_contiguous else array.copy()


def _mismatch(item: Any, type_: ValueType | None) -> RuntimeException:
    got = f"array of {item.dtype}" if isinstance(item, np.ndarray | np.generic) else type(item).__name__
    return RuntimeException(f"the operator returned {got}, its type is {describe(type_)}")
