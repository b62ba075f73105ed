"""Typed attributes: from the keyword-only parameters of an operator, and from a node to Python values."""

from __future__ import annotations

import collections.abc
import enum
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import numpy as np

from ort_core.errors import InvalidArgument
from ort_core.ir.attributes import Attribute, AttributeKind
from ort_custom_ops.annotation_reader import resolved, without_none

if TYPE_CHECKING:
    from ort_core.ir.graph import Node

MISSING: Any = inspect.Parameter.empty

_KINDS: dict[Any, tuple[AttributeKind, AttributeKind]] = {
    int: (AttributeKind.INT, AttributeKind.INTS),
    float: (AttributeKind.FLOAT, AttributeKind.FLOATS),
    str: (AttributeKind.STRING, AttributeKind.STRINGS),
    bytes: (AttributeKind.STRING, AttributeKind.STRINGS),
    bool: (AttributeKind.INT, AttributeKind.INTS),
    np.ndarray: (AttributeKind.TENSOR, AttributeKind.TENSORS),
}
_LISTS = {AttributeKind.INTS, AttributeKind.FLOATS, AttributeKind.STRINGS, AttributeKind.TENSORS}


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    """One attribute of an operator.

    Attributes:
        kind: how a node stores it.
        item: the Python type of one item: int, float, str, bytes, bool, `np.ndarray` or an enum.
        container: list or tuple, or None for a single item.
        length: how many items there must be; None for any number.
        choices: the values that are allowed; all if empty.
        default: `MISSING` if a node has to set it.
    """

    name: str
    kind: AttributeKind
    item: type
    container: type | None = None
    length: int | None = None
    choices: tuple[Any, ...] = ()
    default: Any = MISSING

    @property
    def is_required(self) -> bool:
        """Whether a node has to set it."""
        return self.default is MISSING

    def misfit(self, attribute: Attribute) -> str | None:
        """Why a node's attribute is refused; None if it is not."""
        if attribute.ref:
            return None
        if attribute.kind is not self.kind and not self._is_empty_list(attribute):
            return f"attribute '{self.name}' is {attribute.kind.name}, expected {self.kind.name}"
        if self.length is not None and len(attribute.value) != self.length:
            return f"attribute '{self.name}' has {len(attribute.value)} items, expected {self.length}"
        if self.item is np.ndarray:
            return None
        for item in attribute.value if self.container else (attribute.value,):
            try:
                value = _convert(item, self.item)
            except ValueError:
                return f"attribute '{self.name}' is {_shown(item)}, expected {self._expected()}"
            if self.choices and value not in self.choices:
                return f"attribute '{self.name}' is {_shown(item)}, expected {self._expected()}"
        return None

    def _is_empty_list(self, attribute: Attribute) -> bool:
        """Whether it is a list without items: exporters guess the kind of these."""
        return {attribute.kind, self.kind} <= _LISTS and not attribute.value

    def _expected(self) -> str:
        if self.choices:
            return "one of " + ", ".join(map(repr, self.choices))
        if issubclass(self.item, enum.Enum):
            return "one of " + ", ".join(repr(m.value) for m in self.item)
        return self.item.__name__

    def read(self, node: Node) -> Any:
        """The value in a node that `misfit` has nothing against."""
        attribute = node.attributes.get(self.name)
        if attribute is None:
            return self.default
        if self.container is None:
            return _convert(attribute.value, self.item)
        return self.container(_convert(item, self.item) for item in attribute.value)

    def encode(self, value: Any) -> Attribute:
        """The attribute of a node that has this value.

        Raises:
            InvalidArgument: the value is of another type, or not among the choices.
        """
        try:
            if self.container and isinstance(value, str | bytes):
                raise TypeError(value)
            items = list(value) if self.container else [value]
            stored = tuple(_encode(item, self.item) for item in items)
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidArgument(f"attribute '{self.name}': got {value!r}, expected {self}") from error
        attribute = Attribute(self.kind, stored if self.container else stored[0])
        if reason := self.misfit(attribute):
            raise InvalidArgument(reason)
        return attribute

    def __str__(self) -> str:
        inner = "Literal" + repr(list(self.choices)) if self.choices else self.item.__name__
        return f"{self.container.__name__}[{inner}]" if self.container else inner


def read_attribute(parameter: inspect.Parameter, annotation: Any, where: str) -> AttributeSpec:
    """The attribute that a keyword-only parameter declares.

    Raises:
        InvalidArgument: nodes cannot hold values of its type, or its default is not of it.
    """
    name, default = parameter.name, parameter.default
    annotation, _ = without_none(_of_default(default) if annotation is MISSING else annotation)
    item, container, length, choices = _parts(annotation)
    kinds = _KINDS.get(_stored_type(item))
    if kinds is None:
        raise InvalidArgument(
            f"{where}: attribute '{name}' is annotated {getattr(annotation, '__name__', annotation)!r}. Attributes are int, "
            "float, str, bytes, bool, an Enum, a Literal, np.ndarray, or a list or tuple of one of these."
        )
    spec = AttributeSpec(name, kinds[container is not None], item, container, length, choices, default)
    if default is not MISSING and default is not None:
        try:
            spec.encode(default)
        except InvalidArgument as error:
            raise InvalidArgument(f"{where}: the default of {error}") from error
    return spec


def _of_default(default: Any) -> Any:
    if isinstance(default, list | tuple) and default:
        inner: Any = type(default[0])
        return list[inner] if isinstance(default, list) else tuple[inner, ...]
    return type(default)


def _parts(annotation: Any) -> tuple[Any, type | None, int | None, tuple[Any, ...]]:
    """Item type, container, length and choices."""
    annotation = resolved(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        kinds = {type(a) for a in arguments}
        return (kinds.pop() if len(kinds) == 1 else None), None, None, arguments
    if origin is np.ndarray:
        return np.ndarray, None, None, ()
    if origin in (list, collections.abc.Sequence, tuple) and arguments:
        is_fixed = origin is tuple and arguments[-1] is not ...
        inner = {a for a in map(resolved, arguments) if a is not ...}
        item, nested, _, choices = _parts(inner.pop()) if len(inner) == 1 else (None, None, None, ())
        if nested is not None:
            item = None
        return item, list if origin is list else tuple, len(arguments) if is_fixed else None, choices
    return annotation, None, None, ()


def _stored_type(item: Any) -> Any:
    if isinstance(item, type) and issubclass(item, enum.Enum):
        kinds = {type(member.value) for member in item}
        return kinds.pop() if len(kinds) == 1 else None
    return item


def _convert(stored: Any, item: type) -> Any:
    if issubclass(item, enum.Enum):
        return item(stored.decode() if isinstance(stored, bytes) else stored)
    if item is np.ndarray:
        return stored.array()
    if item is str:
        return stored.decode("utf-8", "surrogateescape")
    if item is bool and stored not in (0, 1):
        raise ValueError(stored)
    convert: Callable[[Any], Any] = item
    return convert(stored)


def _encode(value: Any, item: type) -> Any:
    if issubclass(item, enum.Enum):
        value = item(value).value
        return value.encode() if isinstance(value, str) else value
    if item is np.ndarray:
        from ort_core.ir.tensors import ArrayWeight

        array = np.asarray(value)
        return ArrayWeight(array.astype(object) if array.dtype.kind == "U" else array)
    encoder = _ENCODERS[item]
    return encoder(value)


def _encode_float(value: Any) -> float:
    if isinstance(value, str):
        raise TypeError(value)
    return float(np.float32(value))


def _encode_bool(value: Any) -> int:
    if value not in (0, 1):
        raise ValueError(value)
    return int(value)


_ENCODERS: dict[Any, Callable[[Any], Any]] = {
    int: lambda v: v.__index__(),
    float: _encode_float,
    str: lambda v: v.encode("utf-8", "surrogateescape"),
    bytes: lambda v: bytes(memoryview(v)),
    bool: _encode_bool,
}


def _shown(stored: Any) -> str:
    return repr(stored.decode("utf-8", "replace") if isinstance(stored, bytes) else stored)
