"""Every operator at every opset at which it changed gives onnxruntime's result."""

import copy

import onnx
import pytest
from opset_oracles import ONNXRUNTIME, difference, find_oracles
from opset_table import PAGE, table_page

import ort_core
from ort_core.testing.conformance.opset_cases import operator_versions, opset_cases
from ort_core.testing.conformance.opset_cases.agree import assert_agrees

ONNX_RTOL = 1e-3
"""What ONNX's own test cases allow."""

NEED_RANKS = {"FlexAttention"}
"""Operators that ONNX's type inference refuses where ranks are unknown."""


@pytest.fixture(scope="module")
def oracles(tmp_path_factory):
    return find_oracles(tmp_path_factory.mktemp("onnxruntime"))


def check(case, content, oracle):
    with ort_core.InferenceSession(content, providers=["ReferenceExecutionProvider"]) as session:
        got = session.run(None, copy.deepcopy(dict(case.feeds)))
    rtol = 0 if oracle.source == ONNXRUNTIME else ONNX_RTOL
    assert_agrees(oracle.expected, got, rtol=rtol, random=case.random, where=case.name)
    if case.expected is not None:
        assert_agrees(case.expected, got, rtol=ONNX_RTOL, random=case.random, where=case.name)


def without_shapes(content):
    model = onnx.ModelProto.FromString(content)
    for info in model.graph.input:
        kind = info.type
        while not kind.HasField("tensor_type") and not kind.HasField("map_type"):
            kind = getattr(kind, kind.WhichOneof("value")).elem_type
        if kind.HasField("tensor_type"):
            kind.tensor_type.ClearField("shape")
    for info in model.graph.output:
        info.ClearField("type")
    return model.SerializeToString()


def test_case_names_are_unique():
    names = [case.name for case in opset_cases()]
    assert len(names) == len(set(names))


def test_every_version_of_every_operator_has_a_case_at_its_first_opset():
    covered = {case.operator for case in opset_cases() if case.opset == case.operator.opset}
    missing = [version for version in operator_versions() if not version.deprecated and version not in covered]
    assert missing == []


@pytest.mark.parity
@pytest.mark.parametrize("case", opset_cases(), ids=lambda case: case.name)
def test_model_gives_what_onnxruntime_gives(case, oracles):
    oracle = oracles[case.name]
    assert oracle.expected is not None, f"nothing to compare with; onnxruntime: {oracle.onnxruntime}"
    check(case, case.model, oracle)


@pytest.mark.parity
@pytest.mark.parametrize("operator", operator_versions(), ids=lambda operator: f"{operator.name}-{operator.version}")
def test_models_whose_shapes_are_unknown_give_the_same(operator, oracles):
    for case in opset_cases():
        if case.operator == operator and operator.name not in NEED_RANKS:
            check(case, without_shapes(case.model), oracles[case.name])


@pytest.mark.parity
@pytest.mark.parametrize("case", [c for c in opset_cases() if difference(c)], ids=lambda case: case.name)
def test_onnxruntime_still_differs_where_its_answer_does_not_count(case, oracles):
    answer = oracles[case.name].onnxruntime
    assert not isinstance(answer, str), answer
    with pytest.raises(AssertionError):
        assert_agrees(case.expected, answer, rtol=ONNX_RTOL)


@pytest.mark.parity
def test_table_in_the_documentation_is_up_to_date(oracles):
    assert PAGE.read_text(encoding="utf-8") == table_page(oracles), "run: python tests/opset_sweep/opset_table.py"


@pytest.mark.parametrize("ended", [v for v in operator_versions() if v.deprecated], ids=lambda ended: ended.name)
def test_an_operator_is_refused_from_the_opset_on_at_which_it_ended(ended):
    case = next(c for c in opset_cases() if (c.operator.domain, c.operator.name) == (ended.domain, ended.name))
    model = onnx.ModelProto.FromString(case.model)
    for imported in model.opset_import:
        if imported.domain == ended.domain:
            imported.version = ended.version
    with pytest.raises(ort_core.errors.InvalidGraph, match=f"{ended.name} is deprecated since version {ended.version}"):
        ort_core.InferenceSession(model.SerializeToString(), providers=["ReferenceExecutionProvider"])
