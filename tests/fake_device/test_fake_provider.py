from __future__ import annotations

import gc

import numpy as np
import pytest
from fake_device_helpers import Program, StubContext, get, new, put, run

from ort_core.errors import EPFail, RuntimeException
from ort_core.ir.types import ElementType
from ort_core.providers.spec import Claim, Decline, SessionEnv
from ort_core.testing import fake_device

X = np.linspace(-2, 3, 12, dtype=np.float32).reshape(3, 4)
Y = np.linspace(1, 2, 4, dtype=np.float32)
INTS = np.array([-7, 7, -8, 9], np.int32)
BOOL = np.array([True, False, True, False])

ONE = {
    "Neg": -X,
    "Abs": np.abs(X),
    "Relu": np.maximum(X, 0),
    "Sigmoid": 1 / (1 + np.exp(-X)),
    "Tanh": np.tanh(X),
    "Exp": np.exp(X),
    "Identity": X,
    "Transpose": X.T,
    "Softmax": np.exp(X) / np.exp(X).sum(-1, keepdims=True),
}
TWO = {
    "Add": X + Y,
    "Sub": X - Y,
    "Mul": X * Y,
    "Div": X / Y,
    "Less": X < Y,
    "Greater": X > Y,
    "MatMul": X @ Y,
}


@pytest.mark.parametrize("op", ONE)
@pytest.mark.parametrize("delay", [(0.0, 0.0), (0.0, 0.001)])
def test_unary_kernels(fake, op, delay):
    fake.delay = delay
    program = Program().input("x").node(op, "x", "y").outputs("y")
    (result,) = run(fake, program, X, stream=fake.runtime().new_stream())
    np.testing.assert_allclose(result, ONE[op], rtol=1e-6)
    assert result.dtype == np.float32


@pytest.mark.parametrize("op", TWO)
def test_binary_kernels(fake, op):
    dtype = TWO[op].dtype
    program = Program().input("x").input("z").node(op, "x,z", "y", dtype).outputs("y")
    (result,) = run(fake, program, X, Y, stream=fake.runtime().new_stream())
    np.testing.assert_allclose(result, TWO[op], rtol=1e-6)
    assert result.dtype == dtype


def test_integer_division_rounds_towards_zero(fake):
    program = (
        Program().input("x", np.int32).constant("two", np.int32(2)).node("Div", "x,two", "y", np.int32).outputs("y")
    )
    assert run(fake, program, INTS)[0].tolist() == [-3, 3, -4, 4]


def test_boolean_kernels_and_casts(fake):
    program = Program().input("x", np.bool_).input("z", np.bool_)
    program.node("Not", "x", "n", np.bool_).node("And", "n,z", "a", np.bool_)
    program.node("Cast", "a", "y", np.float64, to=int(ElementType.DOUBLE)).outputs("y", "n")
    results = run(fake, program, BOOL, ~BOOL, stream=fake.runtime().new_stream())
    assert results[0].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert results[0].dtype == np.float64
    assert np.array_equal(results[1], ~BOOL)


@pytest.mark.parametrize(
    ("axes", "attributes", "expected"),
    [
        (None, {}, X.sum(keepdims=True)),
        (None, {"keepdims": 0}, X.sum()),
        (None, {"noop_with_empty_axes": 1}, X),
        ([1], {"keepdims": 0}, X.sum(1)),
        ([-2], {}, X.sum(0, keepdims=True)),
    ],
)
def test_reduce_sum(fake, axes, attributes, expected):
    program = Program().input("x")
    if axes is not None:
        program.constant("axes", np.array(axes, np.int64))
    program.node("ReduceSum", "x" if axes is None else "x,axes", "y", **attributes).outputs("y")
    (result,) = run(fake, program, X)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert result.shape == expected.shape


def test_reduce_mean_concat_and_reshape(fake):
    program = Program().input("x").constant("axes", np.array([0])).constant("shape", np.array([0, 2, -1]))
    program.node("ReduceMean", "x,axes", "m").node("Concat", "x,m,x", "c", axis=0)
    program.node("Reshape", "c,shape", "y").outputs("y")
    (result,) = run(fake, program, X, stream=fake.runtime().new_stream())
    np.testing.assert_allclose(result, np.concatenate([X, X.mean(0, keepdims=True), X]).reshape(7, 2, 2), rtol=1e-6)


def test_empty_and_scalar_tensors(fake):
    program = Program().input("x").input("z").node("Add", "x,z", "y").outputs("y")
    assert run(fake, program, np.zeros((0, 3), np.float32), np.float32(1))[0].shape == (0, 3)
    assert run(fake, program, np.float32(1), np.float32(2))[0] == 3


def test_a_partition_runs_asynchronously_and_in_order(fake):
    fake.delay = (0.05, 0.05)
    program = Program().input("x").constant("c", Y)
    program.node("Add", "x,c", "a").node("Relu", "a", "b").node("Mul", "b,a", "y").outputs("y")
    executable = program.compile(fake)
    runtime = fake.runtime()
    stream = runtime.new_stream()
    source = put(runtime, X, stream)
    (result,) = executable.run(StubContext(runtime, stream), [source])
    assert [s.kind for s in fake.log] == ["upload"]
    expected = np.maximum(X + Y, 0) * (X + Y)
    np.testing.assert_allclose(get(runtime, result, stream), expected, rtol=1e-6)
    assert [s.what for s in fake.log if s.kind == "kernel"] == ["Add 'a'", "Relu 'b'", "Mul 'y'"]
    assert fake.copies == {"h2d": 1, "d2h": 1}


def test_a_missing_wait_for_an_input_is_found(fake):
    program = Program().input("x").node("Neg", "x", "y").outputs("y")
    executable = program.compile(fake)
    runtime = fake.runtime()
    copying, computing = runtime.new_stream(), runtime.new_stream()
    source = put(runtime, X, copying)
    result = executable.run(StubContext(runtime, computing), [source])
    with pytest.raises(EPFail, match="race: Neg 'y'"):
        computing.synchronize()
    copying.synchronize()
    del result
    fake.violations.clear()


def test_dropping_an_input_after_the_call_is_fine_in_its_own_stream(fake):
    fake.delay = (0.002, 0.004)
    program = Program().input("x").node("Neg", "x", "y").outputs("y")
    executable = program.compile(fake)
    runtime = fake.runtime()
    stream = runtime.new_stream()
    results = executable.run(StubContext(runtime, stream), [put(runtime, X, stream)])
    del executable
    gc.collect()
    assert np.array_equal(get(runtime, results[0], stream), -X)


def test_constants_outlive_a_session_that_ends_while_work_is_queued(fake):
    fake.delay = (0.005, 0.01)
    program = Program().input("x").constant("c", Y).node("Add", "x,c", "y").outputs("y")
    executable = program.compile(fake)
    runtime = fake.runtime()
    stream = runtime.new_stream()
    (result,) = executable.run(StubContext(runtime, stream), [put(runtime, X, stream)])
    del executable
    gc.collect()
    assert np.array_equal(get(runtime, result, stream), X + Y)
    del result
    fake.check_no_leaks()


def test_bound_outputs_are_written_in_place(fake):
    program = Program().input("x").node("Neg", "x", "y").outputs("y")
    executable = program.compile(fake)
    runtime = fake.runtime()
    stream = runtime.new_stream()
    bound = new(runtime, ElementType.FLOAT, X.shape)
    (result,) = executable.run(StubContext(runtime, stream, bound={0: bound}), [put(runtime, X, stream)])
    assert result is bound
    assert np.array_equal(get(runtime, bound, stream), -X)


@pytest.mark.parametrize("op", ["Neg", "Sigmoid", "Relu", "Identity"])
def test_a_donated_input_gives_its_memory_to_the_result(fake, op):
    program = Program().input("x").node(op, "x", "y").outputs("y")
    executable = program.compile(fake)
    runtime = fake.runtime()
    stream = runtime.new_stream()
    source = put(runtime, X, stream)
    (result,) = executable.run(StubContext(runtime, stream, donated={0}), [source])
    assert result.buffer is source.buffer
    assert fake.counters["in_place"] == 1
    np.testing.assert_allclose(get(runtime, result, stream), ONE[op], rtol=1e-6)


def test_donation_waits_for_the_last_use(fake):
    program = Program().input("x").node("Neg", "x", "a").node("Add", "x,a", "y").outputs("y")
    runtime = fake.runtime()
    stream = runtime.new_stream()
    assert np.array_equal(run(fake, program, X, stream=stream, donated={0})[0], X - X)
    assert fake.counters["in_place"] == 1


def test_a_broadcast_input_and_stable_bindings_are_not_overwritten(fake):
    program = Program().input("x").input("z").node("Add", "x,z", "y").outputs("y")
    stream = fake.runtime().new_stream()
    assert np.array_equal(run(fake, program, Y, X, stream=stream, donated={0})[0], X + Y)
    assert np.array_equal(run(fake, program, X, Y, stream=stream, donated={0}, binding_id=1)[0], X + Y)
    assert fake.counters["in_place"] == 0


def test_donated_memory_of_a_wider_type_is_used_for_a_narrower_one(fake):
    program = Program().input("x").constant("zero", np.float32(0)).node("Less", "x,zero", "y", np.bool_).outputs("y")
    stream = fake.runtime().new_stream()
    assert np.array_equal(run(fake, program, X, stream=stream, donated={0})[0], X < 0)
    assert fake.counters["in_place"] == 1


def test_outputs_that_are_inputs_constants_or_equal_are_copies(fake):
    program = Program().input("x").constant("c", Y).node("Neg", "x", "y").outputs("y", "y", "x", "c")
    executable = program.compile(fake)
    runtime = fake.runtime()
    stream = runtime.new_stream()
    source = put(runtime, X, stream)
    results = executable.run(StubContext(runtime, stream), [source])
    assert len({id(r.buffer) for r in [*results, source]}) == 5
    for result, expected in zip(results, [-X, -X, X, Y], strict=True):
        assert np.array_equal(get(runtime, result, stream), expected)


def test_unwanted_outputs_are_not_placed(fake):
    program = Program().input("x").node("Neg", "x", "a").node("Abs", "a", "y").outputs("a", "y")
    results = run(fake, program, X, stream=fake.runtime().new_stream(), unwanted={0})
    assert results[0] is None
    assert np.array_equal(results[1], np.abs(X))


def test_intermediates_are_freed_during_the_run(fake):
    program = Program().input("x")
    program.node("Neg", "x", "a").node("Abs", "a", "b").node("Neg", "b", "c").node("Abs", "c", "y").outputs("y")
    runtime = fake.runtime()
    run(fake, program, X, stream=runtime.new_stream())
    assert runtime.stats().peak_in_use_bytes == 3 * X.nbytes
    fake.check_no_leaks()


def test_the_run_is_checked_for_cancellation_before_each_kernel(fake):
    program = Program().input("x").node("Neg", "x", "a").node("Abs", "a", "y").outputs("y")
    context = StubContext(fake.runtime(), None)
    program.compile(fake).run(context, [put(fake.runtime(), X)])
    assert context.checks == 2


def test_shapes_that_do_not_fit_are_an_error_that_names_the_node(fake):
    program = Program().input("x").input("z").node("Add", "x,z", "y").outputs("y")
    with pytest.raises(RuntimeException, match=r"node 'y' \(ai.onnx::Add\) on FakeDevice.*\[3, 4\], \[5\]"):
        run(fake, program, X, np.zeros(5, np.float32))


def test_inputs_on_the_host_or_another_device_are_refused(fake):
    executable = Program().input("x").node("Neg", "x", "y").outputs("y").compile(fake)
    context = StubContext(fake.runtime(), None)
    with pytest.raises(EPFail, match="given ndarray on cpu:0"):
        executable.run(context, [X])
    with pytest.raises(EPFail, match="given DeviceTensor on fake:1"):
        executable.run(context, [put(fake.runtime(1), X)])


def test_the_second_device_runs_partitions_too(fake):
    program = Program().input("x").constant("c", Y).node("Add", "x,c", "y").outputs("y")
    stream = fake.runtime(1).new_stream()
    assert np.array_equal(run(fake, program, X, stream=stream, device_id=1)[0], X + Y)
    assert {s.device for s in fake.log} == {"fake:1"}


def answers(fake, program, **options):
    provider = fake.plugin.create(fake.plugin.options(**options), SessionEnv())
    return list(provider.claim(program.view()))


def test_nodes_are_claimed_one_by_one_or_declined_with_a_reason(fake):
    program = Program().input("x").input("h", np.float16).input("shape", np.int64)
    program.node("Neg", "x", "a").node("Gelu", "x", "b").node("Neg", "h", "c").node("Reshape", "x,shape", "d")
    program.node("Neg", "x", "e", colour=1).node("Cast", "x", "f").node("Cast", "x", "g", to=10).node("And", "x,x", "i")
    found = {a.nodes[0].name if isinstance(a, Claim) else a.node.name: a for a in answers(fake, program)}
    assert isinstance(found.pop("a"), Claim)
    assert all(isinstance(a, Decline) for a in found.values())
    reasons = {name: a.reason for name, a in found.items()}
    assert reasons["b"] == "no kernel for ai.onnx::Gelu"
    assert "T=float16" in reasons["c"]
    assert reasons["d"] == "input 'shape' (shape) is not constant"
    assert "'colour'" in reasons["e"]
    assert "'to'" in reasons["f"]
    assert "element type 10" in reasons["g"]
    assert "T=float, have {bool}" in reasons["i"]


def test_the_option_ops_restricts_what_is_claimed(fake):
    program = Program().input("x").node("Neg", "x", "a").node("Abs", "a", "b")
    first, second = answers(fake, program, ops="Neg, MatMul")
    assert isinstance(first, Claim)
    assert second.reason == "the option 'ops' leaves Abs out"


def test_the_memory_limit_option_caps_the_device(fake):
    Program().input("x").node("Neg", "x", "y").outputs("y").compile(fake, memory_limit_bytes=10)
    with pytest.raises(MemoryError):
        fake.runtime().allocate(11)


def test_the_provider_is_registered_for_the_length_of_the_block():
    from ort_core.devices import Device
    from ort_core.errors import InvalidArgument
    from ort_core.providers import registry

    with fake_device() as control:
        assert "FakeDeviceExecutionProvider" in registry.get_available_providers()
        assert registry.runtime_for_device(Device("fake", 1)) is control.runtime(1)
    assert "FakeDeviceExecutionProvider" not in registry.get_available_providers()
    with pytest.raises(InvalidArgument, match="no installed provider drives fake:1"):
        registry.runtime_for_device(Device("fake", 1))
    with pytest.raises(EPFail, match="block has ended"):
        control.runtime(1).allocate(8)


def test_violations_that_were_not_cleared_fail_the_block():
    from ort_core.testing import FakeDeviceViolation

    def careless():
        with fake_device(register=False) as control:
            runtime = control.runtime()
            with pytest.raises(FakeDeviceViolation):
                get(runtime, new(runtime, ElementType.FLOAT, (2,)))

    with pytest.raises(FakeDeviceViolation, match="1 violations:\nuninitialised"):
        careless()
