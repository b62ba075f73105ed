"""The types that signatures of operators are written with.

To a type checker each is a plain array; an operator's signature may also use numpy's own `NDArray[np.float32]`.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias, TypeVar

from numpy.typing import NDArray

from ort_core.ir.types import ElementType

V = TypeVar("V")


class Elements(frozenset[ElementType]):
    """What an annotation carries: the element types that a tensor may have."""


class OptionalMark:
    """What the annotation `Maybe` carries."""


E = ElementType

Float16: TypeAlias = Annotated[NDArray[Any], Elements([E.FLOAT16])]
Float32: TypeAlias = Annotated[NDArray[Any], Elements([E.FLOAT])]
Float64: TypeAlias = Annotated[NDArray[Any], Elements([E.DOUBLE])]
BFloat16: TypeAlias = Annotated[NDArray[Any], Elements([E.BFLOAT16])]
Float8E4M3FN: TypeAlias = Annotated[NDArray[Any], Elements([E.FLOAT8E4M3FN])]
Float8E4M3FNUZ: TypeAlias = Annotated[NDArray[Any], Elements([E.FLOAT8E4M3FNUZ])]
Float8E5M2: TypeAlias = Annotated[NDArray[Any], Elements([E.FLOAT8E5M2])]
Float8E5M2FNUZ: TypeAlias = Annotated[NDArray[Any], Elements([E.FLOAT8E5M2FNUZ])]
Float8E8M0: TypeAlias = Annotated[NDArray[Any], Elements([E.FLOAT8E8M0])]
Float6E2M3: TypeAlias = Annotated[NDArray[Any], Elements([E.FLOAT6E2M3])]
Float6E3M2: TypeAlias = Annotated[NDArray[Any], Elements([E.FLOAT6E3M2])]
Float4E2M1: TypeAlias = Annotated[NDArray[Any], Elements([E.FLOAT4E2M1])]
Int2: TypeAlias = Annotated[NDArray[Any], Elements([E.INT2])]
Int4: TypeAlias = Annotated[NDArray[Any], Elements([E.INT4])]
Int8: TypeAlias = Annotated[NDArray[Any], Elements([E.INT8])]
Int16: TypeAlias = Annotated[NDArray[Any], Elements([E.INT16])]
Int32: TypeAlias = Annotated[NDArray[Any], Elements([E.INT32])]
Int64: TypeAlias = Annotated[NDArray[Any], Elements([E.INT64])]
UInt2: TypeAlias = Annotated[NDArray[Any], Elements([E.UINT2])]
UInt4: TypeAlias = Annotated[NDArray[Any], Elements([E.UINT4])]
UInt8: TypeAlias = Annotated[NDArray[Any], Elements([E.UINT8])]
UInt16: TypeAlias = Annotated[NDArray[Any], Elements([E.UINT16])]
UInt32: TypeAlias = Annotated[NDArray[Any], Elements([E.UINT32])]
UInt64: TypeAlias = Annotated[NDArray[Any], Elements([E.UINT64])]
Complex64: TypeAlias = Annotated[NDArray[Any], Elements([E.COMPLEX64])]
Complex128: TypeAlias = Annotated[NDArray[Any], Elements([E.COMPLEX128])]
Bool: TypeAlias = Annotated[NDArray[Any], Elements([E.BOOL])]
String: TypeAlias = Annotated[NDArray[Any], Elements([E.STRING])]

FLOATS = Elements([E.FLOAT16, E.BFLOAT16, E.FLOAT, E.DOUBLE])
INTEGERS = Elements([E.INT8, E.INT16, E.INT32, E.INT64, E.UINT8, E.UINT16, E.UINT32, E.UINT64])

AnyFloat: TypeAlias = Annotated[NDArray[Any], FLOATS]
AnyInteger: TypeAlias = Annotated[NDArray[Any], INTEGERS]
AnyNumber: TypeAlias = Annotated[NDArray[Any], Elements(FLOATS | INTEGERS)]
Tensor: TypeAlias = Annotated[NDArray[Any], Elements(ElementType)]

Maybe: TypeAlias = Annotated[V | None, OptionalMark()]
"""ONNX's own optional type, a value that may be empty: `Maybe[Float32]`. An input that a node may leave out is `X | None`."""
