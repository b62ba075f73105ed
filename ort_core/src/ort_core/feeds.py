"""Checking what is fed against what the model declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ort_core.convert import check_shape, to_runtime_value
from ort_core.errors import InvalidArgument
from ort_core.ir.types import OptionalType, TensorType, ValueType, describe
from ort_core.values import RuntimeValue

if TYPE_CHECKING:
    import logging

_MISSING = object()


class _Input:
    """One input with what a quick check needs; `accepted` is the shape that was checked last."""

    __slots__ = ("accepted", "dtype", "name", "shape", "symbols", "type")

    def __init__(self, name: str, type_: ValueType | None) -> None:
        self.name = name
        self.type = type_
        shape = type_.shape if isinstance(type_, TensorType) else None
        plain = isinstance(type_, TensorType) and type_.element.dtype.kind != "O"
        self.dtype = type_.element.dtype if plain and isinstance(type_, TensorType) else None
        self.shape = shape
        self.accepted: tuple[int, ...] | None = None
        self.symbols = tuple((axis, d) for axis, d in enumerate(shape or ()) if isinstance(d, str) and d)


class FeedChecker:
    """Turns an `input_feed` into the list of values that a plan takes.

    Args:
        required: name and type of each input without default.
        overridable: name, type and default of each overridable initializer; they follow the required inputs.
        order: the names in the order in which the plan takes them.
        strict: whether symbolic dimensions that disagree are an error rather than a warning.
    """

    def __init__(
        self,
        required: Sequence[tuple[str, ValueType | None]],
        overridable: Sequence[tuple[str, ValueType | None]],
        defaults: Mapping[str, RuntimeValue],
        order: Sequence[str],
        *,
        strict: bool,
        logger: logging.Logger,
    ) -> None:
        known = {name: _Input(name, type_) for name, type_ in (*required, *overridable)}
        self._inputs = tuple(known[name] for name in order)
        self._defaults = dict(defaults)
        self._defaults.update({name: None for name, type_ in required if isinstance(type_, OptionalType)})
        self._required = [name for name, _ in required if name not in self._defaults]
        self._names = frozenset(known)
        self._has_symbols = sum(len(i.symbols) for i in self._inputs) > 1
        self.strict = strict
        self._logger = logger
        self._warned: set[str] = set()

    def collect(self, feed: Mapping[str, Any]) -> list[RuntimeValue]:
        """The values in the plan's order; None, and no value at all, take the default where there is one.

        Raises:
            TypeError: not a mapping.
            InvalidArgument: an input is missing or unknown, or has a wrong type, rank or fixed dimension.
        """
        values: list[RuntimeValue] = []
        used = 0
        if feed.__class__ is not dict:
            _expect_mapping(feed)
        get = feed.get
        for spec in self._inputs:
            value = get(spec.name, _MISSING)
            if value is _MISSING:
                values.append(self._default(spec.name, feed))
                continue
            used += 1
            if (
                value.__class__ is not np.ndarray
                or value.dtype is not spec.dtype
                or not value.flags.c_contiguous
                or not value.flags.aligned
            ):
                if value is None and spec.name in self._defaults:
                    value = self._defaults[spec.name]
                else:
                    value = to_runtime_value(value, spec.type, spec.name)
            elif value.shape != spec.accepted:
                check_shape(value.shape, spec.shape, spec.name)
                spec.accepted = value.shape
            values.append(value)
        if used != len(feed):
            unknown = [name for name in feed if name not in self._names]
            raise InvalidArgument(
                f"Invalid input name: {unknown[0]}. The model's inputs are: {self._signature()}. Remove it from the feed."
            )
        if self._has_symbols:
            self._check_symbols(values)
        return values

    def check_names(self, feed: Mapping[str, Any]) -> None:
        """Raises InvalidArgument if a required input is missing; looks at the names only."""
        _expect_mapping(feed)
        for name in self._required:
            if name not in feed:
                self._default(name, feed)

    def _default(self, name: str, feed: Mapping[str, Any]) -> RuntimeValue:
        if name in self._defaults:
            return self._defaults[name]
        missing = [n for n in self._required if n not in feed]
        raise InvalidArgument(
            f"Required inputs ({missing}) are missing from input feed ({list(feed)}). The model's inputs are: "
            f"{self._signature()}."
        )

    def _signature(self) -> str:
        return ", ".join(f"{i.name}: {describe(i.type)}" for i in self._inputs) or "none"

    def _check_symbols(self, values: Sequence[RuntimeValue]) -> None:
        sizes: dict[str, tuple[int, str]] = {}
        for spec, value in zip(self._inputs, values, strict=True):
            if not spec.symbols:
                continue
            for axis, symbol in spec.symbols:
                size, name = sizes.setdefault(symbol, (value.shape[axis], spec.name))
                if size != value.shape[axis]:
                    self._disagree(symbol, name, size, spec.name, value.shape[axis])

    def _disagree(self, symbol: str, first: str, size: int, second: str, other: int) -> None:
        message = (
            f"dimension '{symbol}' is {size} in input '{first}' and {other} in input '{second}'. The model declares them "
            "equal: feed arrays that agree, or correct the model's dimension names."
        )
        if self.strict:
            raise InvalidArgument(message)
        if symbol not in self._warned:
            self._warned.add(symbol)
            self._logger.warning("%s", message)


def _expect_mapping(feed: object) -> None:
    if isinstance(feed, type) or not all(hasattr(feed, name) for name in ("get", "__len__", "__iter__")):
        raise TypeError(f"input_feed takes a dict from input name to value, got {type(feed).__name__} {feed!r:.60}")
