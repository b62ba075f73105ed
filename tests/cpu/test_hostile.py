"""Models and feeds that would have crashed a kernel or the engine: they raise, or run."""

import re
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import ort_core as ort
from ort_core.errors import InvalidArgument, OrtError, OutOfMemory
from tests.conftest import ROOT


def session_of(nodes, inputs, outputs, initializers=()):
    """A session without optimisation that may only use the CPU provider."""
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info(name, kind, None) for name, kind in inputs],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs],
        [numpy_helper.from_array(array, name) for name, array in initializers],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)], ir_version=11)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_reference_fallback", "1")
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"], enable_fallback=False
    )


def attention(outputs=("y",), dtype=TensorProto.FLOAT, past=False, **attributes):
    """Attention with the outputs named, the others absent."""
    names = ["q", "k", "v"] + (["", "past_k", "past_v"] if past else [])
    node = helper.make_node("Attention", names, outputs, **attributes)
    return session_of([node], [(n, dtype) for n in names if n], [(n, dtype) for n in outputs if n])


@pytest.mark.parametrize("outputs", [("", "k_out", "v_out"), ("", "", "", "scores")])
def test_attention_without_its_first_output(outputs):
    rng = np.random.default_rng(0)
    feeds = {n: rng.standard_normal((1, 2, 3, 4)).astype(np.float32) for n in ("q", "k", "v", "past_k", "past_v")}
    got = attention(outputs, past=True).run(None, feeds)
    keys, values = (np.concatenate([feeds[f"past_{n}"], feeds[n]], 2) for n in ("k", "v"))
    expected = [keys, values] if len(outputs) == 3 else [feeds["q"] @ keys.swapaxes(2, 3) / 2]
    for array, wanted in zip(got, expected, strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("past", [False, True])
@pytest.mark.parametrize(("kind", "dtype"), [(TensorProto.FLOAT16, np.float16), (TensorProto.DOUBLE, np.float64)])
def test_attention_without_query_heads_reads_no_keys(kind, dtype, past):
    feeds = {"q": np.ones((2, 0, 3, 8), dtype)}
    feeds |= {n: np.ones((2, 3, 64, 8), dtype) for n in ("k", "v") + (("past_k", "past_v") if past else ())}
    (got,) = attention(dtype=kind, past=past).run(None, feeds)
    assert got.shape == (2, 0, 3, 8)


@pytest.mark.parametrize("precision", [-2, 2, 2**31 - 1, 2**63 - 1, 257, 256])
def test_attention_checks_softmax_precision(precision):
    x = np.ones((1, 2, 3, 4), np.float32)
    with pytest.raises(OrtError):
        attention(softmax_precision=precision).run(None, {"q": x, "k": x, "v": x})


@pytest.mark.parametrize("kind", [-1, 0, 257, 2**40 + 1, 2**63 - 1])
def test_eye_like_checks_its_type(kind):
    node = helper.make_node("EyeLike", ["x"], ["y"], dtype=kind)
    with pytest.raises(OrtError):
        session_of([node], [("x", TensorProto.FLOAT)], [("y", TensorProto.FLOAT)]).run(None, {"x": np.ones((2, 2))})


def test_tensors_that_only_together_exceed_the_address_space():
    nodes = [
        helper.make_node("ConstantOfShape", ["huge"], ["a"]),
        helper.make_node("ConstantOfShape", ["huge"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["c"]),
        helper.make_node("ReduceMax", ["c"], ["y"], keepdims=0),
    ]
    session = session_of(nodes, [], [("y", TensorProto.FLOAT)], [("huge", np.array([1 << 60]))])
    with pytest.raises(OutOfMemory):
        session.run(None, {})


def endless_loop(scans):
    """A loop without end; with `scans`, it keeps a tensor of every iteration."""
    info = helper.make_tensor_value_info
    nodes = [helper.make_node("Identity", ["go"], ["go_on"])]
    outputs = [info("go_on", TensorProto.BOOL, [])]
    if scans:
        nodes.append(helper.make_node("Identity", ["i"], ["kept"]))
        outputs.append(info("kept", TensorProto.INT64, []))
    body = helper.make_graph(
        nodes, "body", [info("i", TensorProto.INT64, []), info("go", TensorProto.BOOL, [])], outputs
    )
    loop = helper.make_node("Loop", ["", "go"], ["y"] if scans else [], body=body)
    if scans:
        return session_of([loop], [("go", TensorProto.BOOL)], [("y", TensorProto.INT64)])
    body.input.append(info("x_in", TensorProto.FLOAT, None))
    body.node.append(helper.make_node("Identity", ["x_in"], ["x_out"]))
    body.output.append(info("x_out", TensorProto.FLOAT, None))
    loop = helper.make_node("Loop", ["", "go", "x"], ["y"], body=body)
    return session_of([loop], [("go", TensorProto.BOOL), ("x", TensorProto.FLOAT)], [("y", TensorProto.FLOAT)])


def test_a_loop_whose_body_computes_nothing_can_be_terminated():
    session, options = endless_loop(scans=False), ort.RunOptions()
    timer = threading.Timer(0.2, setattr, (options, "terminate", True))
    timer.start()
    with pytest.raises(OrtError, match="terminate"):
        session.run(None, {"go": np.array(True), "x": np.ones(3, np.float32)}, options)
    timer.join()


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_running_out_of_memory_raises():
    script = """
        import resource
        import numpy as np
        from ort_core.errors import OutOfMemory
        from tests.cpu.test_hostile import endless_loop

        session = endless_loop(scans=True)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (128 << 20),) * 2)
        try:
            session.run(None, {"go": np.array(True)})
        except OutOfMemory:
            print("raised")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stdout.strip() == "raised", ran.stderr[-2000:]


def test_kernels_have_classes_of_their_own():
    """Two classes of one name are one to the linker, which keeps the inline functions of either."""
    sources = sorted((ROOT / "ort_provider_cpu" / "native" / "ops").glob("*.h"))
    defined = [
        match[1]
        for path in sources
        for match in re.finditer(r"^(?:class|struct) (\w+)[^;<]*\{", path.read_text(), re.M)
    ]
    assert sorted(defined) == sorted(set(defined))


def test_a_node_that_no_kernel_accepts_spares_the_others(caplog):
    node = helper.make_node("MaxPool", ["x"], ["pooled"], kernel_shape=[2, 2], strides=[0, 1], name="bad")
    good = helper.make_node("Relu", ["x"], ["y"])
    session = session_of(
        [node, good], [("x", TensorProto.FLOAT)], [("y", TensorProto.FLOAT), ("pooled", TensorProto.FLOAT)]
    )
    assert not caplog.records
    with pytest.raises(InvalidArgument, match=r"bad.*strides"):
        session.run(None, {"x": np.ones((1, 1, 4, 4), np.float32)})


def test_internal_operators_of_a_model_take_no_mixed_floats():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((1, 4096)).astype(np.float32), np.ones((4096, 4096), np.float16)
    node = helper.make_node("FusedMatMul", ["x", "w"], ["y"], domain="ort.cpu")
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4096])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(w, "w")],
    )
    imports = [helper.make_opsetid("", 24), helper.make_opsetid("ort.cpu", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=11)
    with pytest.raises(OrtError, match="floats of several types"):
        ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})
