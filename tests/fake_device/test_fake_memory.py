from __future__ import annotations

import gc
import os

import numpy as np
import pytest
from fake_device_helpers import get, new, put

from ort_core.devices import Device
from ort_core.errors import EPFail, Fail, InvalidArgument, OutOfMemory
from ort_core.ir.types import ElementType
from ort_core.testing import FakeDeviceViolation
from ort_core.values import DeviceTensor

X = np.arange(8, dtype=np.float32)


def test_the_host_cannot_read_device_memory(fake):
    tensor = put(fake.runtime(), X)
    with pytest.raises(InvalidArgument, match="cannot be read by the host"):
        np.asarray(tensor)
    with pytest.raises(InvalidArgument, match="cannot be read by the host"):
        np.asarray(tensor.buffer)
    assert tensor.device == Device("fake", 0)
    assert tensor.ptr >= 0x7F00_0000_0000


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int64", "bool"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 3), (2, 3)])
def test_copies_there_and_back_keep_every_value(fake, dtype, shape):
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    runtime = fake.runtime()
    result = get(runtime, put(runtime, array))
    assert result.dtype == array.dtype
    assert result.shape == array.shape
    assert np.array_equal(result, array)


def test_reading_fresh_memory_is_a_violation(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    tensor = new(runtime, ElementType.FLOAT, (8,), stream)
    with pytest.raises(FakeDeviceViolation, match="uninitialised: copy_d2h"):
        get(runtime, tensor, stream)
    fake.violations.clear()


def test_fresh_memory_reads_as_poison(fake):
    runtime = fake.runtime()
    out = np.zeros(8, np.uint8)
    with pytest.raises(FakeDeviceViolation):
        runtime.copy(new(runtime, ElementType.UINT8, (8,)), out)
    assert set(out) == {0xCB}
    fake.violations.clear()


def test_reading_beyond_the_written_part_is_a_violation(fake):
    runtime = fake.runtime()
    whole = new(runtime, ElementType.FLOAT, (16,))
    runtime.copy(X, DeviceTensor(ElementType.FLOAT, (8,), whole.buffer, 0))
    assert np.array_equal(get(runtime, DeviceTensor(ElementType.FLOAT, (8,), whole.buffer, 0)), X)
    with pytest.raises(FakeDeviceViolation, match="uninitialised"):
        get(runtime, whole)
    fake.violations.clear()


def test_a_copy_keeps_both_sides_alive_without_a_reference_to_the_buffer(fake):
    import sys

    runtime = fake.runtime()
    stream = runtime.new_stream()
    fake.delay = (0.01, 0.01)
    tensor = put(runtime, X.copy(), stream)
    references = sys.getrefcount(tensor.buffer)
    assert references == 2
    out = np.empty_like(X)
    runtime.copy(tensor, out, stream)
    del tensor
    stream.synchronize()
    assert np.array_equal(out, X)
    fake.check_no_leaks()


def test_memory_is_freed_after_the_work_that_its_stream_has_queued(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    fake.delay = (0.01, 0.01)
    source = put(runtime, X, stream)
    span = runtime.span(source)
    out = np.empty_like(X)
    queue_unheld_read(fake, runtime, stream, source, out)
    del source
    stream.synchronize()
    assert np.array_equal(out, X)
    assert span.block.freed
    assert set(span.block.data) == {0xCB}


def test_use_after_free_is_a_violation(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    source = put(runtime, X, stream)
    span = runtime.span(source)
    del source
    queue_unheld_read(fake, runtime, stream, span, np.empty_like(X))
    with pytest.raises(FakeDeviceViolation, match="use after free: test read on stream"):
        stream.synchronize()
    fake.violations.clear()


def test_freeing_in_one_stream_what_another_uses_is_a_violation(fake):
    runtime = fake.runtime()
    home, other = runtime.new_stream(), runtime.new_stream()
    source = put(runtime, X, home)
    other.wait(home.record())
    queue_unheld_read(fake, runtime, other, source, np.empty_like(X))
    fake.drain()
    del source
    with pytest.raises(FakeDeviceViolation, match=r"freed too early: .* test read"):
        home.synchronize()
    fake.violations.clear()


def test_freeing_is_fine_once_the_home_stream_waits_for_the_user(fake):
    runtime = fake.runtime()
    home, other = runtime.new_stream(), runtime.new_stream()
    fake.delay = (0.005, 0.01)
    source = put(runtime, X, home)
    other.wait(home.record())
    out = np.empty_like(X)
    queue_unheld_read(fake, runtime, other, source, out)
    home.wait(other.record())
    del source
    home.synchronize()
    assert np.array_equal(out, X)


def test_record_stream_delays_the_freeing(fake):
    runtime = fake.runtime()
    home, other = runtime.new_stream(), runtime.new_stream()
    fake.delay = (0.005, 0.01)
    source = put(runtime, X, home)
    other.wait(home.record())
    out = np.empty_like(X)
    source.buffer.record_stream(other)
    queue_unheld_read(fake, runtime, other, source, out)
    del source
    other.synchronize()
    assert np.array_equal(out, X)
    home.synchronize()
    fake.check()


def test_record_stream_works_for_memory_without_a_stream(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    source = put(runtime, X)
    fake.delay = (0.005, 0.01)
    source.buffer.record_stream(stream)
    out = np.empty_like(X)
    queue_unheld_read(fake, runtime, stream, source, out)
    del source
    stream.synchronize()
    assert np.array_equal(out, X)


def test_dropping_memory_without_a_stream_under_queued_work_is_a_violation(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    source = put(runtime, X)
    fake.delay = (0.1, 0.1)
    queue_unheld_read(fake, runtime, stream, source, np.empty_like(X))
    del source
    with pytest.raises(FakeDeviceViolation, match="use after free"):
        stream.synchronize()
    fake.violations.clear()


def test_a_violation_found_while_freeing_is_raised_by_the_next_synchronisation_of_any_stream(fake):
    runtime = fake.runtime()
    stream = runtime.new_stream()
    source = put(runtime, X)
    queue_unheld_read(fake, runtime, stream, source, np.empty_like(X))
    fake.drain()
    del source
    with pytest.raises(FakeDeviceViolation, match="freed too early"):
        runtime.new_stream().synchronize()
    fake.violations.clear()


def test_using_memory_before_its_stream_has_allocated_it_is_a_race(fake):
    runtime = fake.runtime()
    home, other = runtime.new_stream(), runtime.new_stream()
    tensor = new(runtime, ElementType.FLOAT, (8,), home)
    runtime.copy(X, tensor, other)
    with pytest.raises(FakeDeviceViolation, match="written by its allocation"):
        other.synchronize()
    home.synchronize()
    fake.violations.clear()


def test_a_device_to_device_copy_needs_its_target_ordered_too(fake):
    first, second = fake.runtime(0), fake.runtime(1)
    a, b = first.new_stream(), second.new_stream()
    source = put(first, X, a)
    b.wait(a.record())
    target = new(second, ElementType.FLOAT, X.shape, b)
    second.copy(source, target, b)
    a.wait(b.record())
    del source
    assert np.array_equal(get(second, target, b), X)
    a.synchronize()
    assert fake.copies == {"h2d": 1, "d2d": 1, "d2h": 1}
    assert fake.copied_bytes["d2d"] == X.nbytes


def test_the_two_devices_have_memories_of_their_own(fake):
    a, b = put(fake.runtime(0), X), put(fake.runtime(1), X + 1)
    assert (a.device.id, b.device.id) == (0, 1)
    assert fake.runtime(0).stats().in_use_bytes == X.nbytes
    assert a.ptr != b.ptr
    with pytest.raises(InvalidArgument, match="stream of fake:1"):
        fake.runtime(0).allocate(8, fake.runtime(1).new_stream())
    with pytest.raises(Fail, match="no device fake:2"):
        fake.runtime(2)


def test_statistics_count_live_bytes_peak_and_allocations(fake):
    runtime = fake.runtime()
    a, b = runtime.allocate(100), runtime.allocate(50)
    del a
    stats = runtime.stats()
    assert (stats.in_use_bytes, stats.peak_in_use_bytes, stats.num_allocations) == (50, 150, 2)
    assert stats.largest_allocation_bytes == 100
    assert fake.live_bytes == 50
    assert [x.nbytes for x in fake.live_buffers()] == [50]
    del b
    assert runtime.stats().in_use_bytes == 0
    assert runtime.trim() == 0


def test_the_cap_counts_memory_as_free_when_its_buffer_is_collected(fake):
    runtime = fake.runtime()
    fake.set_memory_limit(100)
    stream = runtime.new_stream()
    fake.delay = (0.01, 0.01)
    for _ in range(5):
        tensor = put(runtime, np.zeros(20, np.float32), stream)
        del tensor
    kept = runtime.allocate(60, stream)
    with pytest.raises(OutOfMemory, match=r"cannot allocate 41 bytes: 60 bytes are in use and 100 are allowed"):
        runtime.allocate(41)
    del kept
    runtime.allocate(100)
    stream.synchronize()


def test_host_visible_memory_and_negative_sizes_are_refused(fake):
    with pytest.raises(InvalidArgument, match="pinned"):
        fake.runtime().allocate(8, None, "pinned")
    with pytest.raises(InvalidArgument, match="-1 bytes"):
        fake.runtime().allocate(-1)


def test_wrapped_memory_is_the_owners(fake):
    runtime = fake.runtime()
    tensor = put(runtime, X)
    view = DeviceTensor(ElementType.FLOAT, (4,), runtime.wrap(tensor.ptr + 16, 16, tensor))
    assert view.ptr == tensor.ptr + 16
    del tensor
    gc.collect()
    assert np.array_equal(get(runtime, view), X[4:])
    with pytest.raises(InvalidArgument, match="no allocation"):
        runtime.wrap(0x1000, 8, None)
    del view
    fake.check_no_leaks()


def test_buffers_of_an_allocator_on_top_are_found_by_their_address(fake):
    from ort_core.memory.arena import Arena

    runtime = fake.runtime()
    arena = Arena(runtime)
    stream = arena.new_stream()
    tensors = [DeviceTensor(ElementType.FLOAT, (8,), arena.allocate(32, stream)) for _ in range(3)]
    for i, tensor in enumerate(tensors):
        arena.copy(X + i, tensor, stream)
    for i, tensor in enumerate(tensors):
        assert np.array_equal(get(runtime, tensor, stream), X + i)
    assert len(fake.live_buffers()) == 1


@pytest.mark.parametrize(
    ("source", "target", "match"),
    [
        (np.zeros(3, np.float32), "tensor", "number of elements"),
        (np.zeros(8, np.int32), "tensor", "type"),
        (np.array(["a"] * 8, object), "tensor", "strings"),
        (np.zeros((8, 2), np.float32)[:, 0], "tensor", "contiguous"),
        (np.zeros(8, np.float32), np.zeros(8, np.float32), "both sides"),
        ([1.0] * 8, "tensor", "only tensors"),
    ],
)
def test_copies_that_do_not_fit_are_refused(fake, source, target, match):
    runtime = fake.runtime()
    tensor = put(runtime, X)
    with pytest.raises(InvalidArgument, match=match):
        runtime.copy(source, tensor if isinstance(target, str) else target)


def test_a_tensor_larger_than_its_buffer_is_refused(fake):
    runtime = fake.runtime()
    tensor = DeviceTensor(ElementType.FLOAT, (8,), runtime.allocate(32), 4)
    with pytest.raises(InvalidArgument, match="leaves its buffer"):
        runtime.copy(X, tensor)


def test_a_read_only_host_target_is_refused(fake):
    runtime = fake.runtime()
    out = np.empty(8, np.float32)
    out.flags.writeable = False
    with pytest.raises(InvalidArgument, match="writeable"):
        runtime.copy(put(runtime, X), out)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_told_that_the_device_cannot_be_used(fake):
    runtime = fake.runtime()
    runtime.after_fork()
    read, write = os.pipe()
    tensor = put(runtime, X)
    pid = os.fork()
    if pid == 0:
        try:
            del tensor
            runtime.after_fork()
            text = "no error"
        except EPFail as error:
            text = str(error)
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert "cannot be used in the child" in pipe.read()
    assert os.waitpid(pid, 0)[1] == 0
    assert np.array_equal(get(runtime, tensor), X)


def queue_unheld_read(fake, runtime, stream, source, out):
    """A step that reads memory without keeping it alive, as kernels do."""
    from ort_core.testing.fake.ops import Op, Span

    span = source if isinstance(source, Span) else runtime.span(source)

    def action():
        out.view(np.uint8)[:] = span.block.data[span.low : span.high]

    Op("kernel", "test read", out.nbytes, action, (span,), ()).submit(stream.worker, fake._machine, runtime.device)
