"""What values an operator takes and gives: patterns of value types, matched on the way in and filled in on the way out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import TypeAlias

from ort_core.ir.types import (
    ElementType,
    MapType,
    OptionalType,
    SequenceType,
    TensorType,
    ValueType,
)

Bindings: TypeAlias = MutableMapping[str, ElementType]
"""The element types that the type variables of a signature stand for in one node."""

ALL = frozenset(ElementType)


class Pattern(ABC):
    """A set of value types."""

    @abstractmethod
    def match(self, type_: ValueType, bound: Bindings) -> str | None:
        """What was expected instead of `type_`, or None if it fits; binds the type variables on the way."""

    @abstractmethod
    def fill(self, bound: Bindings) -> ValueType | None:
        """The type that the bindings determine, without shapes; None if they leave it open."""

    @property
    def is_tensor(self) -> bool:
        """Whether the values are tensors."""
        return isinstance(self, TensorPattern)


@dataclass(frozen=True, slots=True)
class TensorPattern(Pattern):
    """A tensor of one of `elements`; those with one `variable` have the same element type in a node."""

    elements: frozenset[ElementType] = ALL
    variable: str = ""

    def match(self, type_: ValueType, bound: Bindings) -> str | None:
        """Also refuses an element type that differs from the one that the variable stands for already."""
        if not isinstance(type_, TensorType) or type_.element not in self.elements:
            return str(self)
        if self.variable and bound.setdefault(self.variable, type_.element) is not type_.element:
            return f"tensor({bound[self.variable].onnx_name}), as {self.variable} is in another input"
        return None

    def fill(self, bound: Bindings) -> TensorType | None:
        """The tensor type, if there is one element type only or the variable is bound."""
        element = bound.get(self.variable)
        if element is None and len(self.elements) == 1:
            (element,) = self.elements
        return None if element is None else TensorType(element)

    def __str__(self) -> str:
        names = "any" if self.elements == ALL else " | ".join(e.onnx_name for e in sorted(self.elements))
        return f"tensor({self.variable}: {names})" if self.variable else f"tensor({names})"


@dataclass(frozen=True, slots=True)
class SequencePattern(Pattern):
    """A sequence of values of one pattern."""

    inner: Pattern

    def match(self, type_: ValueType, bound: Bindings) -> str | None:
        """Matches what is in the sequence."""
        if isinstance(type_, SequenceType) and self.inner.match(type_.element, bound) is None:
            return None
        return str(self)

    def fill(self, bound: Bindings) -> SequenceType | None:
        """A sequence of the inner type."""
        inner = self.inner.fill(bound)
        return None if inner is None else SequenceType(inner)

    def __str__(self) -> str:
        return f"seq({self.inner})"


@dataclass(frozen=True, slots=True)
class OptionalPattern(Pattern):
    """ONNX's optional type around a pattern."""

    inner: Pattern

    def match(self, type_: ValueType, bound: Bindings) -> str | None:
        """Takes a plain value too."""
        inside = type_.element if isinstance(type_, OptionalType) else type_
        return None if self.inner.match(inside, bound) is None else str(self)

    def fill(self, bound: Bindings) -> OptionalType | None:
        """An optional of the inner type."""
        inner = self.inner.fill(bound)
        return None if inner is None else OptionalType(inner)

    def __str__(self) -> str:
        return f"optional({self.inner})"


@dataclass(frozen=True, slots=True)
class MapPattern(Pattern):
    """A map to values of one pattern."""

    key: ElementType
    value: Pattern

    def match(self, type_: ValueType, bound: Bindings) -> str | None:
        """Matches key and value."""
        if isinstance(type_, MapType) and type_.key is self.key and self.value.match(type_.value, bound) is None:
            return None
        return str(self)

    def fill(self, bound: Bindings) -> MapType | None:
        """A map to the value's type."""
        value = self.value.fill(bound)
        return None if value is None else MapType(self.key, value)

    def __str__(self) -> str:
        return f"map({self.key.onnx_name}, {self.value})"
