"""ONNX's cases of operators that are functions, on a provider that declines them: their bodies give the same results."""

import onnx
import pytest

from ort_core.ir.schema import operator_schema
from ort_core.load.opset import CANONICAL_OPSETS
from ort_core.providers import registry
from ort_core.providers.reference import ReferenceProvider
from ort_core.providers.spec import API_VERSION, Plugin
from ort_core.testing.conformance.onnx_cases import Case, load_cases
from ort_core.testing.conformance.onnx_runs import run_case
from ort_core.testing.conformance.target import Target

NAME = "ExpandingExecutionProvider"
IGNORED = {
    "test_celu_bfloat16": "the body rounds to bfloat16 after each step: one value is off by its last bit",
    **dict.fromkeys(
        ("test_bernoulli", "test_bernoulli_double", "test_bernoulli_seed"),
        "the body draws ones with probability 1 - x, so it is not used",
    ),
}


def is_function(op_type: str, domain: str, opset: int) -> bool:
    schema = operator_schema(op_type, domain, opset)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def has_functions(case: Case) -> bool:
    nodes = onnx.ModelProto.FromString(case.model).graph.node
    return any(is_function(n.op_type, n.domain, CANONICAL_OPSETS.get(n.domain, 1)) for n in nodes)


def is_selected(case: Case) -> bool:
    """Bodies that ONNX expanded itself are among the other cases."""
    return case.kind == "node" and "_expanded" not in case.name and has_functions(case)


class ExpandingProvider(ReferenceProvider):
    def decline_reason(self, node, opsets):
        if is_function(node.op_type, node.domain, opsets.get(node.domain, 1)):
            return "a function"
        return super().decline_reason(node, opsets)


class ExpandingPlugin(Plugin):
    name = NAME
    api = API_VERSION

    def create(self, options, env):
        return ExpandingProvider(self.name, options, env)


@pytest.fixture(autouse=True, scope="module")
def _expanding_provider():
    registry.register_plugin(ExpandingPlugin())
    yield
    registry.unregister_plugin(NAME)


def parameter(case):
    reason = IGNORED.get(case.name)
    return pytest.param(case, id=case.name, marks=[pytest.mark.xfail(reason=reason, strict=True)] if reason else [])


CASES = [parameter(case) for case in load_cases().values() if is_selected(case)]


@pytest.mark.parametrize("case", CASES)
def test_the_body_gives_the_result_of_the_operator(case):
    run_case(case, Target(NAME))


def test_every_ignored_case_exists():
    assert {parameter.id for parameter in CASES} >= set(IGNORED)
