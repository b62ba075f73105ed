"""Typed provider options: from what users pass (strings, numbers, ...) to a frozen dataclass, and back to strings.

A field's type is bool, int, float, str, `pathlib.Path`, an Enum, a Literal, one of these `| None`, or Any (handed through).
Its metadata may hold `min`, `max` and `choices`.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
import operator
import os
import types
import typing
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from ort_core.errors import InvalidArgument
from ort_core.providers.names import did_you_mean

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_NONE = frozenset({"", "none"})

O = TypeVar("O")  # noqa: E741


class _Field(NamedTuple):
    """A field as the parser needs it: the type without `| None`, and the values of a Literal or of the metadata."""

    base: Any
    nullable: bool
    choices: tuple[Any, ...] | None
    minimum: Any
    maximum: Any


class _Mismatch(Exception):
    """The value does not fit the field; the text says what was expected."""


def parse_options(options_class: type[O], given: Mapping[str, Any], provider: str) -> O:
    """An instance of `options_class` with the given options, the others at their defaults.

    Args:
        given: option names to values; values may be strings, as ONNX Runtime passes them.
        provider: the provider's name, for messages.

    Raises:
        InvalidArgument: an option is unknown, has the wrong type or is out of range.
    """
    fields = _fields(typing.cast("Any", options_class))
    values: dict[str, Any] = {}
    for key, value in given.items():
        field = fields.get(key)
        if field is None:
            known = f"It has: {', '.join(fields)}." if fields else "It takes no options."
            raise InvalidArgument(f"{provider} has no option {key!r}. {known}{did_you_mean(str(key), fields)}")
        try:
            values[key] = _convert(field, value)
        except _Mismatch as error:
            raise InvalidArgument(
                f"{provider} option '{key}': got {value!r}, expected {error}. Correct or remove the option."
            ) from error
    try:
        return options_class(**values)
    except (ValueError, TypeError) as error:
        shown = ", ".join(f"{k}={v!r}" for k, v in values.items())
        raise InvalidArgument(f"{provider} refuses the options {shown}: {error}") from error


def format_options(instance: Any) -> dict[str, str]:
    """The options as strings, as `get_provider_options()` shows them; `parse_options` reads them back."""
    return {f.name: _format(getattr(instance, f.name)) for f in dataclasses.fields(instance) if f.init}


def check_options_class(options_class: Any) -> str | None:
    """What is wrong with a plugin's options class, or None."""
    if not isinstance(options_class, type) or not dataclasses.is_dataclass(options_class):
        return f"expected a dataclass, got {options_class!r}"
    for field in dataclasses.fields(options_class):
        if field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            return f"option '{field.name}' has no default"
    try:
        fields = _fields(options_class)
    except (NameError, TypeError, AttributeError) as error:
        return f"the annotations do not resolve: {error}"
    for name, described in fields.items():
        if not _is_supported(described):
            return f"option '{name}' has the unsupported type {described.base!r}"
    return None


@functools.lru_cache(maxsize=256)
def _fields(options_class: type) -> dict[str, _Field]:
    hints = typing.get_type_hints(options_class)
    return {f.name: _describe(f, hints[f.name]) for f in dataclasses.fields(options_class) if f.init}


def _describe(field: dataclasses.Field[Any], hint: Any) -> _Field:
    arguments = typing.get_args(hint)
    nullable = typing.get_origin(hint) in (typing.Union, types.UnionType) and types.NoneType in arguments
    if nullable:
        rest = [a for a in arguments if a is not types.NoneType]
        hint = rest[0] if len(rest) == 1 else hint
    choices = field.metadata.get("choices")
    if typing.get_origin(hint) is typing.Literal:
        choices = typing.get_args(hint)
        kinds = {type(c) for c in choices}
        hint = kinds.pop() if len(kinds) == 1 else object
    return _Field(
        hint,
        nullable,
        None if choices is None else tuple(choices),
        field.metadata.get("min"),
        field.metadata.get("max"),
    )


def _is_supported(field: _Field) -> bool:
    return field.base in (bool, int, float, str, Any, object) or _is_enum(field.base) or _is_path(field.base)


def _is_enum(base: Any) -> bool:
    return isinstance(base, type) and issubclass(base, enum.Enum)


def _is_path(base: Any) -> bool:
    return typing.get_origin(base) is None and isinstance(base, type) and issubclass(base, os.PathLike)


def _convert(field: _Field, value: Any) -> Any:
    base = field.base
    if base is Any or (base is object and field.choices is None):
        return value
    if value is None or (field.nullable and isinstance(value, str) and value.strip().lower() in _NONE):
        if field.nullable:
            return None
        raise _Mismatch(_expected(field))
    if _is_enum(base):
        return _to_enum(field, value)
    if _is_path(base):
        return _to_path(field, value)
    result = _to_object(field, value) if base is object else _SCALARS[base](field, value)
    if field.choices is not None and result not in field.choices:
        raise _Mismatch(_expected(field))
    low, high = field.minimum, field.maximum
    if (low is not None and result < low) or (high is not None and result > high):
        raise _Mismatch(_expected(field))
    return result


def _to_bool(field: _Field, value: Any) -> bool:
    is_bool = isinstance(value, str | int) or type(value).__name__ in ("bool", "bool_")
    text = str(value).strip().lower() if is_bool else ""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise _Mismatch(_expected(field))


def _to_int(field: _Field, value: Any) -> int:
    try:
        return int(value.strip(), 10) if isinstance(value, str) else operator.index(_not_bool(field, value))
    except (TypeError, ValueError):
        raise _Mismatch(_expected(field)) from None


def _to_float(field: _Field, value: Any) -> float:
    try:
        result = float(_not_bool(field, value))
    except (TypeError, ValueError):
        raise _Mismatch(_expected(field)) from None
    if math.isnan(result):
        raise _Mismatch(_expected(field))
    return result


def _to_str(field: _Field, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, int | float):
        return str(value)
    raise _Mismatch(_expected(field))


def _to_path(field: _Field, value: Any) -> Any:
    if isinstance(value, str | os.PathLike) and (text := os.fsdecode(value)):
        return field.base(text)
    raise _Mismatch(_expected(field))


def _to_object(field: _Field, value: Any) -> Any:
    for choice in field.choices or ():
        if value == choice or str(value) == str(choice):
            return choice
    raise _Mismatch(_expected(field))


def _to_enum(field: _Field, value: Any) -> Any:
    text = str(value).strip().lower()
    for member in field.base:
        if value is member or value == member.value or text in (member.name.lower(), str(member.value).lower()):
            if field.choices is not None and member not in field.choices:
                break
            return member
    raise _Mismatch(_expected(field))


def _not_bool(field: _Field, value: Any) -> Any:
    if isinstance(value, bool):
        raise _Mismatch(_expected(field))
    return value


_SCALARS: dict[Any, Any] = {bool: _to_bool, int: _to_int, float: _to_float, str: _to_str}


def _expected(field: _Field) -> str:
    if _is_enum(field.base):
        text = "one of " + ", ".join(m.name for m in (field.choices or field.base))
    elif field.choices is not None:
        text = "one of " + ", ".join(_format(c) for c in field.choices)
    else:
        text = "a path" if _is_path(field.base) else _SPELLING[field.base]
    if field.minimum is not None and field.maximum is not None:
        text += f" from {field.minimum} to {field.maximum}"
    elif field.minimum is not None:
        text += f" of at least {field.minimum}"
    elif field.maximum is not None:
        text += f" of at most {field.maximum}"
    return text + (", or None" if field.nullable else "")


_SPELLING: dict[Any, str] = {
    bool: "a bool (1, 0, true or false)",
    int: "an integer",
    float: "a number",
    str: "a string",
}


def _format(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    return str(value)
