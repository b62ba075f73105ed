"""ONNX element and value types, their numpy dtypes and their ONNX Runtime spelling."""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ort_core.errors import InvalidArgument
from ort_core.ir.shapes import Shape, format_shape

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


class ElementType(enum.IntEnum):
    """Tensor element types, numbered as `onnx.TensorProto.DataType`."""

    FLOAT = 1
    UINT8 = 2
    INT8 = 3
    UINT16 = 4
    INT16 = 5
    INT32 = 6
    INT64 = 7
    STRING = 8
    BOOL = 9
    FLOAT16 = 10
    DOUBLE = 11
    UINT32 = 12
    UINT64 = 13
    COMPLEX64 = 14
    COMPLEX128 = 15
    BFLOAT16 = 16
    FLOAT8E4M3FN = 17
    FLOAT8E4M3FNUZ = 18
    FLOAT8E5M2 = 19
    FLOAT8E5M2FNUZ = 20
    UINT4 = 21
    INT4 = 22
    FLOAT4E2M1 = 23
    FLOAT8E8M0 = 24
    UINT2 = 25
    INT2 = 26
    FLOAT6E2M3 = 27
    FLOAT6E3M2 = 28

    @property
    def dtype(self) -> np.dtype:
        """The numpy dtype of one element: object for strings, one byte for every sub-byte type."""
        return _dtype(self)

    @property
    def onnx_name(self) -> str:
        """ONNX Runtime's spelling: `float`, `int64`, `bfloat16`, ..."""
        return self.name.lower()

    @property
    def bits(self) -> int:
        """Bits of one element in a model file (4 for int4, 6 for float6, 0 for strings)."""
        return _BITS.get(self, 0) or (0 if self is ElementType.STRING else self.dtype.itemsize * 8)

    @classmethod
    def from_dtype(cls, dtype: DTypeLike) -> ElementType:
        """The element type that a numpy dtype (ml_dtypes included) stands for.

        Raises:
            InvalidArgument: ONNX has no such element type.
        """
        return _from_dtype(np.dtype(dtype))


_NATIVE = {
    ElementType.FLOAT: "float32",
    ElementType.DOUBLE: "float64",
    ElementType.FLOAT16: "float16",
    ElementType.BOOL: "bool",
    ElementType.STRING: "object",
} | {
    t: t.name.lower()
    for t in ElementType
    if t.name in {"UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "UINT32", "UINT64", "COMPLEX64", "COMPLEX128"}
}
_ML_DTYPES = {
    ElementType.BFLOAT16: "bfloat16",
    ElementType.FLOAT8E4M3FN: "float8_e4m3fn",
    ElementType.FLOAT8E4M3FNUZ: "float8_e4m3fnuz",
    ElementType.FLOAT8E5M2: "float8_e5m2",
    ElementType.FLOAT8E5M2FNUZ: "float8_e5m2fnuz",
    ElementType.UINT4: "uint4",
    ElementType.INT4: "int4",
    ElementType.FLOAT4E2M1: "float4_e2m1fn",
    ElementType.FLOAT8E8M0: "float8_e8m0fnu",
    ElementType.UINT2: "uint2",
    ElementType.INT2: "int2",
    ElementType.FLOAT6E2M3: "float6_e2m3fn",
    ElementType.FLOAT6E3M2: "float6_e3m2fn",
}
_BITS = {
    ElementType.UINT4: 4,
    ElementType.INT4: 4,
    ElementType.FLOAT4E2M1: 4,
    ElementType.UINT2: 2,
    ElementType.INT2: 2,
    ElementType.FLOAT6E2M3: 6,
    ElementType.FLOAT6E3M2: 6,
}
_BY_NAME = {name: t for t, name in (_NATIVE | _ML_DTYPES).items()}


@functools.cache
def _dtype(element: ElementType) -> np.dtype:
    if name := _NATIVE.get(element):
        return np.dtype(name)
    import ml_dtypes

    dtype: np.dtype = np.dtype(getattr(ml_dtypes, _ML_DTYPES[element]))
    return dtype


@functools.cache
def _from_dtype(dtype: np.dtype) -> ElementType:
    if dtype.kind in "US":
        return ElementType.STRING
    if element := _BY_NAME.get(dtype.name):
        return element
    raise InvalidArgument(
        f"numpy dtype {dtype} has no ONNX element type. Convert the array to one of: {', '.join(sorted(_BY_NAME))}."
    )


@dataclass(frozen=True, slots=True)
class TensorType:
    """A dense tensor; `shape` is None when even the rank is unknown."""

    element: ElementType
    shape: Shape | None = None

    def __str__(self) -> str:
        """ONNX Runtime's spelling, without the shape."""
        return f"tensor({self.element.onnx_name})"


@dataclass(frozen=True, slots=True)
class SparseTensorType:
    """A sparse tensor of dense shape `shape`."""

    element: ElementType
    shape: Shape | None = None

    def __str__(self) -> str:
        return f"sparse_tensor({self.element.onnx_name})"


@dataclass(frozen=True, slots=True)
class SequenceType:
    """A list of values of one type."""

    element: ValueType

    def __str__(self) -> str:
        return f"seq({self.element})"


@dataclass(frozen=True, slots=True)
class MapType:
    """A dictionary from an integer or string key to a value."""

    key: ElementType
    value: ValueType

    def __str__(self) -> str:
        return f"map({self.key.onnx_name},{self.value})"


@dataclass(frozen=True, slots=True)
class OptionalType:
    """A value or None."""

    element: ValueType

    def __str__(self) -> str:
        return f"optional({self.element})"


ValueType: TypeAlias = "TensorType | SparseTensorType | SequenceType | MapType | OptionalType"


def describe(type_: ValueType | None) -> str:
    """Type and shape for messages: `tensor(float) [N, 3, 224, 224]`."""
    if type_ is None:
        return "unknown type"
    shape = getattr(type_, "shape", None)
    return str(type_) if shape is None else f"{type_} {format_shape(shape)}"
