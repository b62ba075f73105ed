"""Sequences and optionals where `onnx.reference` wraps values or misplaces insertions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ort_core.ir.types import ValueType
from ort_core.providers.kernel import kernel
from ort_core.values import RuntimeValue


def _position(index: np.ndarray, length: int, last: int) -> int:
    """A position in a sequence of `length`, from 0 to `last`.

    Raises:
        IndexError: it is outside the sequence.
    """
    value = int(index.reshape(-1)[0])
    position = value + length if value < 0 else value
    if not 0 <= position <= last:
        raise IndexError(f"position {value} is out of range for a sequence of {length}")
    return position


@kernel("SequenceAt")
def sequence_at(sequence: list[Any], position: np.ndarray) -> RuntimeValue:
    """The element at a position; negative ones count from the end. Source: ONNX SequenceAt."""
    return sequence[_position(position, len(sequence), len(sequence) - 1)]


@kernel("SequenceInsert")
def sequence_insert(sequence: list[Any], value: RuntimeValue, position: np.ndarray | None = None) -> list[Any]:
    """The sequence with a value inserted before a position, at the end by default. Source: ONNX SequenceInsert."""
    at = len(sequence) if position is None else _position(position, len(sequence), len(sequence))
    return [*sequence[:at], value, *sequence[at:]]


@kernel("SequenceErase")
def sequence_erase(sequence: list[Any], position: np.ndarray | None = None) -> list[Any]:
    """The sequence without the element at a position, the last by default. Source: ONNX SequenceErase."""
    last = len(sequence) - 1
    at = _position(np.array(last) if position is None else position, len(sequence), last)
    return [*sequence[:at], *sequence[at + 1 :]]


@kernel("Optional")
def optional(value: RuntimeValue = None, *, type: ValueType | None = None) -> RuntimeValue:  # noqa: A002
    """The value as an optional; an empty one of the type given when there is none. Source: ONNX Optional."""
    return value


@kernel("OptionalGetElement")
def optional_get_element(value: RuntimeValue) -> RuntimeValue:
    """The value in an optional, which must not be empty. Source: ONNX OptionalGetElement."""
    if value is None:
        raise ValueError("the optional is empty: test it with OptionalHasElement first")
    return value
