"""Each failing situation with the parts that its message must have: what, where, got and expected, remedy."""

from __future__ import annotations

import re

import numpy as np
import pytest
from session_bad_models import one
from session_models import ADD, TWO_INPUTS, model
from session_plugins import TROUBLE

import ort_core as ort
from ort_core.errors import OrtError

X = np.ones((3, 2), np.float32)


def run(source, feed, names=None, options=None, **keywords):
    with ort.InferenceSession(source, options, **keywords) as session:
        return session.run(names, feed)


def configured(key, value):
    options = ort.SessionOptions()
    options.add_session_config_entry(key, value)
    return options


RESHAPE = model("g (float[N] x, int64[1] s) => (float[K] y) { [shaping] y = Reshape (x, s) }")
GATHER = model("g (float[N] x, int64[1] i) => (float[1] y) { [picking] y = Gather <axis=0> (x, i) }")
MATMUL = model("g (float[A,B] x, float[C,D] y) => (z) { [multiplying] z = MatMul (x, y) }")
NEG = model("g (float[N] x) => (float[N] y) { [negating] y = Neg (x) }")
OLD = model("g (float[N] x) => (float[K] y) <int64[1] s={7}> { [old] y = Reshape (x, s) }", opset=5)
FALLBACK_OFF = "session.disable_reference_fallback"

SITUATIONS = {
    "input missing": (lambda: run(ADD, {}), ["['x']", "tensor(float) [N, 2]"]),
    "input unknown": (lambda: run(ADD, {"x": X, "q": X}), ["q", "x: tensor(float) [N, 2]"]),
    "output unknown": (lambda: run(TWO_INPUTS, {"a": X, "b": X}, ["q"]), ["q", "s, d"]),
    "wrong type": (
        lambda: run(ADD, {"x": X.astype(np.float64)}),
        ["tensor(double)", "tensor(float)", "'x'", "[3, 2]", ".astype(numpy.float32)"],
    ),
    "wrong rank": (lambda: run(ADD, {"x": X[0]}), ["x", "Got: 1 Expected: 2", "[2]", "[N, 2]", "Reshape"]),
    "wrong size": (lambda: run(ADD, {"x": X.T}), ["x", "index: 1 Got: 3 Expected: 2", "[2, 3]", "[N, 2]"]),
    "dimensions that disagree": (
        lambda: run(TWO_INPUTS, {"a": X, "b": X[:1]}, options=configured("session.strict_shapes", "1")),
        ["'N'", "3 in input 'a'", "1 in input 'b'", "feed arrays that agree"],
    ),
    "reshape that does not fit": (
        lambda: run(RESHAPE, {"x": X[0], "s": np.array([7])}),
        ["'shaping'", "ai.onnx::Reshape, opset 17", "ReferenceExecutionProvider", "tensor(float) [2]", "7", "Check"],
    ),
    "index out of range": (
        lambda: run(GATHER, {"x": X[0], "i": np.array([9])}),
        ["'picking'", "ai.onnx::Gather", "ReferenceExecutionProvider", "tensor(int64) [1]", "9"],
    ),
    "matrices that do not fit": (
        lambda: run(MATMUL, {"x": X, "y": X}),
        ["'multiplying'", "ai.onnx::MatMul", "tensor(float) [3, 2]", "Check"],
    ),
    "original opset of the node": (lambda: run(OLD, {"x": X[0]}), ["'old'", "ai.onnx::Reshape, opset 5"]),
    "operator that nobody has": (
        lambda: ort.InferenceSession(one("Foo", domain="org.test", domains=[("org.test", 3)])),
        ["'the_node'", "org.test::Foo, opset 3", "ReferenceExecutionProvider", "Add a provider"],
    ),
    "operator that no listed provider has": (
        lambda: ort.InferenceSession(NEG, configured(FALLBACK_OFF, "1"), providers=[TROUBLE]),
        ["'negating'", "ai.onnx::Neg", f"{TROUBLE}: adds only", FALLBACK_OFF],
    ),
    "unknown provider": (
        lambda: ort.InferenceSession(ADD, providers=["CPUExecutionProvder"]),
        ["'CPUExecutionProvder'", "Did you mean 'CPUExecutionProvider'", "ort-core providers"],
    ),
    "providers as one text": (
        lambda: ort.InferenceSession(ADD, providers="CPUExecutionProvider"), ["Write providers=['CPUExecutionProvider']"]
    ),
    "unknown provider option": (
        lambda: ort.InferenceSession(ADD, providers=[(TROUBLE, {"levle": 1})]), [TROUBLE, "levle", "level"]
    ),
    "bad provider option": (
        lambda: ort.InferenceSession(ADD, providers=[(TROUBLE, {"level": "high"})]), [TROUBLE, "level", "high", "int"]
    ),
    "missing file": (lambda: ort.InferenceSession("models/m.onnx"), ["'models/m.onnx'", "current folder", "Check"]),
    "no model": (lambda: ort.InferenceSession(b"<html>"), ["web page", "Download"]),
    "closed session": (lambda: closed().run(None, {"x": X}), ["closed", "Create a new InferenceSession"]),
    "option out of range": (
        lambda: setattr(ort.SessionOptions(), "intra_op_num_threads", -1), ["intra_op_num_threads", "int >= 0", "-1"]
    ),
    "configuration entry that was not set": (
        lambda: configured("a", "b").get_session_config_entry("c"), ["SessionOptions", "key: c", "It has: a"]
    ),
    "custom-op library": (
        lambda: ort.SessionOptions().register_custom_ops_library("ops.so"), ["ops.so", "pip install ort-custom-ops"]
    ),
    "element type without numpy type": (lambda: run(ADD, {"x": X.astype("M8[s]")}), ["datetime64", "'x'", "Convert"]),
    "device that nobody drives": (lambda: bind_to("tpu"), ["tpu", "cpu"]),
}  # fmt: skip


def closed():
    session = ort.InferenceSession(ADD)
    session.close()
    return session


def bind_to(device):
    with ort.InferenceSession(ADD) as session:
        session.io_binding().bind_output("y", device)


@pytest.mark.parametrize("label", SITUATIONS)
def test_message_has_all_its_parts(label, trouble):
    act, parts = SITUATIONS[label]
    with pytest.raises(OrtError) as info:
        act()
    message = str(info.value)
    missing = [part for part in parts if part not in message]
    assert not missing, message
    assert len(message) < 800
    assert not re.search(r"0x[0-9a-f]{6,}|<[a-z_.]+ object", message), "an address means nothing to a reader"
    assert message == message.strip()
    assert not re.search(r"[^.]\.\.( |$)", message), "two full stops"


def test_exception_has_its_cause():
    with pytest.raises(OrtError) as info:
        run(RESHAPE, {"x": X[0], "s": np.array([7])})
    assert isinstance(info.value.__cause__, ValueError)


def test_classes_are_also_those_of_python():
    pairs = {
        "input missing": ValueError,
        "reshape that does not fit": RuntimeError,
        "missing file": FileNotFoundError,
        "operator that nobody has": NotImplementedError,
    }
    for label, kind in pairs.items():
        with pytest.raises(kind):
            SITUATIONS[label][0]()


def test_message_of_a_result_that_is_too_large_ends_its_sentences_once():
    huge = model("g () => (float[K] y) <int64[2] s={2147483648,2147483648}> { [filling] y = ConstantOfShape (s) }")
    with pytest.raises(RuntimeError, match="'filling'") as info:
        run(huge, {})
    assert ".." not in str(info.value)
