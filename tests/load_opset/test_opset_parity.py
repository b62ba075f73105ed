"""The normalised model, with and without known types, is valid and computes what onnxruntime computes on the original."""

import onnx
import pytest

import ort_core
from ort_core.ir.proto import from_proto, to_proto
from ort_core.ir.rewrite import check_invariants
from ort_core.load.opset import CANONICAL_OPSETS, normalize_opset
from ort_core.load.opset_rules import RULES
from ort_core.testing.conformance.opset_cases.agree import assert_agrees
from ort_core.testing.conformance.opset_cases.written import RECIPES
from tests.opset_sweep.opset_onnxruntime import run_onnxruntime

TENSOR_RECIPES = [recipe for recipe in RECIPES if not any(isinstance(v, (list, dict)) for v in recipe.inputs)]
"""Older opsets have no Identity of anything else."""


NOT_INFERRED = {"MeanVarianceNormalization-9-default", "MeanVarianceNormalization-13-default"}
"""ONNX cannot infer types through the operator's body where the attribute is left to its default."""


def parameters(recipes):
    return [pytest.param(recipe, opset, id=recipe.label(opset)) for recipe in recipes for opset in recipe.opsets]


def normalised(recipe, opset, *, typed):
    proto, feeds = recipe.model(opset, typed=typed)
    model = normalize_opset(from_proto(proto))
    check_invariants(model)
    return to_proto(model), feeds


@pytest.fixture(scope="module")
def onnxruntime_answers(tmp_path_factory):
    tasks = {}
    for recipe in RECIPES:
        for opset in recipe.opsets:
            model, feeds = recipe.model(opset)
            tasks[recipe.label(opset)] = (model.SerializeToString(), feeds)
    answers = run_onnxruntime(list(tasks.values()), tmp_path_factory.mktemp("onnxruntime"))
    return dict(zip(tasks, answers, strict=True))


def test_case_labels_are_unique():
    labels = [recipe.label(opset) for recipe in RECIPES for opset in recipe.opsets]
    assert len(labels) == len(set(labels))


def test_every_rule_from_opset_7_on_has_a_case():
    cased = {(recipe.domain, recipe.op, opset) for recipe in RECIPES for opset in recipe.opsets}
    missing = [
        f"{domain}::{op} to {rule.to}"
        for (domain, op), rules in RULES.items()
        for rule in rules
        if (rule.to > 7 or domain) and not any((domain, op, opset) in cased for opset in range(1, rule.to))
    ]
    assert missing == []


@pytest.mark.parametrize(("recipe", "opset"), parameters(TENSOR_RECIPES))
def test_normalised_node_is_valid_at_the_canonical_opset(recipe, opset):
    if recipe.label(opset) in NOT_INFERRED:
        pytest.skip("ONNX's checker does not take it")
    proto, _ = normalised(recipe, opset, typed=True)
    assert {o.domain: o.version for o in proto.opset_import}[""] == CANONICAL_OPSETS[""]
    inferred = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)
    for output in inferred.graph.output:
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.shape.SetInParent()
    onnx.checker.check_model(inferred)


@pytest.mark.parity
@pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"])
@pytest.mark.parametrize(("recipe", "opset"), parameters(TENSOR_RECIPES))
def test_normalised_node_equals_onnxruntime(recipe, opset, typed, onnxruntime_answers):
    answer = onnxruntime_answers[recipe.label(opset)]
    expected = recipe.expected if isinstance(answer, str) else answer
    assert expected is not None, f"onnxruntime on the original: {answer}"
    proto, feeds = normalised(recipe, opset, typed=typed)
    with ort_core.InferenceSession(proto.SerializeToString(), providers=["ReferenceExecutionProvider"]) as session:
        assert_agrees(expected, session.run(None, feeds), random=recipe.random)
