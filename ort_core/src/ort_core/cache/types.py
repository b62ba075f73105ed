"""Value types in an entry: each type once, as a list."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, TypeAlias

from ort_core.ir.shapes import Shape
from ort_core.ir.types import ElementType, MapType, OptionalType, SequenceType, SparseTensorType, TensorType, ValueType

TENSOR, SPARSE, SEQUENCE, OPTIONAL, MAP = range(5)


class Numbers(dict[Hashable, int]):
    """Numbers things by equality, in the order in which they are asked for."""

    def __missing__(self, key: Hashable) -> int:
        number = self[key] = len(self)
        return number


_Document: TypeAlias = "list[Any] | None"


def type_to_document(type_: ValueType | None) -> _Document:
    """The JSON of a type."""
    if type_ is None:
        return None
    if isinstance(type_, TensorType | SparseTensorType):
        shape = None if type_.shape is None else [*type_.shape]
        return [TENSOR if isinstance(type_, TensorType) else SPARSE, int(type_.element), shape]
    if isinstance(type_, MapType):
        return [MAP, int(type_.key), type_to_document(type_.value)]
    return [SEQUENCE if isinstance(type_, SequenceType) else OPTIONAL, type_to_document(type_.element)]


def type_from_document(document: _Document) -> ValueType | None:
    """The type.

    Raises:
        Exception: of any kind, where the document is none that `type_to_document` made.
    """
    if document is None:
        return None
    kind, *rest = document
    if kind in (TENSOR, SPARSE):
        element, dims = rest
        make: Any = TensorType if kind == TENSOR else SparseTensorType
        tensor: ValueType = make(ElementType(element), None if dims is None else _shape(dims))
        return tensor
    inner = type_from_document(rest[-1])
    if inner is None:
        raise ValueError("a type has no element")
    if kind == MAP:
        return MapType(ElementType(rest[0]), inner)
    if kind not in (SEQUENCE, OPTIONAL):
        raise ValueError(f"{kind!r} is no kind of type")
    return SequenceType(inner) if kind == SEQUENCE else OptionalType(inner)


def _shape(dims: Sequence[Any]) -> Shape:
    for dim in dims:
        if not (dim is None or type(dim) is str or (type(dim) is int and dim >= 0)):
            raise ValueError(f"{dim!r} is no dimension")
    return tuple(dims)
