"""When two runtimes agree on a result: same structure, types and shapes, floats as close as their type allows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ort_core.ir.types import ElementType
from ort_core.testing.conformance.compare import assert_same
from ort_core.testing.conformance.tolerances import TOLERANCES

_SCALED = 1e-6
"""What sums over large numbers lose, as a part of the largest one."""


def assert_agrees(expected: Any, got: Any, *, rtol: float = 0, random: bool = False, where: str = "result") -> None:
    """Checks a value: None, an array, or a list or dictionary of values.

    Args:
        rtol: the relative tolerance, where it is larger than the one that the type has.
        random: only types and shapes have to agree.

    Raises:
        AssertionError: they differ; the message says where and by how much.
    """
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, (e, g) in enumerate(zip(expected, got, strict=True)):
            assert_agrees(e, g, rtol=rtol, random=random, where=f"{where}[{index}]")
    elif isinstance(expected, dict):
        if not isinstance(got, dict) or list(got) != list(expected):
            raise AssertionError(f"{where}: got {got}, expected {expected}")
        for key in expected:
            assert_agrees(np.asarray(expected[key]), np.asarray(got[key]), rtol=rtol, where=f"{where}[{key}]")
    elif random:
        assert_same(np.zeros_like(expected), np.zeros_like(got), where=where)
    else:
        given, absolute = _tolerance(expected) if isinstance(expected, np.ndarray) else (0.0, 0.0)
        assert_same(expected, got, max(given, rtol) if given else 0.0, absolute, where)


def _tolerance(array: np.ndarray) -> tuple[float, float]:
    """Relative and absolute; numbers of 8 bits and less have to be equal."""
    element = ElementType.from_dtype(array.dtype)
    if element not in TOLERANCES or element.bits <= 8:
        return 0.0, 0.0
    size = np.abs(array.astype(np.complex128))
    largest = float(size[np.isfinite(size)].max(initial=0))
    return TOLERANCES[element].rtol, TOLERANCES[element].atol + _SCALED * largest * (element.bits < 64)
