"""Python annotations to patterns of value types."""

from __future__ import annotations

import collections.abc
import types
import typing
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import numpy as np

from ort_core.errors import InvalidArgument
from ort_core.ir.types import ElementType
from ort_custom_ops.annotations import FLOATS, INTEGERS, Elements, OptionalMark
from ort_custom_ops.patterns import (
    ALL,
    MapPattern,
    OptionalPattern,
    Pattern,
    SequencePattern,
    TensorPattern,
)

_SIGNED = frozenset(e for e in INTEGERS if not e.name.startswith("U"))
_ABSTRACT: dict[Any, frozenset[ElementType]] = {
    np.floating: frozenset({ElementType.FLOAT16, ElementType.FLOAT, ElementType.DOUBLE}),
    np.integer: INTEGERS,
    np.signedinteger: _SIGNED,
    np.unsignedinteger: INTEGERS - _SIGNED,
    np.complexfloating: frozenset({ElementType.COMPLEX64, ElementType.COMPLEX128}),
    np.number: FLOATS | INTEGERS,
    np.character: frozenset({ElementType.STRING}),
    np.generic: ALL,
    Any: ALL,
}
_SCALARS = {int: ElementType.INT64, float: ElementType.FLOAT, str: ElementType.STRING, bool: ElementType.BOOL}
_LISTS = (list, collections.abc.Sequence)


def is_union(annotation: Any) -> bool:
    """Whether it is `A | B`."""
    return get_origin(annotation) in (Union, types.UnionType)


def resolved(annotation: Any) -> Any:
    """What the name of a `type` statement stands for, with its arguments; anything else as it is."""
    alias = get_origin(annotation) or annotation
    while hasattr(alias, "__value__"):
        value = alias.__value__
        given = dict(zip(alias.__type_params__, get_args(annotation), strict=False))
        parameters = getattr(value, "__parameters__", ())
        annotation = value[tuple(given.get(p, Any) for p in parameters)] if parameters else value
        alias = get_origin(annotation) or annotation
    return annotation


def without_none(annotation: Any) -> tuple[Any, bool]:
    """The annotation without `| None`, and whether it had that."""
    annotation = resolved(annotation)
    members = get_args(annotation)
    if not is_union(annotation) or type(None) not in members:
        return annotation, False
    rest = tuple(m for m in members if m is not type(None))
    return Union[rest], True  # noqa: UP007 - of a tuple


def read_pattern(annotation: Any, where: str) -> Pattern:
    """The values that an annotation allows.

    Raises:
        InvalidArgument: it is no type of ONNX; `where` says whose annotation it is.
    """
    annotation = resolved(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _read_annotated(arguments, where)
    if isinstance(annotation, TypeVar):
        return TensorPattern(_variable_elements(annotation, where), annotation.__name__)
    if is_union(annotation):
        return _read_union(arguments, where)
    if annotation in (np.ndarray, Any):
        return TensorPattern()
    if origin is np.ndarray:
        return _read_array(arguments[1], where)
    if origin in _LISTS and arguments:
        return SequencePattern(read_pattern(arguments[0], where))
    if origin is dict and arguments[0] in (int, str):
        inner = _SCALARS.get(arguments[1])
        value = TensorPattern(frozenset({inner})) if inner else read_pattern(arguments[1], where)
        return MapPattern(_SCALARS[arguments[0]], value)
    raise InvalidArgument(
        f"{where} is annotated {getattr(annotation, '__name__', annotation)!r}, which is no ONNX type. "
        "Use a type of ort_custom_ops (Float32, String, Tensor, ...), NDArray[...], list[...] for a sequence, or dict[...]."
    )


def _read_annotated(arguments: tuple[Any, ...], where: str) -> Pattern:
    inner, *marks = arguments
    for mark in marks:
        if isinstance(mark, Elements):
            return TensorPattern(frozenset(mark))
        if isinstance(mark, OptionalMark):
            return OptionalPattern(read_pattern(without_none(inner)[0], where))
    return read_pattern(inner, where)


def _read_union(members: tuple[Any, ...], where: str) -> TensorPattern:
    elements: frozenset[ElementType] = frozenset()
    for member in members:
        pattern = None if member is type(None) else read_pattern(member, where)
        if not isinstance(pattern, TensorPattern) or pattern.variable:
            raise InvalidArgument(
                f"{where} is a union of more than tensor types. Declare an overload for each: @op with the same name."
            )
        elements |= pattern.elements
    return TensorPattern(elements)


def _read_array(dtype: Any, where: str) -> TensorPattern:
    """From the second argument of `np.ndarray[shape, np.dtype[scalar]]`."""
    scalar = resolved(next(iter(get_args(dtype)), Any))
    if isinstance(scalar, TypeVar) and scalar.__module__.partition(".")[0] == "numpy":
        # An alias of numpy without its argument stands for any array.
        return TensorPattern()
    if isinstance(scalar, TypeVar):
        bounds = scalar.__constraints__ or ((scalar.__bound__,) if scalar.__bound__ is not None else (Any,))
        return TensorPattern(frozenset().union(*(_scalar_elements(b, where) for b in bounds)), scalar.__name__)
    return TensorPattern(_scalar_elements(scalar, where))


def _scalar_elements(scalar: Any, where: str) -> frozenset[ElementType]:
    scalar = resolved(scalar)
    if is_union(scalar):
        return frozenset().union(*(_scalar_elements(s, where) for s in get_args(scalar)))
    origin = get_origin(scalar) or scalar
    found = _ABSTRACT.get(origin)
    if found is not None:
        return found
    try:
        return frozenset({ElementType.from_dtype(origin)})
    except (InvalidArgument, TypeError) as error:
        raise InvalidArgument(f"{where}: arrays of {scalar} have no ONNX element type") from error


def _variable_elements(variable: TypeVar, where: str) -> frozenset[ElementType]:
    bounds = variable.__constraints__ or ((variable.__bound__,) if variable.__bound__ is not None else ())
    if not bounds:
        return ALL
    return _read_union(tuple(map(_evaluated, bounds)), f"{where} (type variable {variable.__name__})").elements


def _evaluated(bound: Any) -> Any:
    if isinstance(bound, typing.ForwardRef | str):
        raise InvalidArgument(f"the bound {bound} of a type variable is a string. Write the type itself.")
    return bound
