"""Custom operators for ort-core: written in Python with the decorator `op`, or from compiled libraries.

>>> from ort_custom_ops import Float32, op
>>> @op("my.domain", shapes="x")
... def Scale(x: Float32, *, factor: float = 1.0) -> Float32:
...     return x * np.float32(factor)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_TYPES = (
    "AnyFloat",
    "AnyInteger",
    "AnyNumber",
    "BFloat16",
    "Bool",
    "Complex64",
    "Complex128",
    "Float16",
    "Float32",
    "Float64",
    "Float4E2M1",
    "Float6E2M3",
    "Float6E3M2",
    "Float8E4M3FN",
    "Float8E4M3FNUZ",
    "Float8E5M2",
    "Float8E5M2FNUZ",
    "Float8E8M0",
    "Int2",
    "Int4",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Maybe",
    "String",
    "Tensor",
    "UInt2",
    "UInt4",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
)
_HOME = {
    **dict.fromkeys(_TYPES, "annotations"),
    "InputInfo": "inference",
    "NodeInfo": "node_info",
    "Operator": "operator",
    "UnknownDim": "dims",
    "load_library": "library",
    "op": "decorator",
}

__all__ = ["__version__", *_HOME]  # noqa: PLE0604 - the names resolve through __getattr__

if TYPE_CHECKING:
    from ort_custom_ops.annotations import AnyFloat as AnyFloat
    from ort_custom_ops.annotations import AnyInteger as AnyInteger
    from ort_custom_ops.annotations import AnyNumber as AnyNumber
    from ort_custom_ops.annotations import BFloat16 as BFloat16
    from ort_custom_ops.annotations import Bool as Bool
    from ort_custom_ops.annotations import Complex64 as Complex64
    from ort_custom_ops.annotations import Complex128 as Complex128
    from ort_custom_ops.annotations import Float4E2M1 as Float4E2M1
    from ort_custom_ops.annotations import Float6E2M3 as Float6E2M3
    from ort_custom_ops.annotations import Float6E3M2 as Float6E3M2
    from ort_custom_ops.annotations import Float8E4M3FN as Float8E4M3FN
    from ort_custom_ops.annotations import Float8E4M3FNUZ as Float8E4M3FNUZ
    from ort_custom_ops.annotations import Float8E5M2 as Float8E5M2
    from ort_custom_ops.annotations import Float8E5M2FNUZ as Float8E5M2FNUZ
    from ort_custom_ops.annotations import Float8E8M0 as Float8E8M0
    from ort_custom_ops.annotations import Float16 as Float16
    from ort_custom_ops.annotations import Float32 as Float32
    from ort_custom_ops.annotations import Float64 as Float64
    from ort_custom_ops.annotations import Int2 as Int2
    from ort_custom_ops.annotations import Int4 as Int4
    from ort_custom_ops.annotations import Int8 as Int8
    from ort_custom_ops.annotations import Int16 as Int16
    from ort_custom_ops.annotations import Int32 as Int32
    from ort_custom_ops.annotations import Int64 as Int64
    from ort_custom_ops.annotations import Maybe as Maybe
    from ort_custom_ops.annotations import String as String
    from ort_custom_ops.annotations import Tensor as Tensor
    from ort_custom_ops.annotations import UInt2 as UInt2
    from ort_custom_ops.annotations import UInt4 as UInt4
    from ort_custom_ops.annotations import UInt8 as UInt8
    from ort_custom_ops.annotations import UInt16 as UInt16
    from ort_custom_ops.annotations import UInt32 as UInt32
    from ort_custom_ops.annotations import UInt64 as UInt64
    from ort_custom_ops.decorator import op as op
    from ort_custom_ops.dims import UnknownDim as UnknownDim
    from ort_custom_ops.inference import InputInfo as InputInfo
    from ort_custom_ops.library import load_library as load_library
    from ort_custom_ops.node_info import NodeInfo as NodeInfo
    from ort_custom_ops.operator import Operator as Operator


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module 'ort_custom_ops' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"ort_custom_ops.{module}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
