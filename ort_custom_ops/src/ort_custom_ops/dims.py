"""Dimensions that inference functions compute with: plain integers where they are known, `UnknownDim` where not."""

from __future__ import annotations

from typing import Any, NoReturn, TypeAlias

from ort_core.ir.shapes import Dim

SymbolicDim: TypeAlias = "int | UnknownDim"


class NotKnown(Exception):
    """An inference function needs a size, a rank or a value that is known only when the model runs."""


class UnknownDim:
    """A size that is known only when the model runs; what is computed from it is unknown too.

    Two of them are equal only if they have the same name. Where a number is needed, in a comparison or as an index,
    inference ends and the outputs are left unknown: an inference function need not care.
    """

    __slots__ = ("name",)

    def __init__(self, name: str = "") -> None:
        self.name = name

    def _combine(self, other: Any) -> Any:
        if isinstance(other, int | UnknownDim):
            return UnknownDim()
        return self._end() if isinstance(other, float) else NotImplemented

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _combine
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _combine

    def __neg__(self) -> UnknownDim:
        return UnknownDim()

    __pos__ = __abs__ = __neg__

    def _end(self, *_: object) -> NoReturn:
        raise NotKnown(f"the size {self} is not known before the model runs")

    __int__ = __index__ = __float__ = __bool__ = _end
    __lt__ = __le__ = __gt__ = __ge__ = __truediv__ = __rtruediv__ = __divmod__ = __rdivmod__ = _end

    def __eq__(self, other: object) -> bool:
        if self is other or (isinstance(other, UnknownDim) and self.name and self.name == other.name):
            return True
        if isinstance(other, UnknownDim) or hasattr(other, "__index__"):
            self._end()
        return False

    def __hash__(self) -> int:
        return hash(self.name) if self.name else id(self)

    def __repr__(self) -> str:
        return self.name or "?"


def to_symbolic(dim: Dim) -> SymbolicDim:
    """A dimension for an inference function."""
    return dim if isinstance(dim, int) else UnknownDim(dim or "")


def from_symbolic(dim: Any) -> Dim:
    """A dimension that an inference function returned.

    Raises:
        TypeError: it is none.
    """
    if isinstance(dim, UnknownDim):
        return dim.name or None
    if dim is None or isinstance(dim, str):
        return dim or None
    return int(dim.__index__())
