import subprocess
import sys

import numpy as np
import onnx.parser
import pytest
from reference_helpers import OPSETS, f32, make_node, noise

import ort_core
from ort_core.errors import RuntimeException
from ort_core.ir.graph import Graph
from ort_core.providers.reference import ReferenceProvider, plugin
from ort_core.providers.spec import API_VERSION, Claim, Decline, GraphView, SessionEnv

NAME = "ReferenceExecutionProvider"


def session(text: str, opset: int = 28) -> ort_core.InferenceSession:
    head = f'<ir_version: 10, opset_import: ["": {opset}, "ai.onnx.ml": 4]>\n'
    return ort_core.InferenceSession(onnx.parser.parse_model(head + text).SerializeToString(), providers=[NAME])


def test_plugin_is_the_last_resort_on_the_host() -> None:
    assert (plugin.name, plugin.api, plugin.priority, plugin.auto) == (NAME, API_VERSION, -1000, False)
    assert plugin.device_types == frozenset()
    assert plugin.probe().ok
    provider = plugin.create(plugin.options(), SessionEnv())
    assert isinstance(provider, ReferenceProvider)
    assert provider.device.is_host


def test_plugin_module_imports_neither_onnx_nor_kernels() -> None:
    code = (
        "import sys, ort_core.providers.reference; "
        "print([m for m in sys.modules if m in ('onnx', 'ml_dtypes') or 'reference_ops' in m])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_operators_with_a_kernel_do_not_import_onnx_reference() -> None:
    code = (
        "import sys, numpy as np; from ort_core.ir.graph import Node, Value; from ort_core.reference_ops import evaluate; "
        "node = Node('Concat', [Value('a'), Value('b')], [Value('y')]); "
        "from ort_core.ir.rewrite import make_attribute; node.attributes['axis'] = make_attribute(0); "
        "print(evaluate(node, [np.ones(1), np.ones(2)], {'': 28})[0].shape, 'onnx.reference' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "(3,) False"


def test_claims_say_why_a_node_is_declined() -> None:
    graph = Graph("g")
    relu, gelu = graph.add(make_node("Relu", f32(1))), graph.add(make_node("Gelu", f32(1)))
    provider = plugin.create(plugin.options(), SessionEnv())
    answers = list(provider.claim(GraphView((relu, gelu), graph, OPSETS)))
    assert answers[0] == Claim((relu,))
    assert isinstance(answers[1], Decline)
    assert "function" in answers[1].reason


def test_session_runs_a_model_of_an_old_opset() -> None:
    run = session("g (float[N,4] x) => (float[N,4] y) { y = Softmax(x) }", opset=9)
    x = noise(2, 4)
    expected = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run.run(None, {"x": x})[0], expected, rtol=1e-6)


def test_functions_and_control_flow_reach_the_operators_through_the_core() -> None:
    run = session(
        """g (bool c, float[3] x) => (float[3] y) {
            h = Gelu(x)
            y = If(c) <then_branch = t () => (float[3] a) { a = Relu(h) }, else_branch = e () => (float[3] b) { b = Neg(h) }>
        }"""
    )
    x = f32(-1, 0, 1)
    gelu = np.array([-0.15865525, 0, 0.84134475], np.float32)
    np.testing.assert_allclose(run.run(None, {"c": np.array(True), "x": x})[0], np.maximum(gelu, 0), atol=1e-6)
    np.testing.assert_allclose(run.run(None, {"c": np.array(False), "x": x})[0], -gelu, atol=1e-6)


def test_failing_node_is_named_with_its_inputs_as_written_in_the_file() -> None:
    run = session("g (float[N,M] x, float[K,L] w) => (float[N,L] y) { [project] y = MatMul(x, w) }", opset=13)
    with pytest.raises(RuntimeException) as caught:
        run.run(None, {"x": noise(2, 3), "w": noise(4, 5)})
    for part in ("MatMul, opset 13", NAME, "tensor(float) [2, 3]", "tensor(float) [4, 5]"):
        assert part in str(caught.value)


def test_results_belong_to_the_caller() -> None:
    run = session("g (float[3] x) => (float[3] y, float[1,3] z) { y = Identity(x) z = Flatten<axis = 0>(x) }")
    x = f32(1, 2, 3)
    for result in run.run(None, {"x": x}):
        result[...] = 0
    assert x.tolist() == [1, 2, 3]


def test_constants_survive_callers_that_write_into_results() -> None:
    run = session("g () => (float[2] y) { y = Constant<value = float[2] {1, 2}>() }")
    run.run(None, {})[0][...] = 0
    assert run.run(None, {})[0].tolist() == [1, 2]


def test_floating_point_warnings_do_not_escape() -> None:
    run = session("g (float[2] x) => (float[2] y, float[2] z, float[2] w) { y = Log(x) z = Div(x, x) w = Sqrt(x) }")
    y, z, w = run.run(None, {"x": f32(0, -1)})
    assert np.isneginf(y[0])
    assert np.isnan([y[1], z[0], w[1]]).all()


def test_consecutive_runs_draw_new_random_numbers() -> None:
    run = session("g () => (float[4] y) { y = RandomNormal<shape = [4], seed = 1.0>() }")
    assert not np.array_equal(run.run(None, {})[0], run.run(None, {})[0])


def test_strings_maps_and_sequences_flow_through() -> None:
    run = session(
        """g (string[N] x) => (int64[N] y, seq(string[]) parts) {
            y = ai.onnx.ml.LabelEncoder<keys_strings = ["a", "b"], values_int64s = [1, 2]>(x)
            parts = SplitToSequence<keepdims = 0>(x)
        }"""
    )
    labels, parts = run.run(None, {"x": np.array(["b", "z"], object)})
    assert labels.tolist() == [2, -1]
    assert [str(p) for p in parts] == ["b", "z"]
