"""The sweep over element types: what it covers, how values are recast, and what its models are compared with."""

import ml_dtypes
import numpy as np
import pytest

from ort_core.ir.types import ElementType
from ort_core.testing.conformance.dtypes import dtype_model, variants
from ort_core.testing.conformance.dtypes.exceptions import EXCEPTIONS
from ort_core.testing.conformance.dtypes.oracle import expected_outputs
from ort_core.testing.conformance.dtypes.values import cast, parse_type, recast
from ort_core.testing.conformance.dtypes.variants import free_variables, swept_schemas
from ort_core.testing.conformance.target import Target
from ort_core.testing.conformance.tolerances import TOLERANCES, tolerance_of

REFERENCE = Target("ReferenceExecutionProvider")
BY_LABEL = {variant.label: variant for variant in variants()}
WITHOUT_VARIABLES = {"ai.onnx::NonMaxSuppression", "ai.onnx::StringNormalizer"}


def names(schema):
    return f"{schema.domain or 'ai.onnx'}::{schema.name}"


def test_every_operator_is_swept_or_an_exception_with_a_reason():
    swept = {variant.operator for variant in variants()}
    left_out = {names(schema) for schema in swept_schemas().values()} - swept
    maps = {"ai.onnx.ml::CastMap", "ai.onnx.ml::DictVectorizer"}
    fixed = {names(s) for s in swept_schemas().values() if not list(free_variables(s))}
    assert left_out == {key for key in EXCEPTIONS if " " not in key} | maps | fixed
    assert fixed >= WITHOUT_VARIABLES


def test_every_exception_is_about_something():
    operators = {names(schema): schema for schema in swept_schemas().values()}
    for key, reason in EXCEPTIONS.items():
        operator, *variable = key.split()
        assert reason
        assert operator in operators
        if variable:
            assert variable[1] in dict(free_variables(operators[operator]))[variable[0]]


def test_labels_are_unique():
    assert len(BY_LABEL) == len(variants())


def test_every_variant_has_a_valid_model():
    for variant in variants():
        case = dtype_model(variant)
        assert len(case.model.graph.node) == 1
        assert variant.type in case.input_types + case.output_types, variant.label


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        (ElementType.INT8, [-5, -2, 1, 5]),
        (ElementType.UINT8, [5, 2, 1, 5]),
        (ElementType.BOOL, [False, False, True, True]),
        (ElementType.STRING, ["-1.6", "-0.5", "0.1", "1.6"]),
        (ElementType.COMPLEX64, [-1.6 - 0.8j, -0.5 - 0.25j, 0.1 + 0.05j, 1.6 + 0.8j]),
        (ElementType.FLOAT8E8M0, [2, 0.5, 0.125, 2]),
    ],
)
def test_fractions_become_values_of_the_type(element, expected):
    got = cast(np.array([-1.6, -0.5, 0.1, 1.6], np.float32), element)
    assert got.dtype == element.dtype
    np.testing.assert_array_equal(got, np.array(expected, element.dtype))


def test_whole_numbers_stay_whole_and_in_range():
    assert cast(np.array([0.0, 3, -7], np.float32), ElementType.INT64).tolist() == [0, 3, -7]
    assert cast(np.arange(20), ElementType.INT4).astype(int).tolist() == [*range(8), *range(-8, 4)]
    assert cast(np.array(300), ElementType.FLOAT4E2M1).astype(float) == 6
    assert cast(np.array(["12", "word"], object), ElementType.INT32).tolist() == [12, 4]


def test_tensors_go_into_containers_and_come_out():
    tensor = np.ones((2, 2), np.float32)
    assert [item.dtype for item in recast(tensor, "seq(tensor(int8))")] == [np.int8, np.int8]
    assert recast([tensor, tensor], "optional(tensor(double))").dtype == np.float64
    assert parse_type("optional(seq(tensor(bfloat16)))") == (("optional", "seq"), ElementType.BFLOAT16)


def test_low_precision_is_compared_with_double():
    case = dtype_model(BY_LABEL["Exp-T-bfloat16"])
    (expected,) = expected_outputs(case, REFERENCE)
    (values,) = case.feeds.values()
    assert expected.dtype == ml_dtypes.bfloat16
    np.testing.assert_array_equal(expected, np.exp(values.astype(np.float64)).astype(ml_dtypes.bfloat16))


def test_attributes_choose_output_types():
    assert dtype_model(BY_LABEL["EyeLike-T2-float16"]).output_types == ["tensor(float16)"]
    assert dtype_model(BY_LABEL["ConstantOfShape-T2-uint4"]).output_types == ["tensor(uint4)"]


def test_the_tolerance_is_that_of_the_coarsest_type():
    assert tolerance_of([ElementType.INT64]) == (0, 0)
    assert tolerance_of([ElementType.DOUBLE, ElementType.FLOAT16]) == TOLERANCES[ElementType.FLOAT16]
    assert dtype_model(BY_LABEL["LayerNormalization-T-double"]).tolerance == TOLERANCES[ElementType.FLOAT]
