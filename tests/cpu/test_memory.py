"""Memory of the CPU provider: it is reused, given back, counted and limited."""

import gc
import itertools

import numpy as np
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper

import ort_core as ort
from ort_core.errors import OutOfMemory
from ort_core.load.source import BufferSource


def convolution_model():
    weights = [
        helper.make_tensor("w1", TensorProto.FLOAT, [32, 3, 3, 3], np.full(32 * 27, 0.01, np.float32)),
        helper.make_tensor("w2", TensorProto.FLOAT, [32, 32, 3, 3], np.full(32 * 288, 0.01, np.float32)),
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["a"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["a", "w2"], ["b"], name="second", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]).SerializeToString()


def session_of(model, options=None, **provider_options):
    return ort.InferenceSession(model, options, providers=[("CPUExecutionProvider", provider_options)])


def image(height, width, batch=1):
    return {"x": np.ones((batch, 3, height, width), np.float32)}


def stats(session):
    (answer,) = session._request_of_providers("memory_stats", {})
    return answer


def test_memory_returns_to_the_baseline_after_200_shapes():
    rng = np.random.default_rng(0)
    session = session_of(convolution_model())
    session.run(None, image(64, 64))
    session._request_of_providers("trim", {})
    gc.collect()
    baseline = psutil.Process().memory_info().rss
    for _ in range(200):
        session.run(None, image(*map(int, rng.integers(1, 200, 2)), batch=int(rng.integers(1, 4))))
    assert stats(session)["cached_bytes"] > 0
    session._request_of_providers("trim", {})
    assert stats(session)["in_use_bytes"] == 0
    assert stats(session)["cached_bytes"] == 0
    assert psutil.Process().memory_info().rss - baseline < 8 << 20


def test_results_stay_valid_after_the_session_is_closed():
    session = session_of(convolution_model())
    (result,) = session.run(None, image(200, 200))
    copy = result.copy()
    session.close()
    del session
    gc.collect()
    np.testing.assert_array_equal(result, copy)


def test_results_do_not_share_memory_between_runs():
    session = session_of(convolution_model())
    (first,) = session.run(None, image(100, 100))
    copy = first.copy()
    session.run(None, {"x": np.zeros((1, 3, 100, 100), np.float32)})
    np.testing.assert_array_equal(first, copy)


def test_without_an_arena_nothing_is_kept_between_runs():
    options = ort.SessionOptions()
    options.enable_cpu_mem_arena = False
    session = session_of(convolution_model(), options)
    session.run(None, image(100, 100))
    assert stats(session)["cached_bytes"] == 0
    assert stats(session)["in_use_bytes"] == 0


@pytest.mark.parametrize("option", ["enable_mem_pattern", "enable_mem_reuse", "enable_cpu_mem_arena"])
def test_memory_options_do_not_change_results(option):
    (expected,) = session_of(convolution_model()).run(None, image(50, 70))
    options = ort.SessionOptions()
    setattr(options, option, False)
    (result,) = session_of(convolution_model(), options).run(None, image(50, 70))
    np.testing.assert_array_equal(result, expected)


def test_without_reuse_a_run_needs_more_memory():
    peaks = []
    for reuse in (True, False):
        options = ort.SessionOptions()
        options.enable_mem_reuse = reuse
        session = session_of(onnx_chain(12), options)
        session.run(None, {"x": np.ones((256, 256), np.float32)})
        peaks.append(stats(session)["peak_bytes"])
    assert peaks[1] > 3 * peaks[0]


def onnx_chain(length):
    names = ["x", *[f"v{i}" for i in range(length - 1)], "y"]
    nodes = [helper.make_node("Softmax", [a], [b]) for a, b in itertools.pairwise(names)]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "m"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    return helper.make_model(
        helper.make_graph(nodes, "g", [x], [y]), opset_imports=[helper.make_opsetid("", 21)]
    ).SerializeToString()


def test_a_run_over_the_limit_names_the_node_and_the_bytes():
    options = ort.SessionOptions()
    options.limits = ort.Limits(memory_bytes=4 << 20)
    session = session_of(convolution_model(), options)
    session.run(None, image(16, 16))
    with pytest.raises(OutOfMemory, match=r"(?s)node '(first|second)'.*bytes"):
        session.run(None, image(1000, 1000))
    session.run(None, image(16, 16))


@pytest.mark.parametrize(
    ("op", "shape", "attributes"),
    [
        ("MatMul", (700, 1100), {}),
        ("MatMul", (3, 600, 333), {}),
        ("Gemm", (1000, 700), {"transB": 1}),
        ("Gemm", (90_000, 3), {}),
    ],
)
@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_large_weights_of_products_are_packed_in_pieces(op, shape, attributes, kind, monkeypatch):
    weights = np.random.default_rng(0).integers(-2, 3, shape).astype(kind)
    node = helper.make_node(op, ["x", "w"], ["y"], **attributes)
    depth = shape[-1] if attributes else shape[-2]
    x = helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(weights.dtype), ["m", depth])
    y = helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(weights.dtype), None)
    graph = helper.make_graph([node], "g", [x], [y], [numpy_helper.from_array(weights, "w")])
    pieces = []

    def spy(source, offset, target, read=BufferSource.read_into):
        pieces.append(len(target))
        read(source, offset, target)

    monkeypatch.setattr(BufferSource, "read_into", spy)
    options = ort.SessionOptions()
    options.add_session_config_entry("session.disable_reference_fallback", "1")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=11)
    session = session_of(model.SerializeToString(), options)
    assert sum(pieces) == weights.nbytes
    assert len(pieces) == 1 if weights.ndim == 2 and shape[-1] == 3 else max(pieces) <= 1 << 20
    feed = np.random.default_rng(1).integers(-1, 2, (2, depth)).astype(kind)
    (got,) = session.run(None, {"x": feed})
    matrix = weights.astype(np.float64)
    np.testing.assert_array_equal(got, (feed @ (matrix.T if attributes else matrix)).astype(kind))
