"""What a case of the opset sweep is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ort_core.testing.conformance.opset_cases.versions import OperatorVersion


@dataclass(frozen=True, eq=False)
class OpsetCase:
    """A model at one opset with what it is fed.

    Attributes:
        name: tells it from all other cases.
        operator: the operator that it is about, in the version that the model means.
        opset: what the model imports of the operator's domain.
        expected: what the operator's definition gives, one value per output of the model; None where only a runtime says.
        random: only types and shapes of the results are defined.
        shipped: the case comes with the `onnx` package, which states `expected`.
    """

    name: str
    operator: OperatorVersion
    opset: int
    model: bytes
    feeds: Mapping[str, Any]
    expected: Sequence[Any] | None
    random: bool
    shipped: bool = False
