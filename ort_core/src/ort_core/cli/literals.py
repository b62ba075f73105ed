"""JSON literals on the command line as tensors of a given element type, without a silent change of any number."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from ort_core.cli.usage import UsageError
from ort_core.ir.types import ElementType

_MAX_RANK = 32


def parse_literal(text: str, element: ElementType) -> np.ndarray:
    """The tensor that JSON `text` (a number, string, boolean, or nested lists of them) stands for.

    Raises:
        UsageError: not JSON, ragged, or a value that `element` cannot hold.
    """
    try:
        value = json.loads(text, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{_shorten(text)!r} is not a JSON literal: {error}.") from error
    shape: list[int] = []
    leaves = [value]
    while len(shape) <= _MAX_RANK and leaves and all(isinstance(item, list) for item in leaves):
        if len({len(item) for item in leaves}) > 1:
            raise UsageError(f"{_shorten(text)!r} is ragged: lists of one depth must have one length.")
        shape.append(len(leaves[0]))
        leaves = [item for parent in leaves for item in parent]
    for leaf in leaves:
        if not _fits_kind(leaf, element):
            raise UsageError(f"{_shorten(json.dumps(leaf))!r} is not a value of tensor({element.onnx_name}).")
    return _to_array(leaves, element).reshape(shape)


def _finite(text: str) -> float:
    value = float(text)
    if abs(value) == float("inf"):
        raise ValueError(f"{text} overflows a double")
    return value


def _fits_kind(leaf: Any, element: ElementType) -> bool:
    if element is ElementType.STRING:
        return isinstance(leaf, str)
    if element is ElementType.BOOL:
        return isinstance(leaf, bool)
    if isinstance(leaf, bool) or not isinstance(leaf, (int, float)):
        return False
    return isinstance(leaf, int) or not _is_integer(element)


def _is_integer(element: ElementType) -> bool:
    return element.onnx_name.startswith(("int", "uint"))


def _to_array(leaves: list[Any], element: ElementType) -> np.ndarray:
    if element in (ElementType.STRING, ElementType.BOOL):
        return np.array(leaves, element.dtype)
    if element in (ElementType.COMPLEX64, ElementType.COMPLEX128):
        raise UsageError(f"JSON has no complex numbers for tensor({element.onnx_name}). Give a .npy file.")
    if _is_integer(element):
        bits, signed = element.bits, element.onnx_name.startswith("int")
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        for leaf in leaves:
            if not low <= leaf <= high:
                raise UsageError(f"{leaf} is outside tensor({element.onnx_name}), {low} to {high}.")
        return np.array(leaves, np.int64 if signed else np.uint64).astype(element.dtype)
    import ml_dtypes

    limits = ml_dtypes.finfo(element.dtype)  # type: ignore[no-untyped-call]
    least, most = float(limits.min), float(limits.max)
    try:
        wide = np.array(leaves, np.float64)
    except OverflowError as error:
        raise UsageError(f"a number is outside tensor({element.onnx_name}), {least:g} to {most:g}.") from error
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = wide.astype(element.dtype)
        special = narrow.astype(np.float64)
    for given, kept in zip(wide.tolist(), special.tolist(), strict=True):
        if not least <= given <= most and given != kept and not (math.isnan(given) and math.isnan(kept)):
            raise UsageError(f"{given} is outside tensor({element.onnx_name}), {least:g} to {most:g}.")
    return narrow


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
