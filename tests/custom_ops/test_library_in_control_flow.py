"""Operators of onnxruntime-extensions in the bodies of If, Loop and Scan, between ONNX's own: the values of onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.custom_ops import extensions_parity as parity

pytest.importorskip("ort_custom_ops")
if not parity.library_path():
    pytest.skip("onnxruntime-extensions is not installed", allow_module_level=True)
pytestmark = pytest.mark.parity

WORDS = parity.strings("One", "", "zwei", "Größe", "日本")
MATRIX = np.array([[2, 1], [1, 3]], np.float32)


def info(name: str, element: int, shape: Any = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, shape)


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    domain = parity.CONTRIB if op in {"StringUpper", "StringConcat", "StringLength", "Inverse", "NegPos"} else ""
    return helper.make_node(op, inputs.split(), outputs.split(), domain=domain, **attributes)


def graph(
    nodes: list[onnx.NodeProto], inputs: list[onnx.ValueInfoProto], outputs: str, **constants: np.ndarray
) -> onnx.GraphProto:
    values = [helper.make_empty_tensor_value_info(name) for name in outputs.split()]
    return helper.make_graph(
        nodes, "g", inputs, values, [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    )


def model(whole: onnx.GraphProto) -> bytes:
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(parity.CONTRIB, 1)]
    return helper.make_model(whole, ir_version=10, opset_imports=opsets).SerializeToString()


def scan(shape: list[int], **attributes: Any) -> bytes:
    (axis,) = attributes.get("scan_input_axes", [0])
    element = [*shape[:axis], *shape[axis + 1 :]]
    body = graph(
        [node("StringUpper", "word", "upper"), node("StringLength", "upper", "length")],
        [info("word", TensorProto.STRING, element)],
        "upper length",
    )
    for value, kind in zip(body.output, (TensorProto.STRING, TensorProto.INT64), strict=True):
        value.CopyFrom(info(value.name, kind, element))
    each = node("Scan", "words", "y n", body=body, num_scan_inputs=1, **attributes)
    return model(graph([each], [info("words", TensorProto.STRING, shape)], "y n"))


def loop() -> bytes:
    """x is inverted and taken apart three times; what is negative and what is positive is kept from each time."""
    body = graph(
        [
            node("Inverse", "x", "inverse"),
            node("NegPos", "inverse", "negative positive"),
            node("Add", "negative shift", "shifted"),
            node("Add", "shifted positive", "next"),
            node("Identity", "c", "again"),
        ],
        [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("x", TensorProto.FLOAT, [2, 2])],
        "again next negative positive",
    )
    kinds = [(TensorProto.BOOL, []), *[(TensorProto.FLOAT, [2, 2])] * 3]
    for value, (kind, shape) in zip(body.output, kinds, strict=True):
        value.CopyFrom(info(value.name, kind, shape))
    inputs = [info("a", TensorProto.FLOAT, [2, 2]), info("shift", TensorProto.FLOAT, [2, 2])]
    whole = graph([node("Loop", "three true a", "y n p", body=body)], inputs, "y n p", three=3, true=True)
    return model(whole)


def branches() -> bytes:
    joined = graph([node("StringConcat", "words words", "twice")], [], "twice")
    upper = graph([node("StringUpper", "words", "loud")], [], "loud")
    for branch in (joined, upper):
        branch.output[0].CopyFrom(info(branch.output[0].name, TensorProto.STRING, ["N"]))
    choice = node("If", "b", "y", then_branch=joined, else_branch=upper)
    inputs = [info("words", TensorProto.STRING, ["N"]), info("b", TensorProto.BOOL, [])]
    return model(graph([choice], inputs, "y"))


TASKS = {
    "scan over words": (scan([5]), {"words": WORDS}),
    "scan over words from the end": (scan([5], scan_input_directions=[1]), {"words": WORDS}),
    "scan over columns of words": (scan([2, 3], scan_input_axes=[1]), {"words": np.resize(WORDS, (2, 3))}),
    "scan over rows of words": (scan([2, 3]), {"words": np.resize(WORDS, (2, 3))}),
    "loop over matrices": (loop(), {"a": MATRIX, "shift": np.eye(2, dtype=np.float32)}),
    "one branch": (branches(), {"words": WORDS, "b": np.array(True)}),
    "the other branch": (branches(), {"words": WORDS, "b": np.array(False)}),
}


@pytest.fixture(scope="module")
def results() -> dict[str, tuple[Any, Any]]:
    tasks = list(TASKS.values())
    (ours,), (theirs,) = parity.evaluate(tasks, "ort_core"), parity.evaluate(tasks, "onnxruntime")
    return {name: (x, y) for name, x, y in zip(TASKS, ours, theirs, strict=True)}


@pytest.mark.parametrize("name", TASKS)
def test_values_are_those_of_onnxruntime(name, results):
    ours, theirs = results[name]
    assert not isinstance(theirs, parity.Failure), theirs
    assert not isinstance(ours, parity.Failure), ours
    for got, want in zip(ours, theirs, strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
