"""Attributes of nodes, and the sparse constants that they and initializers may hold."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ort_core.ir.tensors import WeightRef


class AttributeKind(enum.IntEnum):
    """Attribute types, numbered as `onnx.AttributeProto.AttributeType`."""

    FLOAT = 1
    INT = 2
    STRING = 3
    TENSOR = 4
    GRAPH = 5
    FLOATS = 6
    INTS = 7
    STRINGS = 8
    TENSORS = 9
    GRAPHS = 10
    SPARSE_TENSOR = 11
    SPARSE_TENSORS = 12
    TYPE_PROTO = 13
    TYPE_PROTOS = 14


@dataclass(slots=True)
class Attribute:
    """One attribute. `value` is a float, int, bytes, `WeightRef`, `Graph`, `SparseWeight`, `ValueType` or a tuple of them.

    Inside a function body `ref` may name the function's attribute that gives the value; `value` is None then.
    """

    kind: AttributeKind
    value: Any
    ref: str = ""


class SparseWeight(NamedTuple):
    """A sparse constant: `values` [NNZ], `indices` int64 [NNZ] or [NNZ, rank], dense `shape`."""

    values: WeightRef
    indices: WeightRef
    shape: tuple[int, ...]
