"""What inference functions of operators are given and what they may return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ort_core.errors import InvalidArgument
from ort_core.ir.types import ElementType, OptionalType, SequenceType, TensorType, ValueType
from ort_custom_ops.dims import NotKnown, SymbolicDim, from_symbolic, to_symbolic

if TYPE_CHECKING:
    from ort_core.ir.graph import Value


class InputInfo:
    """An input as an inference function sees it.

    What is asked for and not known before the model runs ends the inference quietly, with outputs of unknown shape.

    Attributes:
        type: the type of the input, if it is known.
    """

    __slots__ = ("_value", "type")

    def __init__(self, type_: ValueType | None, value: Value | None = None) -> None:
        self.type = type_
        self._value = value

    @property
    def element(self) -> ElementType:
        """The element type of a tensor."""
        if not isinstance(self.type, TensorType):
            raise NotKnown("the element type is not known")
        return self.type.element

    @property
    def shape(self) -> tuple[SymbolicDim, ...]:
        """The sizes of a tensor: integers, and `UnknownDim` for those that are known only when the model runs."""
        if not isinstance(self.type, TensorType) or self.type.shape is None:
            raise NotKnown("the rank is not known")
        return tuple(map(to_symbolic, self.type.shape))

    @property
    def ndim(self) -> int:
        """How many dimensions a tensor has."""
        return len(self.shape)

    @property
    def item(self) -> InputInfo:
        """What is in a sequence or an optional."""
        if not isinstance(self.type, SequenceType | OptionalType):
            raise NotKnown("the type of the items is not known")
        return InputInfo(self.type.element)

    @property
    def value(self) -> np.ndarray:
        """The contents of an input that is a constant."""
        from ort_core.infer.constants import known_array

        found = known_array(self._value)
        if found is None:
            raise NotKnown("the input is not a constant")
        return found

    def __repr__(self) -> str:
        return f"InputInfo({self.type})"


def read_result(
    result: Any, defaults: Sequence[ValueType | None], *, is_single: bool, where: str
) -> list[ValueType | None]:
    """The types that an inference function returned.

    Args:
        defaults: the types of the outputs without shapes, as the signature gives them.
        is_single: whether the operator has one output, so that a tuple is its shape.

    Raises:
        InvalidArgument: it returned something else.
    """
    items: Sequence[Any] = [result] if is_single else result
    if not isinstance(items, list | tuple) or len(items) < len(defaults):
        raise InvalidArgument(
            f"{where}: the inference function returned {result!r}, expected a tuple with a shape or type for each of the "
            f"{len(defaults)} outputs"
        )
    return [_read_item(item, default, where) for item, default in zip(items, defaults, strict=False)]


def _read_item(item: Any, default: ValueType | None, where: str) -> ValueType | None:
    if item is None:
        return default
    if isinstance(item, InputInfo):
        item = item.type
        return default if item is None else _with_element(item, default)
    if isinstance(item, TensorType):
        return TensorType(item.element, None if item.shape is None else _read_shape(item.shape, where))
    if hasattr(item, "__dataclass_fields__"):
        found: ValueType = item
        return found
    shape = _read_shape(item, where)
    return TensorType(default.element, shape) if isinstance(default, TensorType) else default


def _with_element(type_: ValueType, default: ValueType | None) -> ValueType:
    """An input's type for an output: its shape, with the element type that the signature gives the output."""
    if isinstance(type_, TensorType) and isinstance(default, TensorType):
        return TensorType(default.element, type_.shape)
    return type_


def _read_shape(shape: Any, where: str) -> tuple[Any, ...]:
    try:
        return tuple(map(from_symbolic, shape))
    except (TypeError, AttributeError) as error:
        raise InvalidArgument(
            f"{where}: the inference function returned {shape!r}, expected a shape: a tuple of sizes, or None"
        ) from error
