"""The benchmark transformers fuse completely, and give what they give without fusions."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import pytest

import ort_core
from benchmarks.models import feeds, materialize
from ort_core import GraphOptimizationLevel
from ort_core.optimize.pipeline import run_passes
from ort_core.options import SessionOptions
from ort_core.prepare import prepare
from ort_provider_cpu.passes import find_passes

pytestmark = pytest.mark.models

BERT = {"FusedAttention": 12, "MultiMatMul": 12, "FusedMatMul": 36, "LayerNormalization": 25}
LLAMA = {
    "FusedAttention": 12,
    "MultiMatMul": 12,
    "GatedMatMul": 12,
    "RotateHalf": 24,
    "FusedMatMul": 24,
    "RMSNormalization": 25,
    "MatMul": 1,
}
LEFTOVERS = ("Softmax", "Erf", "Sigmoid", "ReduceMean", "Sqrt", "Pow", "Neg")


@pytest.mark.parametrize(("name", "wanted"), [("bert_base", BERT), ("llama_step", LLAMA)])
def test_all_layers_fuse(name: str, wanted: dict[str, int], model_folder: Path) -> None:
    prepared = prepare(materialize(name, model_folder), SessionOptions())
    run_passes(prepared.model, find_passes(), prepared.passes)
    made = collections.Counter(node.op_type for node in prepared.model.graph.nodes)
    assert {op: made[op] for op in wanted} == wanted
    assert not [op for op in LEFTOVERS if made[op]]


@pytest.mark.parametrize("name", ["bert_base", "llama_step"])
def test_fused_model_gives_the_same_results(name: str, model_folder: Path) -> None:
    path = materialize(name, model_folder)
    results = []
    for level in (GraphOptimizationLevel.ORT_ENABLE_ALL, GraphOptimizationLevel.ORT_ENABLE_BASIC):
        options = SessionOptions()
        options.graph_optimization_level = level
        session = ort_core.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        results.append([session.run(None, feeds(name, length=length, batch=1)) for length in (5, 33)])
    for fused, plain in zip(*results, strict=True):
        for left, right in zip(fused, plain, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-4)
