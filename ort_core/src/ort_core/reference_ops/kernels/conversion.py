"""Conversions between element types: Cast and CastLike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ort_core.ir.graph import Node
from ort_core.ir.types import ElementType
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import widen

_SATURATING = frozenset(
    {ElementType.FLOAT8E4M3FN, ElementType.FLOAT8E4M3FNUZ, ElementType.FLOAT8E5M2, ElementType.FLOAT8E5M2FNUZ}
)
_ROUND_MODES = ("up", "down", "nearest")
_E8M0_BIAS, _E8M0_MAX, _E8M0_NAN = 127, 254, 255
_SPECIAL = {"nan": "NaN", "inf": "INF", "-inf": "-INF"}


@dataclass(frozen=True)
class _Conversion:
    """How numbers are converted to types that are too narrow for them."""

    saturate: bool
    round_mode: str

    def __post_init__(self) -> None:
        if self.round_mode not in _ROUND_MODES:
            raise ValueError(f"round_mode is '{self.round_mode}', must be one of {', '.join(_ROUND_MODES)}")

    def __call__(self, x: np.ndarray, element: ElementType) -> np.ndarray:
        if x.dtype == object:
            if element is ElementType.STRING:
                return x
            x = _parsed(x, element)
        x = _as_plain(x)
        if element is ElementType.STRING:
            return _written(x)
        if element is ElementType.FLOAT8E8M0:
            return _to_e8m0(x, saturate=self.saturate, round_mode=self.round_mode)
        if element in _SATURATING and self.saturate:
            return saturated(x, element)
        return x.astype(element.dtype)


@kernel("Cast")
class Cast:
    """Y = X converted to the type `to`. Source: ONNX Cast."""

    def prepare(self, node: Node, ctx: object, *, to: int, saturate: int = 1, round_mode: str = "up") -> None:
        """Keeps the attributes."""
        self._convert, self._element = _Conversion(bool(saturate), round_mode), ElementType(to)

    def run(self, x: np.ndarray) -> np.ndarray:
        """Converts the tensor."""
        return self._convert(x, self._element)


@kernel("CastLike")
class CastLike:
    """Y = X converted to the type of the second input. Source: ONNX CastLike."""

    def prepare(self, node: Node, ctx: object, *, saturate: int = 1, round_mode: str = "up") -> None:
        """Keeps the attributes."""
        self._convert = _Conversion(bool(saturate), round_mode)

    def run(self, x: np.ndarray, like: np.ndarray) -> np.ndarray:
        """Converts the tensor."""
        return self._convert(x, ElementType.from_dtype(like.dtype))


def saturated(x: np.ndarray, element: ElementType) -> np.ndarray:
    """`x` as floats of at most 8 bits; what is larger than they can be becomes the largest of them, NaN stays."""
    import ml_dtypes

    limits: Any = ml_dtypes.finfo(element.dtype)  # type: ignore[no-untyped-call]
    clipped: np.ndarray = np.clip(x, float(limits.min), float(limits.max))
    return np.asarray(clipped.astype(element.dtype))


def _as_plain(x: np.ndarray) -> np.ndarray:
    """`x` with ml_dtypes elements as the numpy type that holds them exactly: the narrow types do not convert to each other."""
    if x.dtype.isbuiltin == 1:
        return x
    return widen(x) if "float" in x.dtype.name else x.astype(np.int8)


def _to_e8m0(x: np.ndarray, *, saturate: bool, round_mode: str) -> np.ndarray:
    """The powers of two that are next to |x| in the direction of `round_mode`."""
    mantissa, exponent = np.frexp(np.abs(x.astype(np.float64)))
    threshold = {"up": np.nextafter(0.5, 1), "down": 1.0, "nearest": 0.75}[round_mode]
    code = exponent.astype(np.int64) - 1 + (mantissa >= threshold) + _E8M0_BIAS
    code = np.where(mantissa == 0, -1, np.where(np.isinf(mantissa), _E8M0_NAN, code))
    code = np.clip(code, 0, _E8M0_MAX) if saturate else np.where((code < 0) | (code > _E8M0_MAX), _E8M0_NAN, code)
    code = np.where(np.isnan(mantissa), _E8M0_NAN, code)
    return np.asarray(code.astype(np.uint8).view(ElementType.FLOAT8E8M0.dtype))


def _written(x: np.ndarray) -> np.ndarray:
    """The numbers in decimal as onnxruntime writes them: eight digits of a float, `NaN`, `INF`, `-INF`, 1 for true."""
    write: Callable[[Any], str] = _write_float if x.dtype.kind == "f" else lambda v: str(int(v))
    result = np.empty(x.shape, object)
    result.reshape(-1)[:] = [write(v) for v in x.reshape(-1).tolist()]
    return result


def _write_float(value: float) -> str:
    text = f"{value:.8g}"
    return _SPECIAL.get(text, text)


def _parsed(x: np.ndarray, element: ElementType) -> np.ndarray:
    """The strings as numbers: integers exactly, to be cut to the bits of an integer type; otherwise float64."""
    if "INT" not in element.name:
        return x.astype(np.float64)
    whole = [_parse_integer(text) % 2**64 for text in x.reshape(-1)]
    return np.array(whole, np.uint64).reshape(x.shape).astype(np.int64)


def _parse_integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return int(float(text))
