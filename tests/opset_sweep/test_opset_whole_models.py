"""Models of several nodes at old opsets: control flow with old operators in its bodies, functions at opsets of their own."""

import numpy as np
import onnx
import pytest
from opset_models import MODELS, X, model
from opset_onnxruntime import run_onnxruntime

import ort_core
from ort_core.testing.conformance.opset_cases.agree import assert_agrees


def run(content, **feeds):
    with ort_core.InferenceSession(content, providers=["ReferenceExecutionProvider"]) as session:
        return session.run(None, feeds)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    return dict(
        zip(MODELS, run_onnxruntime(list(MODELS.values()), tmp_path_factory.mktemp("onnxruntime")), strict=True)
    )


@pytest.mark.parity
@pytest.mark.parametrize("name", MODELS)
def test_model_of_several_nodes_gives_what_onnxruntime_gives(name, answers):
    content, feeds = MODELS[name]
    assert not isinstance(answers[name], str), answers[name]
    assert_agrees(answers[name], run(content, **feeds))


def softmax_of_matrix(x, axis):
    rows = np.exp(x.reshape(int(np.prod(x.shape[:axis])), -1))
    return (rows / rows.sum(1, keepdims=True)).reshape(x.shape)


FUNCTION = """<domain: "local", opset_import: ["" : {opset}]>
share (t) => (u) {{ s = Softmax (t) u = Clip <max = 0.1> (s) }}"""
CALL = """<ir_version: 8, opset_import: ["" : {opset}, "local" : 1]>
agraph (float[2, 3, 4] x) => (y, z) {{ y = local.share (x) z = Softmax (x) }}"""


@pytest.mark.parametrize("function_opset", [7, 9])
@pytest.mark.parametrize("opset", [11, 13, 17, 21, 28])
def test_function_means_its_own_opset_and_the_model_another(opset, function_opset):
    content = model(CALL.format(opset=opset) + FUNCTION.format(opset=function_opset))
    y, z = run(content, x=X)
    old = softmax_of_matrix(X, 1)
    new = np.exp(X) / np.exp(X).sum(-1, keepdims=True)
    assert_agrees(np.minimum(old, np.float32(0.1)), y)
    assert_agrees(old if opset < 13 else new, z)


def test_functions_of_three_opsets_call_each_other_in_the_bodies_of_a_loop():
    text = """<ir_version: 8, opset_import: ["" : 21, "local" : 1]>
    agraph (int64 n, bool go, float[2, 3, 4] x) => (last) {
        last = Loop (n, go, x) <body = step (int64 i, bool on, float[2, 3, 4] s) => (bool more, float[2, 3, 4] following) {
            more = Identity (on)
            a = local.middle <axis = 2> (s)
            b = Softmax (s)
            following = Add (a, b)
        }>
    }
    <domain: "local", opset_import: ["" : 13, "local" : 1]>
    middle <axis> (t) => (u) {
        w = local.inner (t)
        m = ReduceMax <axes = [0], keepdims = 1> (t)
        v = Softmax <axis: int = @axis> (m)
        u = Sub (w, v)
    }
    <domain: "local", opset_import: ["" : 8]>
    inner (t) => (u) { s = Softmax (t) u = ReduceSum <axes = [1], keepdims = 1> (s) }"""
    expected = X
    for _ in range(3):
        inner = softmax_of_matrix(expected, 1).sum(1, keepdims=True)
        top = np.exp(expected.max(0, keepdims=True))
        middle = inner - top / top.sum(2, keepdims=True)
        expected = middle + np.exp(expected) / np.exp(expected).sum(-1, keepdims=True)
    assert_agrees([expected], run(model(text), n=np.array(3), go=np.array(True), x=X))


def test_a_function_at_an_older_opset_than_the_model_has_control_flow_with_old_operators():
    text = """<ir_version: 8, opset_import: ["" : 18, "local" : 1]>
    agraph (bool c, float[2, 3, 4] x) => (y) { y = local.choose <width = [2]> (c, x) }
    <domain: "local", opset_import: ["" : 11]>
    choose <width> (c, t) => (u) {
        u = If (c) <
            then_branch = yes () => (a) { a = ReduceSum <axes: ints = @width, keepdims: int = 0> (t) },
            else_branch = no () => (b) { s = Softmax <axis = 0> (t) b = ReduceMax <axes: ints = @width, keepdims: int = 0> (s) }
        >
    }"""
    assert_agrees([X.sum(2)], run(model(text), c=np.array(True), x=X))
    assert_agrees([softmax_of_matrix(X, 0).max(2)], run(model(text), c=np.array(False), x=X))


@pytest.mark.parity
def test_one_network_gives_one_result_at_every_opset(tmp_path):
    versions = range(7, 24)
    text = """<ir_version: 8, opset_import: ["" : {}]>
    agraph (float[1, 2, 6, 6] x, float[3, 2, 3, 3] w, float[108, 4] m) => (y) {{
        a = Conv <pads = [1, 1, 1, 1]> (x, w)
        b = Relu (a)
        c = Transpose <perm = [0, 2, 3, 1]> (b)
        d = Flatten (c)
        e = MatMul (d, m)
        f = Tanh (e)
        y = Softmax <axis = 1> (f)
    }}"""
    rng = np.random.default_rng(3)
    sizes = {"x": (1, 2, 6, 6), "w": (3, 2, 3, 3), "m": (108, 4)}
    feeds = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in sizes.items()}
    contents = [model(text.format(opset)) for opset in versions]
    (expected,) = run_onnxruntime([(contents[0], feeds)], tmp_path)
    for content in contents:
        assert onnx.ModelProto.FromString(content).opset_import[0].version in versions
        assert_agrees(expected, run(content, **feeds))
