"""Builds small models from ONNX text, applies fusion passes to them, and compares sessions with `onnx.reference`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnx.parser
import onnx.reference

import ort_core
from ort_core.ir.graph import Model
from ort_core.ir.rewrite import check_invariants
from ort_core.optimize.pipeline import run_passes
from ort_core.options import SessionOptions
from ort_core.prepare import prepare
from ort_provider_cpu.passes import find_passes

_HEADER = '<ir_version: 10, opset_import: ["": 23]>\n'


def parse(text: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(_HEADER + text)


def fused(text: str, *names: str) -> Model:
    """The model after the core's passes and those of the provider with these names."""
    prepared = prepare(parse(text).SerializeToString(), SessionOptions())
    chosen = [p for p in find_passes() if p.name in names]
    assert len(chosen) == len(names)
    run_passes(prepared.model, chosen, prepared.passes)
    check_invariants(prepared.model)
    assert all(v is None or v.type is not None for n in prepared.model.graph.nodes for v in n.outputs)
    return prepared.model


def ops(model: Model) -> list[str]:
    return [node.op_type for node in model.graph.nodes]


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def native_session(model: onnx.ModelProto) -> ort_core.InferenceSession:
    """A session of the CPU provider alone."""
    options = SessionOptions()
    options.add_session_config_entry("session.disable_reference_fallback", "1")
    return ort_core.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def assert_same_results(text: str, *feeds: Mapping[str, np.ndarray], tolerance: float = 2e-5) -> None:
    """A session with all passes gives what `onnx.reference` gives for the model as it is."""
    proto = parse(text)
    session = native_session(proto)
    for feed in feeds:
        with np.errstate(all="ignore"):
            expected = onnx.reference.ReferenceEvaluator(proto).run(None, dict(feed))
        for left, right in zip(expected, session.run(None, dict(feed)), strict=True):
            assert left.shape == right.shape
            assert left.dtype == right.dtype
            np.testing.assert_allclose(right, left, rtol=tolerance, atol=tolerance)
