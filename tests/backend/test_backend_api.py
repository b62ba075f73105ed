"""The backend API: what it accepts, what it refuses, and that it agrees with `onnxruntime.backend`."""

import json
import subprocess
import sys
import unittest

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.backend.base import Backend, BackendRep

import ort_core as ort
import ort_core.backend
from ort_core import backend
from ort_core.devices import HOST
from ort_core.errors import InvalidArgument, NoSuchFile, RuntimeException
from ort_core.providers import registry
from ort_core.providers.reference import ReferenceProvider
from ort_core.providers.spec import API_VERSION, Plugin

REFERENCE = "ReferenceExecutionProvider"
ON_REFERENCE = {"providers": [REFERENCE]}
X, Y = np.arange(3, dtype=np.float32), np.full(3, 2, np.float32)


def make_model(operator="Add", inputs=("a", "b"), opset=21, imports=(), **attributes):
    nodes = [helper.make_node(operator, list(inputs), ["y"], **attributes)]
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n"]) for n in (*inputs, "y")]
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, v) for d, v in imports)]
    return helper.make_model(helper.make_graph(nodes, "g", infos[:-1], infos[-1:]), opset_imports=opsets, ir_version=10)


MODEL = make_model()


@pytest.fixture
def session():
    return ort.InferenceSession(MODEL.SerializeToString(), providers=[REFERENCE])


@pytest.fixture
def rep(session):
    return backend.prepare(session)


class TestPrepare:
    @pytest.mark.parametrize("kind", ["message", "bytes", "path", "pathlike"])
    def test_models(self, tmp_path, kind):
        path = tmp_path / "model.onnx"
        onnx.save(MODEL, path)
        model = {"message": MODEL, "bytes": MODEL.SerializeToString(), "path": str(path), "pathlike": path}[kind]
        rep = backend.prepare(model, **ON_REFERENCE)
        assert isinstance(rep, BackendRep)
        assert isinstance(rep, backend.OnnxRuntimeBackendRep)
        np.testing.assert_array_equal(rep.run([X, Y])[0], X + Y)

    def test_a_session_and_what_was_prepared_before(self, session):
        rep = backend.prepare(session, "NPU", enable_profiling=True)
        assert rep.run([X, Y])[0].tolist() == [2, 3, 4]
        assert backend.prepare(rep) is rep

    def test_a_message_may_change_afterwards(self):
        model = make_model()
        rep = backend.prepare(model, **ON_REFERENCE)
        model.graph.node[0].op_type = "Sub"
        assert rep.run([X, Y])[0].tolist() == [2, 3, 4]

    def test_a_message_is_checked(self):
        model = make_model("Nope")
        with pytest.raises(onnx.checker.ValidationError):
            backend.prepare(model)

    def test_an_opset_that_is_not_released_skips_the_test(self, monkeypatch):
        model = make_model(opset=99)
        assert not backend.is_compatible(model)
        with pytest.raises(unittest.SkipTest, match=r"version 99 of ai\.onnx is not released"):
            backend.prepare(model)
        monkeypatch.setattr(backend.OnnxRuntimeBackend, "allowReleasedOpsetsOnly", False)
        assert backend.is_compatible(model)
        with pytest.raises(NotImplementedError, match="99"):
            backend.prepare(model, **ON_REFERENCE)

    def test_domains_that_are_not_of_onnx_have_no_released_opsets(self):
        model = make_model(imports=[("com.example", 7)])
        assert backend.prepare(model, **ON_REFERENCE).run([X, Y])[0].tolist() == [2, 3, 4]

    @pytest.mark.parametrize(("model", "error"), [(3, TypeError), (None, TypeError), ("missing.onnx", NoSuchFile)])
    def test_what_is_no_model(self, model, error):
        with pytest.raises(error):
            backend.prepare(model, **ON_REFERENCE)

    def test_session_options(self):
        level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        rep = backend.prepare(MODEL, graph_optimization_level=level, logid="mine", rtol=1e-3, **ON_REFERENCE)
        options = rep._session.get_session_options()
        assert (options.graph_optimization_level, options.logid) == (level, "mine")

    @pytest.mark.parametrize("name", ["enable_profiling", "optimized_model_filepath", "profile_file_prefix", "config"])
    def test_session_options_that_are_refused(self, name):
        with pytest.raises(RuntimeException, match=f"does not set SessionOptions.{name}"):
            backend.prepare(MODEL, **{name: "x"})


class TestRun:
    def test_lists_tuples_and_a_bare_array(self, rep):
        assert rep.run((X, Y))[0].tolist() == [2, 3, 4]
        single = backend.prepare(make_model("Neg", ["a"]), **ON_REFERENCE)
        assert single.run(X)[0].tolist() == single.run([X])[0].tolist() == [0, -1, -2]

    @pytest.mark.parametrize(
        ("inputs", "message"), [([X], "'b'"), (X, "'b'"), ([X, Y, X], "3 values, the model has 2 inputs: a, b")]
    )
    def test_wrong_numbers_of_inputs(self, rep, inputs, message):
        with pytest.raises(InvalidArgument, match=message):
            rep.run(inputs)

    def test_run_options(self, rep):
        assert rep.run([X, Y], logid="mine", log_severity_level=3, rtol=1)[0].tolist() == [2, 3, 4]
        with pytest.raises(RuntimeException, match=r"does not set RunOptions\.terminate"):
            rep.run([X, Y], terminate=True)

    def test_a_model_at_once(self):
        outputs = backend.run(MODEL, [X, Y], log_verbosity_level=1, log_severity_level=3, **ON_REFERENCE)
        assert isinstance(outputs, list)
        assert outputs[0].tolist() == backend.run_model(MODEL, [X, Y], **ON_REFERENCE)[0].tolist() == [2, 3, 4]


class TestRunNode:
    def test_one_node(self):
        node = helper.make_node("Add", ["a", "b"], ["y"])
        outputs = backend.run_node(node, [X, Y], **ON_REFERENCE)
        assert isinstance(outputs, tuple)
        assert outputs[0].tolist() == [2, 3, 4]

    def test_absent_inputs_and_outputs(self):
        clip = helper.make_node("Clip", ["x", "", "high"], ["y"])
        for inputs in ([X, None, np.float32(1)], [X, np.float32(1)]):
            assert backend.run_node(clip, inputs, **ON_REFERENCE)[0].tolist() == [0, 1, 1]
        top = helper.make_node("TopK", ["x", "k"], ["", "i"])
        (indices,) = backend.run_node(top, [X, [1]], **ON_REFERENCE)
        assert indices.tolist() == [2]

    def test_opsets_and_domains(self):
        node = helper.make_node("Softmax", ["x"], ["y"])
        data = np.zeros((2, 2, 2), np.float32)
        assert backend.run_node(node, data, **ON_REFERENCE)[0][0, 0, 0] == 0.5
        assert backend.run_node(node, data, opset_version=12, **ON_REFERENCE)[0][0, 0, 0] == 0.25
        trees = helper.make_node("ArrayFeatureExtractor", ["x", "i"], ["y"], domain="ai.onnx.ml")
        assert backend.run_node(trees, [X, np.array([2])], **ON_REFERENCE)[0].tolist() == [[2]]

    def test_an_operator_that_the_newest_opset_deprecates(self):
        node = helper.make_node(
            "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, nodes_treeids=[0], nodes_nodeids=[0],
            nodes_featureids=[0], nodes_modes=["LEAF"], nodes_values=[0.0], nodes_truenodeids=[0], nodes_falsenodeids=[0],
            nodes_missing_value_tracks_true=[0], target_treeids=[0], target_nodeids=[0], target_ids=[0],
            target_weights=[7.0],
        )  # fmt: skip
        assert backend.run_node(node, [np.zeros((1, 1), np.float32)], **ON_REFERENCE)[0].tolist() == [[7]]

    def test_sequences(self):
        node = helper.make_node("SequenceLength", ["s"], ["n"])
        assert backend.run_node(node, [[X, Y]], **ON_REFERENCE)[0] == 2

    def test_outputs_may_be_described(self):
        node = helper.make_node("Neg", ["x"], ["y"])
        assert backend.run_node(node, X, outputs_info=[(X.dtype, X.shape)], **ON_REFERENCE)[0].tolist() == [0, -1, -2]
        with pytest.raises(InvalidArgument, match="describes 2 outputs, Neg has 1"):
            backend.run_node(node, X, outputs_info=[(X.dtype, X.shape)] * 2, **ON_REFERENCE)

    def test_a_wrong_number_of_inputs(self):
        with pytest.raises(InvalidArgument, match="got 1 values, Add has 2 inputs: a, b"):
            backend.run_node(helper.make_node("Add", ["a", "b"], ["y"]), [X])


class NpuProvider(ReferenceProvider):
    device = HOST


class NpuPlugin(Plugin):
    name = "NpuExecutionProvider"
    api = API_VERSION
    priority = 100
    auto = True
    device_types = frozenset({"npu"})

    def create(self, options, env):
        return NpuProvider(self.name, options, env)


@pytest.fixture
def npu():
    registry.register_plugin(NpuPlugin())
    yield
    registry.unregister_plugin(NpuPlugin.name)


def providers_on(device, model=MODEL):
    return backend.prepare(model, device)._session.get_providers()


class TestDevices:
    @pytest.mark.parametrize("device", ["CPU", "cpu", "CPU:0"])
    def test_the_host_is_always_there(self, device):
        assert backend.supports_device(device)
        assert backend.is_compatible(MODEL, device)

    @pytest.mark.parametrize("device", ["NPU", "TPU:1", ""])
    def test_a_device_that_is_not_there(self, device):
        assert not backend.supports_device(device)
        assert not backend.is_compatible(MODEL, device)
        with pytest.raises(RuntimeException, match=r"works on device .* Devices here: cpu"):
            backend.prepare(MODEL, device)

    @pytest.mark.usefixtures("npu")
    def test_a_device_that_a_provider_drives(self):
        assert backend.supports_device("NPU")
        assert backend.supports_device("GPU")
        assert not backend.supports_device("CUDA")
        assert providers_on("NPU")[0] == NpuPlugin.name
        assert providers_on(None)[0] == NpuPlugin.name

    @pytest.mark.usefixtures("npu")
    def test_asking_for_the_host_leaves_devices_out(self):
        assert NpuPlugin.name not in providers_on("CPU")

    @pytest.mark.usefixtures("npu")
    def test_providers_may_be_excluded(self, monkeypatch):
        monkeypatch.setenv("ORT_ONNX_BACKEND_EXCLUDE_PROVIDERS", f"{NpuPlugin.name},Other")
        assert NpuPlugin.name not in providers_on(None)

    @pytest.mark.usefixtures("npu")
    def test_the_index_reaches_the_provider(self):
        with pytest.raises(InvalidArgument, match="device_id"):
            backend.prepare(MODEL, "NPU:1")

    def test_a_subclass_chooses_providers(self):
        class Mine(backend.OnnxRuntimeBackend):
            providers = (REFERENCE,)

        assert Mine.prepare(MODEL)._session.get_providers()[0] == REFERENCE


class TestModule:
    def test_the_names_of_onnxruntime_are_there(self):
        assert {"is_compatible", "prepare", "run", "supports_device"} <= set(dir(ort_core.backend))
        assert issubclass(backend.OnnxRuntimeBackend, Backend)
        with pytest.raises(AttributeError, match="no attribute 'nope'"):
            backend.nope  # noqa: B018

    def test_importing_it_imports_no_onnx(self):
        code = "import json, sys, ort_core.backend; print(json.dumps(sorted(sys.modules)))"
        result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
        assert not {"onnx", "ml_dtypes", "unittest", "numpy"} & set(json.loads(result.stdout))


SAME_AS_ONNXRUNTIME = """
import json, sys
import numpy as np
module = sys.argv[1]
ort = __import__(module, fromlist=["x"])
backend = __import__(module + ".backend", fromlist=["x"])
model = sys.stdin.buffer.read()
x = np.arange(3, dtype=np.float32)
answers = {}

def answer(name, call):
    try:
        result = call()
    except RuntimeError:
        result = "RuntimeError"
    answers[name] = result.tolist() if isinstance(result, np.ndarray) else result

answer("run", lambda: backend.run(model, [x, x])[0])
answer("kind of outputs", lambda: type(backend.run(model, [x, x])).__name__)
answer("kind of rep", lambda: type(backend.prepare(model)).__name__)
answer("CPU", lambda: backend.supports_device("CPU"))
answer("NPU", lambda: backend.supports_device("NPU"))
answer("is_compatible", lambda: backend.is_compatible(model))
answer("not compatible", lambda: backend.is_compatible(model, "NPU"))
answer("on NPU", lambda: backend.prepare(model, "NPU"))
answer("profiling", lambda: backend.prepare(model, enable_profiling=True))
answer("terminate", lambda: backend.prepare(model).run([x, x], terminate=True))
answer("options", lambda: backend.run(model, [x, x], logid="a", rtol=1)[0])
print(json.dumps(answers))
"""


@pytest.mark.parity
def test_it_answers_as_onnxruntime():
    def answers(module):
        command = [sys.executable, "-c", SAME_AS_ONNXRUNTIME, module]
        result = subprocess.run(command, input=MODEL.SerializeToString(), capture_output=True, check=True)
        return json.loads(result.stdout)

    assert answers("ort_core") == answers("onnxruntime")
