"""Every version step of every ONNX operator is covered by a rule, proved void by the schemas, or listed as void."""

import onnx
from opset_steps import differences, steps
from opset_unchanged import UNCHANGED

from ort_core.load.opset import CANONICAL_OPSETS
from ort_core.load.opset_rules import RULES

LISTED = {(op, version) for table in UNCHANGED.values() for op, versions in table.items() for version in versions}


def has_rule(old, new):
    rules = RULES.get((old.domain, old.name), ())
    return any(old.since_version < rule.to <= new.since_version for rule in rules)


def test_every_version_step_is_accounted_for():
    missing = [
        f"{old.name} {old.since_version} -> {new.since_version}: {', '.join(differences(old, new))}"
        for old, new in steps()
        if not has_rule(old, new) and (old.name, new.since_version) not in LISTED and differences(old, new)
    ]
    assert missing == []


def test_the_list_of_void_steps_has_no_superfluous_entry():
    needed = {(old.name, new.since_version) for old, new in steps() if not has_rule(old, new) and differences(old, new)}
    assert LISTED - needed == set()
    assert len(LISTED) == sum(len(v) for table in UNCHANGED.values() for v in table.values())


def test_each_rule_stands_at_a_version_at_which_its_operator_changed():
    versions = {(old.domain, old.name, new.since_version) for old, new in steps()}
    first = {(old.domain, old.name, old.since_version) for old, _ in steps()}
    known = {(s.domain, s.name) for s in onnx.defs.get_all_schemas_with_history()}
    odd = [
        (operator, rule.to)
        for operator, rules in RULES.items()
        for rule in rules
        if operator in known and (*operator, rule.to) not in versions | first
    ]
    assert odd == []


def test_canonical_opsets_are_the_latest_that_onnx_defines():
    newest = dict.fromkeys(CANONICAL_OPSETS, 1)
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain in newest:
            newest[schema.domain] = max(newest[schema.domain], schema.since_version)
    assert newest == CANONICAL_OPSETS
