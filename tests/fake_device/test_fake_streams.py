from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pytest
from fake_device_helpers import get, new, put

from ort_core.errors import EPFail, InvalidArgument
from ort_core.ir.types import ElementType
from ort_core.testing import FakeDeviceControl, FakeDeviceViolation

X = np.arange(8, dtype=np.float32)


def test_a_queued_copy_to_the_host_happens_after_the_call_returned(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    tensor = put(runtime, X, stream)
    fake.delay = (0.3, 0.3)
    out = np.zeros_like(X)
    started = time.perf_counter()
    runtime.copy(tensor, out, stream)
    assert time.perf_counter() - started < 0.2
    assert not np.array_equal(out, X)
    stream.synchronize()
    assert np.array_equal(out, X)


def test_the_host_target_of_a_queued_copy_is_scrambled_until_the_copy_is_done(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    tensor = put(runtime, X)
    fake.delay = (0.1, 0.1)
    out = X.copy()
    runtime.copy(tensor, out, stream)
    assert set(out.view(np.uint8)) == {0xCB}
    stream.synchronize()
    assert np.array_equal(out, X)


def test_in_place_use_of_one_host_array_in_stream_order_is_not_scrambled(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    fake.delay = (0.01, 0.01)
    array = X.copy()
    tensor = put(runtime, array, stream)
    runtime.copy(tensor, array, stream)
    stream.synchronize()
    assert np.array_equal(array, X)


def test_steps_of_a_stream_run_in_order(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    fake.delay = (0.0, 300e-6)
    arrays = [X + i for i in range(20)]
    tensor = new(runtime, ElementType.FLOAT, X.shape, stream)
    for array in arrays:
        runtime.copy(array, tensor, stream)
    assert np.array_equal(get(runtime, tensor, stream), X + 19)
    assert [s.kind for s in fake.log] == ["copy_h2d"] * 20 + ["copy_d2h"]


def test_waiting_for_an_event_orders_two_streams(fake):
    runtime = fake.runtime()
    first, second = runtime.new_stream(), runtime.new_stream()
    fake.delay = (0.01, 0.02)
    tensor = put(runtime, X, first)
    second.wait(first.record())
    assert np.array_equal(get(runtime, tensor, second), X)


def test_order_passes_through_a_third_stream(fake):
    runtime = fake.runtime()
    a, b, c = (runtime.new_stream() for _ in range(3))
    fake.delay = (0.0, 0.005)
    tensor = put(runtime, X, a)
    b.wait(a.record())
    c.wait(b.record())
    assert np.array_equal(get(runtime, tensor, c), X)


@pytest.mark.parametrize("delay", [(0.0, 0.0), (0.0, 0.002)])
def test_reading_another_streams_result_without_waiting_is_a_race(fake, delay):
    runtime = fake.runtime()
    first, second = runtime.new_stream(), runtime.new_stream()
    fake.delay = delay
    tensor = put(runtime, X, first)
    out = np.empty_like(X)
    runtime.copy(tensor, out, second)
    fake.drain()
    errors = [e for stream in (first, second) if (e := error_of(stream)) is not None]
    assert errors
    assert all(isinstance(e, FakeDeviceViolation) and str(e).startswith("race: copy_") for e in errors)
    assert any("written by its allocation" in v or "_d2h" in v for v in fake.violations)
    fake.violations.clear()


def error_of(stream):
    try:
        stream.synchronize()
    except FakeDeviceViolation as error:
        return error


def test_an_event_recorded_before_the_write_does_not_cover_it(fake):
    runtime = fake.runtime()
    first, second = runtime.new_stream(), runtime.new_stream()
    tensor = put(runtime, X, first)
    early = first.record()
    runtime.copy(X + 1, tensor, first)
    fake.drain()
    second.wait(early)
    with pytest.raises(FakeDeviceViolation, match="race"):
        get(runtime, tensor, second)
    fake.violations.clear()


def test_overwriting_what_another_stream_still_reads_is_a_race(fake):
    runtime = fake.runtime()
    first, second = runtime.new_stream(), runtime.new_stream()
    tensor = put(runtime, X, first)
    second.wait(first.record())
    out = np.empty_like(X)
    runtime.copy(tensor, out, second)
    fake.drain()
    runtime.copy(X + 1, tensor, first)
    with pytest.raises(FakeDeviceViolation, match=r"race: copy_h2d .* read by copy_d2h"):
        first.synchronize()
    second.synchronize()
    fake.violations.clear()


def test_two_streams_may_use_disjoint_parts_of_one_buffer(fake):
    runtime = fake.runtime()
    streams = [runtime.new_stream(), runtime.new_stream()]
    whole = new(runtime, ElementType.FLOAT, (16,))
    for index, stream in enumerate(streams):
        part = type(whole)(ElementType.FLOAT, (8,), whole.buffer, 32 * index)
        runtime.copy(X + index, part, stream)
    for stream in streams:
        stream.synchronize()
    assert np.array_equal(get(runtime, whole), np.concatenate([X, X + 1]))


def test_what_the_host_waited_for_needs_no_event(fake):
    runtime = fake.runtime()
    first, second = runtime.new_stream(), runtime.new_stream()
    tensor = put(runtime, X, first)
    first.record().wait_host()
    assert np.array_equal(get(runtime, tensor, second), X)


def test_work_queued_before_the_host_waited_is_not_excused_by_the_wait(fake):
    runtime = fake.runtime()
    first, second = runtime.new_stream(), runtime.new_stream()
    gate = runtime.new_stream()
    fake.delay = (0.03, 0.03)
    blocker = put(runtime, X, gate)
    second.wait(gate.record())
    tensor = put(runtime, X, first)
    out = np.empty_like(X)
    runtime.copy(tensor, out, second)
    first.synchronize()
    with pytest.raises(FakeDeviceViolation, match="race"):
        second.synchronize()
    fake.violations.clear()
    del blocker


def test_a_synchronous_write_under_queued_work_is_a_race(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    tensor = put(runtime, X)
    fake.delay = (0.1, 0.1)
    out = np.empty_like(X)
    runtime.copy(tensor, out, stream)
    fake.delay = (0.0, 0.0)
    runtime.copy(X + 1, tensor)
    with pytest.raises(FakeDeviceViolation, match="race"):
        stream.synchronize()
    fake.violations.clear()


def test_changing_a_host_array_while_its_copy_is_queued_is_a_violation(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    fake.delay = (0.1, 0.1)
    array = X.copy()
    tensor = put(runtime, array, stream)
    array += 1
    with pytest.raises(FakeDeviceViolation, match="host memory changed"):
        stream.synchronize()
    with pytest.raises(EPFail, match="data that a failed step did not write: host memory changed"):
        get(runtime, tensor)
    fake.violations.clear()


def test_a_failed_copy_does_not_leave_its_host_range_behind(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    fake.fail("copy_h2d")
    array = X.copy()
    tensor = put(runtime, array, stream)
    with pytest.raises(EPFail, match="simulated"):
        get(runtime, tensor, stream)
    assert not fake._machine.pending_host


def test_a_stream_ends_its_thread_when_it_is_collected(fake):
    before = threading.active_count()
    runtime = fake.runtime()
    stream = runtime.new_stream()
    assert threading.active_count() == before
    tensor = put(runtime, X, stream)
    assert threading.active_count() == before + 1
    stream.synchronize()
    del stream
    gc.collect()
    fake.drain()
    deadline = time.monotonic() + 5
    while fake.live_streams and time.monotonic() < deadline:
        time.sleep(0.001)
    assert fake.live_streams == 0
    assert np.array_equal(get(runtime, tensor), X)
    del tensor
    fake.check_no_leaks()


def test_a_closed_stream_finishes_its_queue_and_takes_no_more_work(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    fake.delay = (0.005, 0.005)
    tensor = put(runtime, X, stream)
    out = np.empty_like(X)
    runtime.copy(tensor, out, stream)
    stream.close()
    assert np.array_equal(out, X)
    with pytest.raises(EPFail, match="was closed"):
        stream.record()


def test_streams_have_handles_that_differ(fake):
    streams = [fake.runtime(i % 2).new_stream() for i in range(4)]
    assert len({s.handle for s in streams}) == 4
    assert all(s.handle > 0 for s in streams)


def test_events_of_another_provider_are_refused(fake):
    other = FakeDeviceControl(delay=(0.0, 0.0))
    stream = other.runtime().new_stream()
    event = stream.record()
    with pytest.raises(InvalidArgument, match="its own provider"):
        fake.runtime().new_stream().wait(event)
    stream.close()
    other.close()


def test_many_threads_with_a_stream_each_get_their_own_results(fake):
    runtime = fake.runtime()
    fake.delay = (0.0, 100e-6)
    errors = []

    def work(number):
        try:
            stream = runtime.new_stream()
            for i in range(20):
                array = X + number * 100 + i
                tensor = put(runtime, array, stream)
                twin = new(runtime, ElementType.FLOAT, X.shape, stream)
                runtime.copy(tensor, twin, stream)
                del tensor
                np.testing.assert_array_equal(get(runtime, twin, stream), array)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    fake.check_no_leaks()


def test_delays_repeat_for_a_seed(fake):
    def durations(seed):
        fake.reset(seed)
        runtime = fake.runtime()
        stream = runtime.new_stream()
        worker = stream.worker
        put(runtime, X, stream)
        stream.synchronize()
        return [worker._rng.random() for _ in range(3)]

    first, again, other = durations(1), durations(1), durations(2)
    assert first == again != other
