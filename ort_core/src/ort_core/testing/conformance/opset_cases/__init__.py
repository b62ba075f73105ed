"""The opset sweep: models for every version of every ONNX operator from opset 7 on, and of ai.onnx.ml from 1 on."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from ort_core.testing.conformance.opset_cases.case import OpsetCase
from ort_core.testing.conformance.opset_cases.versions import (
    FIRST_OPSETS,
    OperatorVersion,
    in_force,
    operator_versions,
)

__all__ = ["OperatorVersion", "OpsetCase", "operator_versions", "opset_cases"]


@functools.cache
def opset_cases() -> tuple[OpsetCase, ...]:
    """All cases of the sweep: what is written here, and the node cases of the `onnx` package at older opsets.

    Every version of every operator that a model may use has a case at the first opset of that version.
    """
    from ort_core.testing.conformance.opset_cases.redeclared import redeclared_cases

    return (*_written_cases(), *redeclared_cases())


def _written_cases() -> Iterator[OpsetCase]:
    from ort_core.testing.conformance.opset_cases.written import RECIPES

    for recipe in RECIPES:
        for opset in recipe.opsets:
            if opset >= FIRST_OPSETS[recipe.domain]:
                model, feeds = recipe.model(opset)
                operator = in_force(recipe.domain, recipe.op, opset)
                content = model.SerializeToString()
                yield OpsetCase(recipe.label(opset), operator, opset, content, feeds, recipe.expected, recipe.random)
