"""Typed attributes with defaults, and string settings by key: what `SessionOptions` and `RunOptions` are made of."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ort_core.errors import InvalidArgument, RuntimeException

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

MAX_KEY_LENGTH = 1024
MAX_VALUE_LENGTH = 8192


class Setting(Generic[T]):
    """A typed attribute with a default; takes what ONNX Runtime's attribute of that type takes."""

    def __init__(self, default: T, doc: str, check: Callable[[Any], bool] | None = None, expected: str = "") -> None:
        self._default = default
        self._check = check
        self._expected = expected or type(default).__name__
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        value: T = instance.__dict__.get(self._name, self._default)
        return value

    def __set__(self, instance: object, value: T) -> None:
        instance.__dict__[self._name] = self._converted(value)

    def _converted(self, given: Any) -> Any:
        default = self._default
        if isinstance(default, bool):
            value: Any = as_bool(given)
        elif isinstance(default, enum.Enum):
            value = given if isinstance(given, type(default)) else None
        elif isinstance(default, int):
            value = as_int(given)
        else:
            value = _as_str(given)
        if value is None:
            raise TypeError(f"{self._name} takes {self._expected}, got {type(given).__name__} {given!r}")
        if self._check is not None and not self._check(value):
            raise InvalidArgument(f"{self._name} must be {self._expected}, got {given!r}")
        return value


class OptionsBase:
    """Refuses attributes that its class does not have, and holds string settings by key."""

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(type(self), name) and not name.startswith("_"):
            known = sorted(n for c in type(self).__mro__ for n, item in vars(c).items() if isinstance(item, Setting))
            raise AttributeError(f"{type(self).__name__} has no attribute '{name}'. It has: {', '.join(known)}.")
        super().__setattr__(name, value)

    @property
    def config(self) -> Mapping[str, str]:
        """The configuration entries set so far."""
        return dict(self._entries)

    def _add(self, key: str, value: str) -> None:
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"configuration entries are strings, got {key!r}: {value!r}")
        if not 0 < len(key) <= MAX_KEY_LENGTH:
            raise InvalidArgument(
                f"a configuration key has 1 to {MAX_KEY_LENGTH} characters, got {len(key)}: {key[:40]!r}"
            )
        if len(value) > MAX_VALUE_LENGTH:
            raise InvalidArgument(
                f"the value of configuration entry {key[:80]!r} has {len(value)} characters, at most {MAX_VALUE_LENGTH} "
                "are allowed"
            )
        self._entries[key] = value

    def _get(self, key: str) -> str:
        if key not in self._entries:
            known = f" It has: {', '.join(sorted(self._entries))}." if self._entries else ""
            raise RuntimeException(f"{type(self).__name__} does not have configuration with key: {key}.{known}")
        return self._entries[key]


def as_bool(value: Any) -> bool | None:
    """The truth of a number or None; None for what is neither."""
    if isinstance(value, enum.Enum) or not hasattr(value, "__bool__"):
        return None
    try:
        return bool(value)
    except (TypeError, ValueError):
        return None


def as_flag(name: str, value: Any) -> bool:
    """A flag that may also be a number or the text of one, as ONNX Runtime takes it.

    Raises:
        InvalidArgument: a text that is no number.
        TypeError: neither.
    """
    if isinstance(value, str):
        try:
            return int(value) == 1
        except ValueError:
            raise InvalidArgument(f"{name} takes a bool, got the text {value!r}") from None
    flag = None if value is None else as_bool(value)
    if flag is None:
        raise TypeError(f"{name} takes a bool, got {type(value).__name__} {value!r}")
    return flag


def as_int(value: Any) -> int | None:
    """An integer of 32 bits, from Python, numpy or an enum; None for anything else."""
    if not hasattr(value, "__index__") or isinstance(value, type):
        return None
    number: int = value.__index__()
    return number if -(1 << 31) <= number < 1 << 31 else None


def as_size(what: str, value: Any) -> int:
    """The size of a dimension.

    Raises:
        TypeError: not an integer.
        InvalidArgument: negative.
    """
    if not hasattr(value, "__index__") or isinstance(value, type):
        raise TypeError(f"the size of {what} takes an int, got {type(value).__name__} {value!r}")
    size: int = value.__index__()
    if not 0 <= size < 1 << 63:
        raise InvalidArgument(f"the size of {what} must be an int >= 0 that fits 63 bits, got {value!r}")
    return size


def _as_str(value: Any) -> str | None:
    return os.fsdecode(value) if isinstance(value, str | bytes | os.PathLike) else None
