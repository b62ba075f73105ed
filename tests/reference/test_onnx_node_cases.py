"""ONNX's own node tests of the operators that have a kernel here: read-only inputs, element type and shape compared exactly."""

import copy
import importlib
import warnings
from typing import Any

import numpy as np
import pytest
from reference_helpers import as_value, read_only

import ort_core
from ort_core.reference_ops.registry import all_kernels

RANDOM = {"Bernoulli"}
MODULES = [
    "ai_onnx_ml.label_encoder", "ai_onnx_ml.tree_ensemble", "averagepool", "cast", "col2im", "constantofshape", "conv",
    "convinteger", "convtranspose", "deformconv", "det", "div", "dropout", "erf", "flatten", "gather", "gatherelements",
    "gathernd", "gemm", "globalmaxpool", "gridsample", "gru", "identity", "image_decoder", "instance_normalization",
    "layernormalization", "logsoftmax", "lpnormalization", "lppool", "lrn", "lstm", "matmul", "matmulinteger", "max",
    "maxpool", "mean", "min", "nonmaxsuppression", "onehot", "optionalgetelement", "pad", "pow", "qlinearconv",
    "qlinearmatmul", "quantizelinear", "rangeop", "reduce_log_sum_exp", "reducemean", "reduceprod", "reshape", "resize",
    "rmsnormalization", "rnn", "roialign", "scatterelements", "scatternd", "sequenceinsert", "shape", "slice", "split",
    "squeeze", "stringnormalizer", "transpose", "unique", "unsqueeze", "where",
]  # fmt: skip


def node_cases() -> list[Any]:
    """The cases of one node for which there is a kernel; importing a module of `MODULES` makes its cases."""
    kernels = all_kernels()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = importlib.import_module("onnx.backend.test.case.node")
        for name in MODULES:
            importlib.import_module(f"onnx.backend.test.case.node.{name}")
    found = {}
    for case in node._NodeTestCases:
        nodes = case.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type not in RANDOM and (nodes[0].domain, nodes[0].op_type) in kernels:
            found[case.name] = case
    return list(found.values())


CASES = node_cases()


def assert_same(expected: Any, got: Any, rtol: float, atol: float) -> None:
    if isinstance(expected, list):
        assert isinstance(got, list)
        assert len(got) == len(expected)
        for e, g in zip(expected, got, strict=True):
            assert_same(e, g, rtol, atol)
        return
    if expected is None:
        assert got is None
        return
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    if expected.dtype.kind in "OSUbiu":
        assert np.array_equal(got, expected)
    else:
        np.testing.assert_allclose(got.astype(np.complex128), expected.astype(np.complex128), rtol=rtol, atol=atol)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_node(case: Any) -> None:
    session = ort_core.InferenceSession(case.model.SerializeToString(), providers=["ReferenceExecutionProvider"])
    for inputs, outputs in case.data_sets:
        values = [as_value(i) for i in inputs]
        before = copy.deepcopy(values)
        feeds = {i.name: read_only(v) for i, v in zip(session.get_inputs(), values, strict=True)}
        results = session.run(None, feeds)
        for expected, got in zip(outputs, results, strict=True):
            assert_same(as_value(expected), got, case.rtol, case.atol)
        for old, new in zip(before, values, strict=True):
            assert_same(old, new, 0, 0)


def test_the_cases_reach_most_kernels() -> None:
    assert len({c.model.graph.node[0].op_type for c in CASES}) > 60
