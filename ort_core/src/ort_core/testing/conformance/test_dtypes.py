"""Every operator on every element type that its schema allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ort_core.testing.conformance.compare import assert_same, describe
from ort_core.testing.conformance.dtypes import Variant, dtype_model, variants
from ort_core.testing.conformance.dtypes.oracle import expected_outputs
from ort_core.testing.conformance.target import Target

if TYPE_CHECKING:
    from ort_core.options import SessionOptions

RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)
"""Operators of which only types and shapes are compared."""


@pytest.fixture(scope="module")
def unoptimized() -> SessionOptions:
    """Options with which the node reaches the provider as it is."""
    from ort_core.enums import GraphOptimizationLevel
    from ort_core.options import SessionOptions

    options = SessionOptions()
    options.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


@pytest.mark.parametrize(
    "variant", [pytest.param(v, id=v.label, marks=pytest.mark.ort_operator(v.operator)) for v in variants()]
)
def test_dtype(variant: Variant, target: Target, unoptimized: SessionOptions) -> None:
    """A node of the type gives exactly the types and shapes of its definition, and values near those of a wider type."""
    case = dtype_model(variant)
    with target.session(case.model, unoptimized) as session:
        results = session.run(None, dict(case.feeds))
    for name, want, got in zip(case.output_names, expected_outputs(case, target), results, strict=True):
        if variant.op_type in RANDOM:
            assert describe(got) == describe(want), f"output {name!r}: got {describe(got)}, expected {describe(want)}"
        else:
            assert_same(want, got, *case.tolerance, where=f"output {name!r}")
