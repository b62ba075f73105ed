"""The normalised model computes what onnxruntime computes on the original one."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator
from opset_cases import CASES

from ort_core.ir.proto import from_proto, to_proto
from ort_core.ir.rewrite import check_invariants
from ort_core.load.opset import CANONICAL_OPSETS, normalize_opset
from ort_core.load.opset_rules import RULES

ORT_OPSET = 21
"""What a normalised model is declared as for onnxruntime: the meaning is the same, kernels for later opsets are missing."""

WORKER = Path(__file__).with_name("opset_ort_worker.py")
PARAMS = [pytest.param(case, opset, id=case.label(opset)) for case in CASES for opset in case.opsets]


def normalised(case, opset, *, typed):
    proto, feeds = case.model(opset, typed=typed)
    model = normalize_opset(from_proto(proto))
    check_invariants(model)
    return to_proto(model), feeds


def for_onnxruntime(proto):
    copy = onnx.ModelProto.FromString(proto.SerializeToString())
    copy.ir_version = 10
    for item in copy.opset_import:
        if not item.domain:
            item.version = ORT_OPSET
    return copy.SerializeToString()


@pytest.fixture(scope="module")
def onnxruntime_results(tmp_path_factory):
    tasks = {}
    for case in CASES:
        for opset in case.opsets:
            original, feeds = case.model(opset)
            tasks[case.label(opset), "original"] = (original.SerializeToString(), feeds)
            for typed in (True, False) if case.ort else ():
                proto, feeds = normalised(case, opset, typed=typed)
                tasks[case.label(opset), typed] = (for_onnxruntime(proto), feeds)
    folder = tmp_path_factory.mktemp("onnxruntime")
    (folder / "tasks").write_bytes(pickle.dumps(list(tasks.values())))
    subprocess.run([sys.executable, WORKER, folder / "tasks", folder / "results"], check=True)
    with open(folder / "results", "rb") as file:
        return {key: pickle.load(file) for key in tasks}


def assert_same(got, expected):
    assert len(got) == len(expected)
    for mine, theirs in zip(map(np.asarray, got), map(np.asarray, expected), strict=True):
        assert mine.shape == theirs.shape
        if theirs.dtype.kind in "OUS":
            assert mine.astype(object).tolist() == theirs.astype(object).tolist()
        else:
            assert mine.dtype == theirs.dtype
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_case_labels_are_unique():
    labels = [case.label(opset) for case in CASES for opset in case.opsets]
    assert len(labels) == len(set(labels))


def test_every_rule_from_opset_7_on_has_a_case():
    cased = {(case.domain, case.op, opset) for case in CASES for opset in case.opsets}
    missing = [
        f"{domain}::{op} to {rule.to}"
        for (domain, op), rules in RULES.items()
        for rule in rules
        if (rule.to > 7 or domain) and not any((domain, op, opset) in cased for opset in range(1, rule.to))
    ]
    assert missing == []


@pytest.mark.parametrize(("case", "opset"), PARAMS)
def test_normalised_node_is_valid_at_the_canonical_opset(case, opset):
    proto, _ = normalised(case, opset, typed=True)
    inferred = onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)
    for output in inferred.graph.output:
        output.type.tensor_type.shape.SetInParent()
    onnx.checker.check_model(inferred)


@pytest.mark.parity
@pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"])
@pytest.mark.parametrize(("case", "opset"), PARAMS)
def test_normalised_node_equals_onnxruntime(case, opset, typed, onnxruntime_results):
    expected = onnxruntime_results[case.label(opset), "original"]
    assert not isinstance(expected, str), f"onnxruntime on the original: {expected}"
    if case.ort:
        got = onnxruntime_results[case.label(opset), typed]
        assert not isinstance(got, str), f"onnxruntime on the normalised model: {got}"
    else:
        proto, feeds = normalised(case, opset, typed=typed)
        assert {o.domain: o.version for o in proto.opset_import}[""] == CANONICAL_OPSETS[""]
        got = ReferenceEvaluator(proto).run(None, feeds)
    assert_same(got, expected)
