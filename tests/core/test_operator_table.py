"""The table of operators says what the installed onnx says."""

import onnx.defs
import pytest

from ort_core.ir import schema as schema_module
from ort_core.ir.schema import TABLE_VERSIONS, is_defined, operator_signature
from ort_core.ir.schema_rows import row_of, rows
from ort_core.load.opset import CANONICAL_OPSETS
from ort_core.load.opset_rules import RULES


@pytest.fixture
def older_table(monkeypatch):
    """As if the table had been written for an older onnx."""
    monkeypatch.setattr(schema_module, "TABLE_VERSIONS", {"": 6, "ai.onnx.ml": 1})


def test_the_table_has_the_schemas_of_onnx():
    assert schema_module._table().strip("\n").split("\n") == list(rows())


def test_the_table_reaches_the_canonical_opsets():
    assert TABLE_VERSIONS == CANONICAL_OPSETS


@pytest.mark.parametrize("opset", [1, 6, 7, 12, 13, 20, 28])
def test_signatures_are_those_of_onnx_at_every_opset(opset):
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            found = operator_signature(schema.name, "", opset)
            try:
                expected = onnx.defs.get_schema(schema.name, opset, "")
            except onnx.defs.SchemaError:
                assert found is None
            else:
                assert found is not None
                assert found.since_version == expected.since_version
                assert found.deprecated == expected.deprecated
                assert found.attributes.keys() == expected.attributes.keys()
                assert [p.name for p in found.inputs] == [p.name for p in expected.inputs]
                assert (found.min_inputs, found.max_outputs) == (expected.min_input, expected.max_output)


@pytest.mark.usefixtures("older_table")
@pytest.mark.parametrize(
    ("op", "domain", "opset"), [("Gemm", "", 13), ("Add", "", 28), ("TreeEnsemble", "ai.onnx.ml", 5)]
)
def test_versions_beyond_the_table_are_asked_of_onnx(op, domain, opset):
    found = operator_signature(op, domain, opset)
    assert found is not None
    assert found == schema_module._parse(row_of(onnx.defs.get_schema(op, opset, domain)))


@pytest.mark.parametrize(("op", "domain"), [("Foo", ""), ("Conv", "my"), ("a\n|Abs|13", ""), ("Abs|13", ""), ("", "")])
def test_what_onnx_does_not_define_has_no_signature(op, domain):
    assert operator_signature(op, domain, 1) is None
    assert not is_defined(op, domain)


@pytest.mark.parametrize("opset", [0, -1, 1 << 40])
def test_impossible_opsets_have_no_operators(opset):
    assert operator_signature("Add", "", opset) is None


def test_no_rule_changes_an_operator_between_two_of_its_versions():
    """An operator whose version is the canonical one is not looked up among the rules."""
    for (domain, op), rules in RULES.items():
        signature = operator_signature(op, domain, CANONICAL_OPSETS[domain])
        if signature is not None and not signature.deprecated:
            assert all(rule.to <= signature.since_version for rule in rules), op
