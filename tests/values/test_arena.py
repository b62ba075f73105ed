from __future__ import annotations

import gc
import itertools
import os
import random
import threading
import weakref

import numpy as np
import pytest
from fake_runtime import FakeRuntime
from hypothesis import given, settings
from hypothesis import strategies as st

from ort_core.devices import HOST
from ort_core.errors import InvalidArgument, OutOfMemory
from ort_core.memory.arena import BLOCK_BYTES, Arena, ArenaSettings
from ort_core.memory.host import HostRuntime, array_over
from ort_core.memory.memory_info import OrtArenaCfg

KIB, MIB = 1 << 10, 1 << 20


def host_arena(**kwargs):
    return Arena(HostRuntime(), ArenaSettings(**kwargs))


def test_blocks_come_from_one_chunk_and_do_not_overlap():
    arena = host_arena()
    buffers = [arena.allocate(1000) for _ in range(20)]
    spans = sorted((b.ptr, b.ptr + b.nbytes) for b in buffers)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
    assert all(b.ptr % 64 == 0 and b.device == HOST for b in buffers)
    assert arena.stats().num_reserves == 1
    assert arena.stats().reserved_bytes == MIB
    assert arena.stats().in_use_bytes == 20_000


def test_a_freed_block_is_reused():
    arena = host_arena()
    first = arena.allocate(5000)
    ptr = first.ptr
    keep = arena.allocate(100)
    del first
    assert arena.allocate(4900).ptr == ptr
    assert keep.ptr != ptr


def test_best_fit_takes_the_smallest_block_that_is_large_enough():
    arena = host_arena()
    sizes = [8192, 256, 2048, 256, 4096, 256]
    blocks = [arena.allocate(s) for s in sizes]
    wanted = blocks[2].ptr
    for i in (0, 2, 4):
        blocks[i] = None
    assert arena.allocate(1500).ptr == wanted


def test_neighbours_are_merged():
    arena = host_arena(exact=True)
    whole = arena.allocate(3 * 4096)
    start = whole.ptr
    del whole
    parts = [arena.allocate(4096) for _ in range(3)]
    del parts[1], parts[1], parts[0]
    assert arena.allocate(3 * 4096).ptr == start
    assert arena.stats().num_reserves == 1


def test_next_power_of_two_doubles_chunks():
    arena = host_arena(first_chunk_bytes=64 * KIB)
    held = [arena.allocate(64 * KIB) for _ in range(7)]
    assert arena.stats().reserved_bytes == (64 + 128 + 256) * KIB
    held.append(arena.allocate(3 * MIB))
    assert arena.stats().reserved_bytes == (64 + 128 + 256 + 4096) * KIB


def test_same_as_requested_takes_no_more():
    arena = host_arena(exact=True)
    held = [arena.allocate(10_000), arena.allocate(1)]
    assert arena.stats().reserved_bytes == 10_240 + 256
    assert len(held) == 2


def test_requests_beyond_the_largest_chunk_are_not_rounded_up():
    arena = host_arena(max_chunk_bytes=MIB)
    held = arena.allocate(3 * MIB + 1)
    assert arena.stats().reserved_bytes == 3 * MIB + BLOCK_BYTES
    assert held.nbytes == 3 * MIB + 1


@pytest.mark.parametrize(("split_bytes", "chunks"), [(128 * MIB, 2), (4 * KIB, 1)])
def test_a_block_is_split_if_enough_is_left_over(split_bytes, chunks):
    arena = host_arena(exact=True, split_bytes=split_bytes)
    whole = arena.allocate(10 * KIB)
    del whole
    held = arena.allocate(6 * KIB), arena.allocate(4 * KIB)
    assert arena.stats().num_reserves == chunks
    assert held


def test_a_block_of_twice_the_size_is_always_split():
    arena = host_arena(exact=True)
    whole = arena.allocate(8 * KIB)
    del whole
    held = arena.allocate(4 * KIB), arena.allocate(4 * KIB)
    assert arena.stats().num_reserves == 1
    assert held


def test_zero_bytes_are_a_block_of_their_own():
    arena = host_arena()
    a, b = arena.allocate(0), arena.allocate(0)
    assert a.ptr != b.ptr
    assert arena.stats().in_use_bytes == 0


@pytest.mark.parametrize("nbytes", [-1, 1 << 63, 1 << 80])
def test_sizes_that_overflow_are_refused(nbytes):
    with pytest.raises(InvalidArgument, match="not between 0 and"):
        host_arena().allocate(nbytes)


def test_the_cap_is_kept_and_named():
    arena = host_arena(limit_bytes=10 * KIB)
    held = arena.allocate(6 * KIB)
    with pytest.raises(OutOfMemory) as info:
        arena.allocate(5000)
    text = str(info.value)
    assert "5000 bytes on cpu:0" in text
    assert "6144 bytes are in use" in text
    assert "10240 bytes" in text
    del held
    assert arena.allocate(10 * KIB).nbytes == 10 * KIB
    assert arena.stats().limit_bytes == 10 * KIB


def test_the_cap_makes_room_by_dropping_chunks_that_do_not_fit():
    arena = host_arena(limit_bytes=100 * KIB, exact=True)
    parts = [arena.allocate(20 * KIB) for _ in range(5)]
    del parts
    big = arena.allocate(90 * KIB)
    assert arena.stats().reserved_bytes == 90 * KIB
    assert big.nbytes == 90 * KIB


def test_a_chunk_shrinks_to_what_the_device_still_has():
    runtime = FakeRuntime(capacity=100 * KIB)
    arena = Arena(runtime, ArenaSettings(first_chunk_bytes=MIB))
    assert arena.allocate(50 * KIB).nbytes == 50 * KIB
    assert runtime.in_use == 50 * KIB


def test_out_of_memory_of_the_device_is_chained():
    arena = Arena(FakeRuntime(capacity=10 * KIB))
    with pytest.raises(OutOfMemory, match=r"20480 bytes on fake:0.*no cap") as info:
        arena.allocate(20 * KIB)
    assert isinstance(info.value.__cause__, OutOfMemory)


def test_trim_returns_empty_chunks_only():
    runtime = FakeRuntime()
    arena = Arena(runtime, ArenaSettings(first_chunk_bytes=64 * KIB))
    a, b = arena.allocate(64 * KIB), arena.allocate(1000)
    del a
    assert arena.trim() == 64 * KIB
    assert runtime.in_use == 128 * KIB
    del b
    assert arena.trim() == 128 * KIB
    assert runtime.in_use == runtime.live == 0
    assert arena.stats().reserved_bytes == 0


def test_after_a_trim_growth_starts_at_the_regrowth_size():
    arena = host_arena(first_chunk_bytes=64 * KIB, regrowth_chunk_bytes=32 * KIB)
    del_me = arena.allocate(1)
    del del_me
    arena.trim()
    held = arena.allocate(1)
    assert arena.stats().reserved_bytes == 32 * KIB
    assert held


def test_stats_count_what_was_asked_for():
    arena = host_arena()
    a, b = arena.allocate(100), arena.allocate(900)
    del a
    stats = arena.stats()
    assert (stats.in_use_bytes, stats.peak_in_use_bytes, stats.num_allocations) == (900, 1000, 2)
    assert (stats.largest_allocation_bytes, stats.num_reserves) == (900, 1)
    assert stats.as_dict()["limit_bytes"] == 0
    del b


def test_buffers_keep_the_arena_and_the_runtime_alive():
    runtime = FakeRuntime()
    arena = Arena(runtime)
    gone = weakref.ref(arena)
    buffer = arena.allocate(10)
    del arena
    gc.collect()
    assert gone() is not None
    assert runtime.live == 1
    del buffer
    assert gone() is None, "freed by reference counts, without the garbage collector"
    assert runtime.live == 0


def test_array_over_an_arena_block_gives_it_back_with_the_last_view():
    arena = host_arena()
    buffer = arena.allocate(400)
    array = array_over(buffer.ptr, np.dtype("f4"), (10, 10), buffer)
    del buffer
    view = array[3:].T
    del array
    view[...] = 1
    assert arena.stats().in_use_bytes == 400
    del view
    assert arena.stats().in_use_bytes == 0


def test_the_same_stream_reuses_at_once_and_without_waiting():
    runtime = FakeRuntime()
    arena = Arena(runtime)
    stream = runtime.new_stream()
    buffer = arena.allocate(1000, stream)
    stream.submit(lambda: None)
    ptr = buffer.ptr
    del buffer
    assert arena.allocate(1000, stream).ptr == ptr
    assert stream.done == 0
    assert stream.waits == 0


def test_another_stream_waits_for_what_was_queued():
    runtime = FakeRuntime()
    arena = Arena(runtime, ArenaSettings(limit_bytes=4096, exact=True))
    first, second = runtime.new_stream(), runtime.new_stream()
    ran = []
    buffer = arena.allocate(4096, first)
    ptr = buffer.ptr
    first.submit(lambda: ran.append("first"))
    del buffer
    other = arena.allocate(4096, second)
    assert other.ptr == ptr
    second.submit(lambda: ran.append("second"))
    assert ran == []
    second.synchronize()
    assert ran == ["first", "second"]


def test_the_host_waits_for_the_stream_that_used_the_memory():
    runtime = FakeRuntime()
    arena = Arena(runtime, ArenaSettings(limit_bytes=4096, exact=True))
    stream = runtime.new_stream()
    buffer = arena.allocate(4096, stream)
    stream.submit(lambda: None)
    del buffer
    assert arena.allocate(4096).nbytes == 4096
    assert stream.done == 1


def test_untouched_memory_goes_before_memory_of_another_stream():
    runtime = FakeRuntime()
    arena = Arena(runtime)
    first, second = runtime.new_stream(), runtime.new_stream()
    buffer = arena.allocate(1000, first)
    ptr = buffer.ptr
    del buffer
    assert arena.allocate(1000, second).ptr != ptr
    assert second.waits == 0


def test_memory_of_different_streams_is_merged_when_nothing_else_fits():
    runtime = FakeRuntime()
    arena = Arena(runtime, ArenaSettings(limit_bytes=8192, exact=True))
    whole = arena.allocate(8192)
    del whole
    streams = [runtime.new_stream() for _ in range(3)]
    halves = [arena.allocate(4096, s) for s in streams[:2]]
    for s in streams[:2]:
        s.submit(lambda: None)
    del halves
    both = arena.allocate(8192, streams[2])
    assert streams[2].waits == 2
    streams[2].synchronize()
    assert streams[0].done == streams[1].done == 1
    assert both.nbytes == 8192


def test_recorded_streams_are_waited_for():
    runtime = FakeRuntime()
    arena = Arena(runtime, ArenaSettings(limit_bytes=4096, exact=True))
    user, other = runtime.new_stream(), runtime.new_stream()
    buffer = arena.allocate(4096)
    buffer.record_stream(user)
    buffer.record_stream(user)
    user.submit(lambda: None)
    del buffer
    assert arena.allocate(4096, other) is not None
    assert other.waits == 1


def test_trim_waits_for_the_device():
    runtime = FakeRuntime()
    arena = Arena(runtime)
    stream = runtime.new_stream()
    buffer = arena.allocate(10, stream)
    stream.submit(lambda: None)
    del buffer
    assert arena.trim() == MIB
    assert stream.done == 1


def test_a_failed_stream_does_not_break_other_users_of_its_memory():
    def fail():
        raise RuntimeError("kernel failed")

    runtime = FakeRuntime()
    arena = Arena(runtime, ArenaSettings(limit_bytes=4096, exact=True))
    stream = runtime.new_stream()
    buffer = arena.allocate(4096, stream)
    stream.submit(fail)
    del buffer
    assert arena.allocate(4096).nbytes == 4096


def test_other_kinds_of_memory_come_from_the_runtime():
    runtime = FakeRuntime()
    pinned = Arena(runtime, kind="pinned")
    assert pinned.allocate(10, None, "pinned").device.memory == "pinned"
    assert runtime.allocations == [(MIB, "pinned")]
    plain = Arena(runtime)
    assert plain.allocate(10, None, "pinned") is not None
    assert runtime.allocations[-1] == (10, "pinned")


def test_settings_from_an_arena_cfg():
    assert ArenaSettings.from_cfg(None) == ArenaSettings.from_cfg(OrtArenaCfg(0, -1, -1, -1)) == ArenaSettings()
    cfg = OrtArenaCfg(
        {
            "max_mem": 5,
            "arena_extend_strategy": 1,
            "initial_chunk_size_bytes": 7,
            "max_dead_bytes_per_chunk": 8,
            "initial_growth_chunk_size_bytes": 9,
            "max_power_of_two_extend_bytes": 10,
        }
    )
    assert ArenaSettings.from_cfg(cfg) == ArenaSettings(5, True, 7, 9, 10, 8)


@pytest.mark.parametrize("first", [0, 1, 7, 300])
def test_tiny_chunk_sizes_work(first):
    arena = host_arena(first_chunk_bytes=first, regrowth_chunk_bytes=first, max_chunk_bytes=first)
    held = [arena.allocate(n) for n in (1, 255, 257, 5000)]
    assert len({b.ptr for b in held}) == 4


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 40_000), st.integers(0, 2)), max_size=80),
    st.booleans(),
    st.sampled_from([256, 4096, 128 * MIB]),
)
def test_any_sequence_of_requests_keeps_blocks_apart_and_their_contents(steps, exact, split_bytes):
    runtime = HostRuntime()
    arena = Arena(runtime, ArenaSettings(exact=exact, first_chunk_bytes=16 * KIB, split_bytes=split_bytes))
    streams = [None, *(FakeRuntime().new_stream() for _ in range(2))]
    live = []
    for number, (allocate, size, pick) in enumerate(steps):
        if allocate or not live:
            buffer = arena.allocate(size, streams[pick])
            array = array_over(buffer.ptr, np.dtype("u1"), (size,), None)
            array[...] = number % 251
            live.append((buffer, array, number % 251))
        else:
            live.pop(size % len(live))
        assert all((array == mark).all() for _, array, mark in live)
    buffer = array = None
    stats = arena.stats()
    assert stats.in_use_bytes == sum(b.nbytes for b, _, _ in live)
    assert stats.reserved_bytes == runtime.stats().in_use_bytes
    live.clear()
    assert arena.trim() == stats.reserved_bytes
    assert runtime.stats().in_use_bytes == 0


def test_many_threads_never_share_a_block():
    arena = host_arena(limit_bytes=64 * MIB)
    errors = []

    def work(seed):
        rng = random.Random(seed)
        live = []
        try:
            for _ in range(300):
                if live and rng.random() < 0.5:
                    live.pop(rng.randrange(len(live)))
                else:
                    buffer = arena.allocate(rng.randrange(1, 20_000))
                    array = array_over(buffer.ptr, np.dtype("u1"), (buffer.nbytes,), buffer)
                    array[...] = seed
                    live.append(array)
                assert all((a == seed).all() for a in live[-3:])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    assert arena.stats().in_use_bytes == 0
    assert arena.trim() > 0
    assert arena.stats().reserved_bytes == 0


def test_finalizers_that_run_inside_the_allocator_do_not_deadlock():
    arena = host_arena()

    class Cycle:
        def __init__(self):
            self.me = self
            self.buffer = arena.allocate(1000)

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for _ in range(50):
            Cycle()
            arena.stats()
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert arena.stats().in_use_bytes == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_an_arena_works_in_a_forked_child_while_other_threads_use_it():
    arena = host_arena()
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            arena.allocate(1000)

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                buffer = arena.allocate(5000)
                os._exit(0 if buffer.nbytes == 5000 else 1)
            assert os.waitpid(pid, 0)[1] == 0
    finally:
        stop.set()
        thread.join()
