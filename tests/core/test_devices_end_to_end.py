"""Sessions over the fake device and the host: copies, events, donation, bound outputs, control flow, failures."""

import contextlib
import gc
import threading

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import ort_core as ort
from ort_core import errors
from ort_core.errors import OrtError
from ort_core.memory import registry as memory_registry
from ort_core.memory.arena import Arena
from ort_core.testing import fake_device

DEVICE = "FakeDeviceExecutionProvider"
REFERENCE = "ReferenceExecutionProvider"
SPLIT = {"ops": "Add,Mul,Tanh,MatMul"}
"""The device takes these; the rest of the model, in the same bodies, runs on the host."""


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, name=f"{op}_{outputs[0]}", **attributes)


def loop_body():
    """c' = tanh(c * x) + (c - x) over device and host; scans |c'|; stops when the sum leaves a range."""
    return helper.make_graph(
        [
            node("Mul", ["c", "x"], ["cx"]),
            node("Tanh", ["cx"], ["th"]),
            node("Sub", ["c", "x"], ["diff"]),
            node("Add", ["th", "diff"], ["c_next"]),
            node("Abs", ["c_next"], ["scan"]),
            node("ReduceSum", ["scan"], ["total"], keepdims=0),
            node("Less", ["total", "limit"], ["go"]),
        ],
        "loop_body",
        [value("i", [], TensorProto.INT64), value("cond", [], TensorProto.BOOL), value("c", [4])],
        [value("go", [], TensorProto.BOOL), value("c_next", [4]), value("scan", [4])],
    )


def scan_body():
    """s' = s + row * x (device), emits neg(s') (host)."""
    return helper.make_graph(
        [node("Mul", ["row", "x"], ["rx"]), node("Add", ["s", "rx"], ["s_next"]), node("Neg", ["s_next"], ["emit"])],
        "scan_body",
        [value("s", [4]), value("row", [4])],
        [value("s_next", [4]), value("emit", [4])],
    )


def control_flow_model() -> bytes:
    then_branch = helper.make_graph(
        [node("Add", ["loop_c", "x"], ["t0"]), node("Abs", ["t0"], ["t1"]), node("Mul", ["t1", "x"], ["then_out"])],
        "then",
        [],
        [value("then_out", [4])],
    )
    else_branch = helper.make_graph(
        [node("Sub", ["scan_s", "loop_c"], ["else_out"])], "else", [], [value("else_out", [4])]
    )
    nodes = [
        node("Mul", ["x", "start"], ["init"]),
        node("Loop", ["trips", "keep_going", "init"], ["loop_c", "loop_scan"], body=loop_body()),
        node("Scan", ["loop_c", "loop_scan"], ["scan_s", "scan_out"], num_scan_inputs=1, body=scan_body()),
        node("ReduceSum", ["scan_s"], ["mean"], keepdims=0),
        node("Greater", ["mean", "zero"], ["positive"]),
        node("If", ["positive"], ["chosen"], then_branch=then_branch, else_branch=else_branch),
        node("Add", ["chosen", "scan_s"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "control_flow",
        [value("x", [4]), value("start", [4]), value("trips", [], TensorProto.INT64)],
        [value("y", [4]), value("scan_out", ["n", 4]), value("loop_c", [4])],
        [
            helper.make_tensor("keep_going", TensorProto.BOOL, [], [True]),
            helper.make_tensor("limit", TensorProto.FLOAT, [], [1e3]),
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def chain_model(ops, shape=("n", 4)) -> bytes:
    names = ["x", *(f"v{i}" for i in range(len(ops) - 1)), "y"]
    nodes = [
        node(op, [a, "w"] if op in ("Add", "Mul", "Sub", "MatMul") else [a], [b])
        for op, a, b in zip(ops, names, names[1:], strict=False)
    ]
    shape_w = [4, 4] if "MatMul" in ops else [4]
    data = np.linspace(0.5, 2, int(np.prod(shape_w)))
    weight = helper.make_tensor("w", TensorProto.FLOAT, shape_w, data)
    graph = helper.make_graph(nodes, "chain", [value("x", list(shape))], [value("y", list(shape))], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()


def random_feeds(seed, trips=None):
    rng = np.random.default_rng(seed)
    return {
        "x": rng.standard_normal(4).astype(np.float32),
        "start": rng.standard_normal(4).astype(np.float32),
        "trips": np.array(rng.integers(0, 6) if trips is None else trips),
    }


def assert_same(results, expected):
    assert len(results) == len(expected)
    for got, want in zip(results, expected, strict=True):
        assert got.dtype == want.dtype
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="module")
def reference():
    with ort.InferenceSession(control_flow_model(), providers=[REFERENCE]) as session:
        yield session


def test_bodies_are_split_over_the_device_and_the_host():
    with fake_device(), ort.InferenceSession(control_flow_model(), providers=[(DEVICE, SPLIT)]) as session:
        report = session.explain()
        placed = {(n.scope, n.op_type): n.provider for n in report.nodes}
        loop, scan = "Loop_loop_c.body/", "Scan_scan_s.body/"
        assert placed["", "Loop"] == placed["", "Scan"] == placed["", "If"] == "core"
        assert placed[loop, "Mul"] == placed[loop, "Tanh"] == placed[scan, "Add"] == DEVICE
        assert placed[loop, "Sub"] == placed[loop, "Less"] == placed[scan, "Neg"] == REFERENCE


def test_control_flow_gives_the_reference_results_under_1000_random_delays(reference):
    with fake_device(seed=1, delay=(0.0, 60e-6)) as control:
        with ort.InferenceSession(control_flow_model(), providers=[(DEVICE, SPLIT)]) as session:
            for seed in range(1000):
                feeds = random_feeds(seed, trips=seed % 4)
                assert_same(session.run(None, feeds), reference.run(None, feeds))
            assert control.copies["h2d"] > 1000
            assert control.copies["d2h"] > 1000
        del session
        control.check()
        control.check_no_leaks()


def test_concurrent_runs_of_one_session_do_not_disturb_each_other(reference):
    failures = []
    with (
        fake_device(seed=3) as control,
        ort.InferenceSession(control_flow_model(), providers=[(DEVICE, SPLIT)]) as session,
    ):

        def work(first):
            try:
                for seed in range(first, first + 15):
                    feeds = random_feeds(seed)
                    assert_same(session.run(None, feeds), reference.run(None, feeds))
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(100 * i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        control.check()
    assert not failures


def test_feeds_may_be_changed_as_soon_as_run_returns():
    with fake_device(delay=(100e-6, 500e-6)), ort.InferenceSession(chain_model(["Add"]), providers=[DEVICE]) as session:
        x = np.ones((3, 4), np.float32)
        binding = session.io_binding()
        binding.bind_cpu_input("x", x)
        binding.bind_output("y", "fake")
        session.run_with_iobinding(binding)
        x[...] = 1e9
        np.testing.assert_allclose(
            binding.copy_outputs_to_cpu()[0], np.tile(1 + np.linspace(0.5, 2, 4), (3, 1)), rtol=1e-6
        )


def test_a_bound_device_output_is_written_in_place():
    with (
        fake_device() as control,
        ort.InferenceSession(chain_model(["Add", "Tanh", "Mul"]), providers=[DEVICE]) as session,
    ):
        target = ort.OrtValue.ortvalue_from_shape_and_type([2, 4], np.float32, "fake", 0)
        address = target.data_ptr()
        x = ort.OrtValue.ortvalue_from_numpy(np.full((2, 4), 0.5, np.float32), "fake", 0)
        binding = session.io_binding()
        binding.bind_ortvalue_input("x", x)
        binding.bind_ortvalue_output("y", target)
        control.reset()
        session.run_with_iobinding(binding)
        assert binding.get_outputs()[0].data_ptr() == address
        assert control.copies["d2d"] == control.copies["h2d"] == control.copies["d2h"] == 0
        w = np.linspace(0.5, 2, 4).astype(np.float32)
        np.testing.assert_allclose(target.numpy(), np.tile(np.tanh(0.5 + w) * w, (2, 1)), rtol=1e-6)


def test_a_bound_host_output_is_written_in_place():
    with fake_device(), ort.InferenceSession(chain_model(["Add", "Tanh"]), providers=[DEVICE]) as session:
        target = ort.OrtValue.ortvalue_from_numpy(np.zeros((2, 4), np.float32))
        address = target.data_ptr()
        binding = session.io_binding()
        binding.bind_cpu_input("x", np.full((2, 4), 0.5, np.float32))
        binding.bind_ortvalue_output("y", target)
        session.run_with_iobinding(binding)
        assert binding.get_outputs()[0].data_ptr() == address
        w = np.linspace(0.5, 2, 4).astype(np.float32)
        np.testing.assert_allclose(target.numpy(), np.tile(np.tanh(0.5 + w), (2, 1)), rtol=1e-6)


def test_a_bound_output_of_another_shape_is_refused_and_the_session_goes_on():
    with fake_device(), ort.InferenceSession(chain_model(["Add"]), providers=[DEVICE]) as session:
        binding = session.io_binding()
        binding.bind_cpu_input("x", np.zeros((2, 4), np.float32))
        binding.bind_ortvalue_output("y", ort.OrtValue.ortvalue_from_shape_and_type([3, 4], np.float32, "fake", 0))
        with pytest.raises(errors.InvalidArgument, match=r"output 'y'.*\[3, 4\].*\[2, 4\]"):
            session.run_with_iobinding(binding)
        assert session.run(None, {"x": np.zeros((2, 4), np.float32)})[0].shape == (2, 4)


def test_values_on_another_device_are_copied_over():
    with fake_device() as control, ort.InferenceSession(chain_model(["Add"]), providers=[DEVICE]) as session:
        x = ort.OrtValue.ortvalue_from_numpy(np.ones((2, 4), np.float32), "fake", 1)
        (y,) = session.run_with_ort_values(None, {"x": x})
        assert y.device_name() == "fake"
        assert control.copies["d2d"] == 1
        np.testing.assert_allclose(y.numpy(), np.tile(1 + np.linspace(0.5, 2, 4), (2, 1)), rtol=1e-6)


def test_results_stay_valid_after_the_session_is_closed():
    with fake_device() as control:
        session = ort.InferenceSession(chain_model(["Add"]), providers=[DEVICE])
        (y,) = session.run_with_ort_values(None, {"x": ort.OrtValue.ortvalue_from_numpy(np.ones((2, 4), np.float32))})
        session.close()
        del session
        gc.collect()
        np.testing.assert_allclose(y.numpy()[0], 1 + np.linspace(0.5, 2, 4), rtol=1e-6)
        del y
        control.check_no_leaks()


def test_an_output_never_shares_memory_with_an_input():
    with fake_device(), ort.InferenceSession(chain_model(["Identity"]), providers=[DEVICE]) as session:
        x = ort.OrtValue.ortvalue_from_numpy(np.ones((2, 4), np.float32), "fake", 0)
        (y,) = session.run_with_ort_values(None, {"x": x})
        assert y.data_ptr() != x.data_ptr()


def test_intermediate_values_are_donated_between_partitions():
    ops = ["Add", "Sub", "Add", "Tanh", "Sub", "Mul"]
    with fake_device() as control, ort.InferenceSession(chain_model(ops), providers=[(DEVICE, SPLIT)]) as session:
        with ort.InferenceSession(chain_model(ops), providers=[REFERENCE]) as reference:
            x = np.full((2, 4), 0.25, np.float32)
            assert_same(session.run(None, {"x": x}), reference.run(None, {"x": x}))
            assert (x == 0.25).all()
        assert control.counters["in_place"] > 0


STEPS = ["alloc", "copy_h2d", "copy_d2h", "kernel", "sync", "output"]


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_in_any_step_leaves_session_and_process_usable_and_leaks_nothing(step, reference):
    with fake_device(check=False) as control:
        with ort.InferenceSession(control_flow_model(), providers=[(DEVICE, SPLIT)], enable_fallback=False) as session:
            feeds = random_feeds(5, trips=3)
            expected = reference.run(None, feeds)
            assert_same(session.run(None, feeds), expected)
            gc.collect()
            control.drain()
            baseline = control.live_bytes
            failed = 0
            for nth in range(1, 40):
                fault = control.fail(step, nth)
                try:
                    results = session.run(None, feeds)
                except OrtError:
                    failed += 1
                else:
                    assert_same(results, expected)
                    del results
                    control.reset()
                    break
                del fault
                control.reset()
                gc.collect()
                control.drain()
                assert control.live_bytes == baseline, nth
                assert_same(session.run(None, feeds), expected)
            assert failed > 0
        del session
        gc.collect()
        control.drain()
        assert control.live_bytes == 0


@pytest.mark.parametrize("step", ["create", "claim", "compile"])
def test_a_provider_that_fails_at_creation_is_left_out_and_explained(step, reference):
    with fake_device(check=False) as control:
        control.fail(step)
        feeds = random_feeds(2)
        with pytest.warns(UserWarning, match=DEVICE) if step == "create" else contextlib.nullcontext():
            session = ort.InferenceSession(control_flow_model(), providers=[(DEVICE, SPLIT), REFERENCE])
        with session:
            assert session.get_providers() == [REFERENCE]
            assert session.provider_status[DEVICE] != "ok"
            assert_same(session.run(None, feeds), reference.run(None, feeds))


@pytest.mark.parametrize("step", ["create", "claim", "compile"])
def test_on_provider_error_raise_raises(step):
    with fake_device(check=False) as control:
        control.fail(step)
        with pytest.raises(OrtError, match=DEVICE):
            ort.InferenceSession(control_flow_model(), providers=[(DEVICE, SPLIT)], on_provider_error="raise")


def test_out_of_memory_names_bytes_and_cap_and_is_recoverable():
    with fake_device(memory_limit_bytes=4096) as control:
        with ort.InferenceSession(chain_model(["Add", "Tanh"]), providers=[DEVICE]) as session:
            with pytest.raises(errors.OutOfMemory, match="4096"):
                session.run(None, {"x": np.zeros((1000, 4), np.float32)})
            assert session.run(None, {"x": np.zeros((2, 4), np.float32)})[0].shape == (2, 4)
        del session
        control.check_no_leaks()


def test_termination_from_another_thread_stops_a_run():
    with (
        fake_device(delay=(2e-3, 3e-3)),
        ort.InferenceSession(control_flow_model(), providers=[(DEVICE, SPLIT)]) as session,
    ):
        options = ort.RunOptions()
        timer = threading.Timer(0.05, lambda: setattr(options, "terminate", True))
        timer.start()
        with pytest.raises(errors.Fail, match="terminate"):
            session.run(None, random_feeds(0, trips=100_000) | {"x": np.zeros(4, np.float32)}, options)
        timer.join()
        options.terminate = False
        assert len(session.run(None, random_feeds(1), options)) == 3


def test_inputs_may_be_dropped_while_an_unsynchronised_run_is_queued():
    with (
        fake_device(delay=(1e-3, 2e-3)) as control,
        ort.InferenceSession(chain_model(["Add"]), providers=[DEVICE]) as session,
    ):
        options = ort.RunOptions()
        options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        for _ in range(20):
            binding = session.io_binding()
            binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(np.ones((2, 4), np.float32), "fake", 0))
            binding.bind_output("y", "fake")
            session.run_with_iobinding(binding, options)
            (y,) = binding.get_outputs()
            del binding
            np.testing.assert_allclose(y.numpy()[0], 1 + np.linspace(0.5, 2, 4), rtol=1e-6)
        control.check()


@pytest.mark.parametrize(("config", "shared"), [({}, False), ({"session.use_env_allocators": "1"}, True)])
def test_registered_allocators_are_used_if_the_session_asks_for_them(config, shared, monkeypatch):
    used = []
    with fake_device() as control:
        runtime = control.runtime(0)
        arena = Arena(runtime)
        allocate = arena.allocate
        monkeypatch.setattr(arena, "allocate", lambda *a, **k: used.append(a) or allocate(*a, **k))
        monkeypatch.setattr(memory_registry, "_allocators", {runtime.device: arena})
        options = ort.SessionOptions()
        for entry in config.items():
            options.add_session_config_entry(*entry)
        with ort.InferenceSession(chain_model(["Add", "Tanh"]), options, providers=[DEVICE]) as session:
            for _ in range(3):
                session.run(None, {"x": np.zeros((2, 4), np.float32)})
        assert bool(used) is shared
