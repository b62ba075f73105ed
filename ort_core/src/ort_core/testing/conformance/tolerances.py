"""How far floating-point results may be from what a wider type gives, by element type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ort_core.ir.types import ElementType


class Tolerance(NamedTuple):
    """As in `numpy.isclose`: |got - expected| <= atol + rtol * |expected|."""

    rtol: float
    atol: float


TOLERANCES = {
    ElementType.DOUBLE: Tolerance(1e-9, 1e-12),
    ElementType.COMPLEX128: Tolerance(1e-9, 1e-12),
    ElementType.FLOAT: Tolerance(1e-4, 1e-5),
    ElementType.COMPLEX64: Tolerance(1e-4, 1e-5),
    ElementType.FLOAT16: Tolerance(1e-2, 2e-3),
    ElementType.BFLOAT16: Tolerance(4e-2, 2e-2),
    ElementType.FLOAT8E4M3FN: Tolerance(0.125, 0.01),
    ElementType.FLOAT8E4M3FNUZ: Tolerance(0.125, 0.01),
    ElementType.FLOAT8E5M2: Tolerance(0.25, 0.01),
    ElementType.FLOAT8E5M2FNUZ: Tolerance(0.25, 0.01),
    ElementType.FLOAT6E2M3: Tolerance(0.125, 0.125),
    ElementType.FLOAT6E3M2: Tolerance(0.25, 0.0625),
    ElementType.FLOAT4E2M1: Tolerance(0.5, 0.5),
    ElementType.FLOAT8E8M0: Tolerance(0, 0),
}
"""About ten roundings for the common types, one step for those of 8 bits and less. Types that are not here are exact."""


def tolerance_of(elements: Iterable[ElementType]) -> Tolerance:
    """The tolerance of a model whose inputs and outputs have these element types: that of the coarsest."""
    return max((TOLERANCES[e] for e in elements if e in TOLERANCES), default=Tolerance(0, 0))
