"""Inference by our own rules gives what ONNX's gives on ONNX's node tests and on variants of them."""

from __future__ import annotations

import random

import onnx
import pytest
from direct_compare import assert_same, directly, outcome, outcome_by_onnx
from direct_mutants import mutant, node_tests

from ort_core.infer.direct_rules import direct_rule
from ort_core.ir.schema import operator_signature


def test_the_models_of_onnx_get_the_types_that_onnx_gives():
    cases = [case.model for case in node_tests()[::3]]
    decided = [proto for proto in cases if directly(proto)]
    assert len(decided) > 0.7 * len(cases)
    for proto in decided:
        assert outcome(proto) == outcome_by_onnx(proto), proto.graph.name


@pytest.mark.parametrize("seed", range(6))
def test_variants_of_the_models_of_onnx_get_the_types_that_onnx_gives_or_its_errors(seed):
    rng = random.Random(seed)
    assert sum(assert_same(mutant(rng)) for _ in range(200)) > 60


@pytest.mark.parametrize("seed", range(3))
def test_variants_at_older_opsets_get_the_types_that_onnx_gives_or_its_errors(seed):
    rng = random.Random(100 + seed)
    decided = 0
    for _ in range(200):
        proto = mutant(rng)
        if len(proto.graph.node) == 1 and not proto.graph.node[0].domain:
            make_older(proto, rng)
        decided += assert_same(proto, normalize=False)
    assert decided > 40


def make_older(proto: onnx.ModelProto, rng: random.Random) -> None:
    """Declares an older opset; constant inputs that are attributes there become such."""
    node, graph = proto.graph.node[0], proto.graph
    proto.opset_import[0].version = rng.randint(4, 24)
    old = operator_signature(node.op_type, "", proto.opset_import[0].version)
    new = operator_signature(node.op_type, "", 28)
    if old is None or new is None or direct_rule("", node.op_type) is None:
        return
    constants = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    for index in range(len(node.input) - 1, 0, -1):
        name = new.inputs[min(index, len(new.inputs) - 1)].name
        if name in old.attributes and node.input[index] in constants:
            items = constants[node.input[index]].reshape(-1).tolist()
            if items and isinstance(items[0], int):
                node.attribute.append(onnx.helper.make_attribute(name, items))
            del node.input[index]
    for attribute in list(node.attribute):
        if attribute.name not in old.attributes:
            node.attribute.remove(attribute)
    used = {"", *node.input}
    kept = [i for i in graph.input if i.name in used]
    del graph.input[:]
    graph.input.extend(kept)
