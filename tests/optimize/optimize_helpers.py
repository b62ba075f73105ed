"""Builds small models from ONNX text, optimises them and compares results bit for bit with `onnx.reference`."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import onnx
import onnx.parser
import onnx.reference

from ort_core.infer.shapes import infer_types
from ort_core.ir.graph import Model, Node
from ort_core.ir.passes import Level, PassContext
from ort_core.ir.proto import from_proto, node_to_proto, to_proto
from ort_core.ir.proto_types import type_to_proto
from ort_core.ir.rewrite import check_invariants, tensor_type
from ort_core.optimize.pipeline import find_passes, optimize, run_passes

OPSET = 28


def parse(text: str, opset: int = OPSET) -> onnx.ModelProto:
    head = f'<ir_version: 10, opset_import: ["": {opset}, "ai.onnx.ml": 5, "my": 1]>\n'
    return onnx.parser.parse_model(head + text)


def load(text: str | onnx.ModelProto) -> Model:
    return from_proto(parse(text) if isinstance(text, str) else text)


def evaluate(node: Node, inputs: Sequence[np.ndarray | None]) -> Sequence[np.ndarray] | None:
    """The node on `onnx.reference`; None if that has no such operator."""
    values = {v: a for v, a in zip(node.inputs, inputs, strict=True) if v is not None and a is not None}
    proto = onnx.ModelProto(ir_version=10)
    proto.opset_import.add(domain="", version=OPSET)
    proto.opset_import.add(domain="ai.onnx.ml", version=5)
    proto.graph.name = "one"
    proto.graph.node.append(node_to_proto(node))
    for value, array in values.items():
        proto.graph.input.add(name=value.name, type=type_to_proto(tensor_type(array)))
    for value in node.outputs:
        if value is not None:
            proto.graph.output.add(name=value.name)
    try:
        session = onnx.reference.ReferenceEvaluator(proto)
    except NotImplementedError:
        return None
    return session.run(None, {v.name: a for v, a in values.items()})


def context(**changes: object) -> PassContext:
    return PassContext(**{"evaluate": evaluate, "opsets": {"": OPSET}} | changes)


def run(model: Model, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        return onnx.reference.ReferenceEvaluator(to_proto(model)).run(None, dict(feeds))


def apply_pass(name: str, text: str | onnx.ModelProto, **changes: object) -> Model:
    """The model after the one pass (Constant nodes become initializers first, dead nodes go last)."""
    model = load(text)
    infer_types(model)
    by_name = {item.name: item for item in find_passes()}
    chosen = [by_name[n] for n in dict.fromkeys(["inline_constants", name, "eliminate_dead"])]
    run_passes(model, chosen, context(**changes))
    check_invariants(model)
    return model


def apply_all(
    text: str | onnx.ModelProto, level: Level = Level.ALL, disabled: Collection[str] = (), **changes: object
) -> Model:
    model = load(text)
    infer_types(model)
    optimize(model, level, context(**changes), disabled=disabled)
    check_invariants(model)
    return model


def is_valid(text: str | onnx.ModelProto, feed: Mapping[str, np.ndarray]) -> bool:
    """Whether `onnx.reference` can run the model on the feed (it fails on some empty tensors)."""
    try:
        run(load(text), feed)
    except Exception:
        return False
    return True


def assert_same_results(before: str | onnx.ModelProto, after: Model, *feeds: Mapping[str, np.ndarray]) -> None:
    """Both give the same bits, dtypes and shapes, for every one of the feeds."""
    original = load(before)
    for feed in feeds:
        expected = run(original, copy.deepcopy(dict(feed)))
        got = run(after, copy.deepcopy(dict(feed)))
        assert len(expected) == len(got)
        for left, right in zip(expected, got, strict=True):
            assert_same_bits(left, right)


def assert_same_bits(expected: object, got: object) -> None:
    if isinstance(expected, list):
        assert isinstance(got, list)
        assert len(expected) == len(got)
        for left, right in zip(expected, got, strict=True):
            assert_same_bits(left, right)
        return
    left, right = np.asarray(expected), np.asarray(got)
    assert left.shape == right.shape
    if left.dtype.kind in "OU":
        assert right.dtype.kind in "OU"
        assert left.tolist() == right.tolist()
    else:
        assert left.dtype == right.dtype
        assert left.tobytes() == right.tobytes()


def ops(model: Model) -> list[str]:
    return [node.op_type for node in model.graph.nodes]


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    array = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    flat = array.reshape(-1)
    flat[::5] = -0.0
    return array
