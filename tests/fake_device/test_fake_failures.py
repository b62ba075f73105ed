from __future__ import annotations

import numpy as np
import pytest
from fake_device_helpers import Program, StubContext, get, new, put, run

from ort_core.errors import EPFail, InvalidArgument, OutOfMemory, RuntimeException
from ort_core.ir.types import ElementType

X = np.arange(8, dtype=np.float32)


def chain():
    program = Program().input("x")
    return program.node("Neg", "x", "a").node("Abs", "a", "b").node("Sqrt", "b", "y").outputs("y")


def test_a_failure_in_the_stream_surfaces_once_at_the_next_synchronisation(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    fault = fake.fail("copy_h2d")
    tensor = put(runtime, X, stream)
    with pytest.raises(EPFail, match="simulated failure of a copy of 32 bytes"):
        stream.synchronize()
    assert fault.fired
    stream.synchronize()
    runtime.copy(X, tensor, stream)
    assert np.array_equal(get(runtime, tensor, stream), X)


def test_an_event_recorded_before_the_failure_does_not_raise(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    tensor = put(runtime, X, stream)
    before = stream.record()
    fake.fail("copy_h2d")
    runtime.copy(X, tensor, stream)
    after = stream.record()
    before.wait_host()
    with pytest.raises(EPFail):
        after.wait_host()
    after.wait_host()
    stream.synchronize()


def test_a_failure_reaches_the_streams_that_wait_for_it(fake):
    runtime = fake.runtime()
    first, second = runtime.new_stream(), runtime.new_stream()
    fake.delay = (0.0, 0.005)
    fake.fail("copy_h2d", error=RuntimeException("device fault"))
    tensor = put(runtime, X, first)
    second.wait(first.record())
    with pytest.raises(RuntimeException, match="device fault"):
        get(runtime, tensor, second)
    first.synchronize()


def test_steps_that_depend_on_a_failed_one_are_skipped_without_further_errors(fake):
    fake.fail("kernel", nth=1)
    runtime = fake.runtime()
    stream = runtime.new_stream()
    with pytest.raises(EPFail, match="simulated failure of Neg 'a'"):
        run(fake, chain(), X, stream=stream)
    stream.synchronize()
    assert not fake.violations
    assert np.array_equal(run(fake, chain(), X, stream=stream)[0], np.sqrt(X))


def test_using_the_results_of_a_failure_that_was_reported_is_an_error(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    fake.fail("copy_h2d")
    tensor = put(runtime, X, stream)
    with pytest.raises(EPFail, match="simulated"):
        stream.synchronize()
    with pytest.raises(EPFail, match="uses data that a failed step did not write"):
        get(runtime, tensor, stream)


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_the_nth_kernel_fails_when_it_is_queued(fake, nth):
    fault = fake.fail("kernel", nth=nth, mode="sync")
    with pytest.raises(EPFail, match=f"kernel number {nth}"):
        run(fake, chain(), X, stream=fake.runtime().new_stream())
    assert fake.counters["kernels"] == nth - 1
    assert fault.fired
    fake.check_no_leaks()


@pytest.mark.parametrize("direction", ["h2d", "d2h", "d2d"])
@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("with_stream", [True, False])
def test_copies_fail_in_each_direction(fake, direction, mode, with_stream):
    runtime = fake.runtime()
    stream = runtime.new_stream() if with_stream else None
    fake.fail(f"copy_{direction}", mode=mode)

    def round_trip():
        tensor = put(runtime, X, stream)
        twin = new(runtime, ElementType.FLOAT, X.shape, stream)
        runtime.copy(tensor, twin, stream)
        get(runtime, twin, stream)

    with pytest.raises(EPFail, match="simulated failure of a copy"):
        round_trip()
    if stream is not None:
        stream.synchronize()


def test_allocations_synchronisations_outputs_and_provider_calls_fail(fake):
    runtime = fake.runtime()
    fake.fail("alloc", nth=2)
    runtime.allocate(8)
    with pytest.raises(OutOfMemory, match="simulated failure of an allocation"):
        runtime.allocate(8)
    fake.fail("sync", error=TimeoutError)
    with pytest.raises(TimeoutError):
        runtime.new_stream().synchronize()
    for step in ("create", "claim", "compile"):
        fake.fail(step)
        with pytest.raises(EPFail, match=step):
            chain().compile(fake)
    executable = chain().compile(fake)
    fake.fail("output")
    with pytest.raises(EPFail, match="output 0"):
        executable.run(StubContext(runtime, None), [put(runtime, X)])


def test_failures_that_cannot_be_armed_are_refused(fake):
    with pytest.raises(InvalidArgument, match="no step 'kernle'"):
        fake.fail("kernle")
    with pytest.raises(InvalidArgument, match="not queued"):
        fake.fail("alloc", mode="async")
    with pytest.raises(InvalidArgument, match="nth"):
        fake.fail("kernel", nth=0)


def test_reset_disarms_failures_and_forgets_pending_ones(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    fake.fail("copy_h2d")
    put(runtime, X, stream)
    fake.fail("copy_h2d")
    fake.reset(seed=3)
    stream.synchronize()
    assert np.array_equal(get(runtime, put(runtime, X, stream), stream), X)
    assert fake.copies == {"h2d": 1, "d2h": 1}
    assert len(fake.log) == 2


def test_a_kernel_that_raises_by_itself_is_reported_at_the_synchronisation(fake, monkeypatch):
    from dataclasses import replace

    from ort_core.testing.fake.kernels import KERNELS

    def broken(out, x):
        raise ZeroDivisionError("in the kernel")

    monkeypatch.setitem(KERNELS, "Abs", replace(KERNELS["Abs"], compute=broken))
    with pytest.raises(ZeroDivisionError, match="in the kernel"):
        run(fake, chain(), X, stream=fake.runtime().new_stream())
