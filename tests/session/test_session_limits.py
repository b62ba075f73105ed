"""`SessionOptions.limits`: each refuses a model made for it quickly and with its own exception, and lets others through."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from session_bad_models import chain, function_tower, nested_ifs
from session_models import ADD, graph_model, long_loop, model, tensor

import ort_core as ort
from ort_core.errors import InvalidArgument, LimitExceeded, LoadTimeout, ModelLoadCanceled, OutOfMemory

QUICK_S = 1.0
"""Of this process's own time, so that a busy machine fails no test."""


def session(source, **limits):
    options = ort.SessionOptions()
    options.limits = ort.Limits(**limits)
    return ort.InferenceSession(source, options, providers=["ReferenceExecutionProvider"])


def with_constant(shape):
    weight = numpy_helper.from_array(np.zeros(shape, np.float32), "w")
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    return graph_model(nodes, [tensor("x", shape)], [tensor("y", shape)], [weight])


class TestOperators:
    @pytest.mark.parametrize(
        "allowed", [{"ai.onnx::Add"}, ["::Add", "ai.onnx::Mul"], ("ai.onnx::*",), frozenset({"::*"})]
    )
    def test_allowed_operators_run(self, allowed, x):
        assert session(ADD, operators=allowed).run(None, {"x": x})[0].shape == x.shape

    @pytest.mark.parametrize("allowed", [set(), {"ai.onnx::Mul"}, {"com.example::*"}, {"ai.onnx::add"}])
    def test_others_are_refused(self, allowed):
        with pytest.raises(LimitExceeded, match=r"ai\.onnx::Add.*Limits\.operators"):
            session(ADD, operators=allowed)

    def test_bodies_are_checked(self):
        with pytest.raises(LimitExceeded, match=r"ai[.]onnx::If"):
            session(nested_ifs(3), operators={"ai.onnx::Identity"})
        with pytest.raises(LimitExceeded, match=r"ai[.]onnx::Relu"):
            session(function_tower(3, 1), operators={"ai.onnx::Identity"})
        session(function_tower(3, 1), operators={"ai.onnx::Relu"})

    def test_a_large_model_is_refused_before_it_is_read(self):
        large = chain(100_000)
        started = time.process_time()
        with pytest.raises(LimitExceeded, match=r"ai[.]onnx::Sin"):
            session(large, operators={"ai.onnx::Add"})
        assert time.process_time() - started < QUICK_S

    def test_nothing_is_inferred_before(self, monkeypatch):
        def forbidden(*_, **__):
            raise AssertionError("inference ran")

        monkeypatch.setattr(onnx.shape_inference, "infer_shapes", forbidden)
        monkeypatch.setattr("ort_core.infer.shapes.infer_types", forbidden)
        with pytest.raises(LimitExceeded):
            session(ADD, operators=set())


class TestSizes:
    @pytest.mark.parametrize(
        "given", [chain(30_000), onnx.ModelProto.FromString(chain(30_000))], ids=["bytes", "message"]
    )
    def test_nodes(self, given):
        started = time.process_time()
        with pytest.raises(LimitExceeded, match=r"more than 1000 nodes.*Limits[(]nodes"):
            session(given, nodes=1000)
        assert time.process_time() - started < QUICK_S
        session(chain(1000), nodes=1000)

    def test_more_nodes_than_any_model_has_are_refused_by_default(self):
        with pytest.raises(LimitExceeded, match="262144 nodes"):
            session(chain((1 << 18) + 1))

    def test_nodes_of_expanded_functions(self):
        with pytest.raises(LimitExceeded, match="more than 100 nodes with its functions expanded"):
            session(function_tower(8, 2), expanded_nodes=100)

    def test_bodies_of_control_flow(self):
        session(nested_ifs(3), subgraphs=6)
        with pytest.raises(LimitExceeded, match="more than 5 bodies"):
            session(nested_ifs(3), subgraphs=5)

    @pytest.mark.parametrize("source", [nested_ifs(6), function_tower(6, 1)], ids=["ifs", "functions"])
    def test_nesting(self, source):
        session(source, nesting=10)
        with pytest.raises(LimitExceeded, match=r"more than 4 levels of nesting.*Limits[(]nesting"):
            session(source, nesting=4)

    def test_constants(self):
        session(with_constant([1000]), initializer_bytes=4000)
        with pytest.raises(LimitExceeded, match=r"take 4004 bytes, and Limits\.initializer_bytes allows 4000"):
            session(with_constant([1001]), initializer_bytes=4000)

    def test_a_small_file_with_a_large_sparse_constant(self):
        values = numpy_helper.from_array(np.ones(1, np.float32), "w")
        indices = numpy_helper.from_array(np.zeros(1, np.int64), "w_indices")
        graph = onnx.ModelProto.FromString(ADD)
        del graph.graph.initializer[:]
        graph.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [1 << 31, 2]))
        started = time.process_time()
        with pytest.raises(LimitExceeded, match=str(1 << 34)):
            session(graph, initializer_bytes=1 << 20)
        with pytest.raises(OutOfMemory, match=str(1 << 34)):
            session(graph, memory_bytes=1 << 20)
        assert time.process_time() - started < QUICK_S

    def test_folding_leaves_large_constants_for_the_run(self):
        source = model("g () => (float[N] y) <int64[1] n={100000}> { z = ConstantOfShape (n) y = Exp (z) }")
        assert len(session(source).explain().nodes) == 0 or session(source).run(None, {})[0].shape == (100000,)
        assert {n.op_type for n in session(source, fold_bytes=1000).explain().nodes} == {"ConstantOfShape", "Exp"}


class TestTime:
    def test_a_slow_load_is_stopped(self):
        slow = chain(30_000)
        started = time.process_time()
        with pytest.raises(LoadTimeout, match=r"load_timeout_s = 0\.05 s.*stage '[a-z]+'") as info:
            session(slow, load_timeout_s=0.05)
        assert time.process_time() - started < QUICK_S
        assert isinstance(info.value, ModelLoadCanceled | TimeoutError)

    def test_enough_time(self, x):
        assert session(ADD, load_timeout_s=60).run(None, {"x": x})[0].shape == x.shape


def memory_bomb(op):
    return {
        "ConstantOfShape": "g (int64[1] n) => (float[N] y) { y = ConstantOfShape (n) }",
        "Expand": "g (int64[1] n) => (float[N] y) <float one = {1}> { y = Expand (one, n) }",
        "Tile": "g (int64[1] n) => (float[N] y) <float[1] one = {1}> { y = Tile (one, n) }",
        "Range": (
            "g (int64[1] n) => (int64[N] y) <int64 zero = {0}, int64 one = {1}> { m = Squeeze (n) y = Range (zero, m, one) }"
        ),
        "outer product": (
            "g (int64[1] n) => (float[N,N] y) <float[1] one = {1}, int64[2] row = {1, -1}, int64[2] column = {-1, 1}> "
            "{ k = Cast <to: int = 1> (n) h = Sqrt (k) m = Cast <to: int = 7> (h) v = Expand (one, m) "
            "a = Reshape (v, row) b = Reshape (v, column) y = MatMul (b, a) }"
        ),
    }[op]


class TestMemory:
    @pytest.mark.parametrize("op", ["ConstantOfShape", "Expand", "Tile", "Range", "outer product"])
    def test_a_bomb_is_refused_before_it_is_computed(self, op):
        bomb = session(model(memory_bomb(op)), memory_bytes=1 << 20)
        assert bomb.run(None, {"n": np.array([400], np.int64)})[0].size in (400, 20 * 20)
        started = time.process_time()
        with pytest.raises(OutOfMemory, match=r"Limits\.memory_bytes"):
            bomb.run(None, {"n": np.array([1 << 34], np.int64)})
        assert time.process_time() - started < QUICK_S
        assert bomb.run(None, {"n": np.array([400], np.int64)})[0].size in (400, 20 * 20)

    def test_the_message_names_node_and_bytes(self):
        bomb = session(model(memory_bomb("Tile")), memory_bytes=1 << 20)
        with pytest.raises(OutOfMemory, match=r"ai\.onnx::Tile.*needs 8000000 bytes.*of the 1048576"):
            bomb.run(None, {"n": np.array([2_000_000], np.int64)})

    def test_values_of_a_run_add_up_until_they_are_dropped(self, x):
        adds = "g (float[N] x) => (float[N] y) { a = Add (x, x) b = Mul (a, x) c = Add (b, a) y = Mul (c, c) }"
        data = np.ones(1000, np.float32)
        with pytest.raises(OutOfMemory):
            session(model(adds), memory_bytes=10_000).run(None, {"x": data})
        enough = session(model(adds), memory_bytes=12_500)
        for _ in range(5):
            assert enough.run(None, {"x": data})[0].sum() == 16_000

    def test_constants_count(self):
        session(with_constant([1000]), memory_bytes=12_000).run(None, {"x": np.zeros(1000, np.float32)})
        with pytest.raises(OutOfMemory, match="constants of graph"):
            session(with_constant([1000]), memory_bytes=3000)

    def test_a_loop_that_collects_without_end(self):
        grows = session(collecting_loop(), memory_bytes=1 << 20)
        assert grows.run(None, {"trips": np.array(10, np.int64)})[0].shape == (10, 100)
        with pytest.raises(OutOfMemory, match=r"Limits\.memory_bytes"):
            grows.run(None, {"trips": np.array(1 << 40, np.int64)})

    def test_concurrent_runs_share_it(self):
        limited = session(long_loop(), memory_bytes=1 << 16)
        with ThreadPoolExecutor(4) as pool:
            feed = {"n": np.array(50), "zero": np.array(0)}
            runs = [pool.submit(limited.run, None, feed) for _ in range(4)]
            assert all(run.exception() is None for run in runs)


def collecting_loop():
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Expand", ["one", "size"], ["row"])],
        "body",
        [tensor("i", [], TensorProto.INT64), tensor("go", [], TensorProto.BOOL)],
        [tensor("go_on", [], TensorProto.BOOL), tensor("row", [100])],
    )
    return graph_model(
        [helper.make_node("Loop", ["trips", ""], ["rows"], body=body)],
        [tensor("trips", [], TensorProto.INT64)],
        [tensor("rows", ["N", 100])],
        [
            numpy_helper.from_array(np.float32(1), "one"),
            numpy_helper.from_array(np.array([100], np.int64), "size"),
        ],
    )


class TestArguments:
    @pytest.mark.parametrize(
        "bad",
        [
            {"operators": "ai.onnx::Add"},
            {"operators": ["Add"]},
            {"operators": ["ai.onnx::"]},
            {"operators": [3]},
            {"load_timeout_s": 0},
            {"load_timeout_s": float("nan")},
            {"load_timeout_s": "5"},
            {"memory_bytes": -1},
            {"memory_bytes": 1.5},
            {"nodes": None},
            {"nesting": "3"},
        ],
        ids=str,
    )
    def test_wrong_values_are_named(self, bad):
        with pytest.raises(InvalidArgument, match=f"Limits.{next(iter(bad))}"):
            ort.Limits(**bad)

    def test_options_take_only_limits(self):
        with pytest.raises(TypeError, match=r"ort_core\.Limits, got dict"):
            ort.SessionOptions().limits = {"nodes": 3}

    def test_limits_are_pickled_with_the_session(self, x):
        limited = session(ADD, operators={"ai.onnx::Add"}, memory_bytes=1000)
        again = pickle.loads(pickle.dumps(limited))
        assert again.get_session_options().limits == limited.get_session_options().limits
        with pytest.raises(OutOfMemory):
            again.run(None, {"x": np.zeros((200, 2), np.float32)})


NO_SOCKET = """
import socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("a socket was opened")
class Refused(socket.socket):
    def __init__(self, *args, **kwargs):
        refuse()
socket.socket = Refused
sys.addaudithook(lambda event, args: refuse() if event.startswith("socket.") else None)
import numpy as np
import ort_core as ort
model = sys.stdin.buffer.read()
with ort.InferenceSession(model) as session:
    session.run(None, {"x": np.zeros((3, 2), np.float32)})
    session.explain()
    ort.get_available_providers()
ort.enable_telemetry_events()
print("done")
"""


def test_no_socket_is_ever_opened():
    command = [sys.executable, "-c", NO_SOCKET]
    result = subprocess.run(command, input=ADD, capture_output=True, check=False)
    assert result.stdout.strip() == b"done", result.stderr.decode()


def test_the_audit_of_sockets_would_notice_one():
    hook = "lambda event, args: print(event) if event.startswith('socket.') else None"
    code = f"import socket, sys; sys.addaudithook({hook}); socket.socket()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "socket.__new__" in result.stdout
