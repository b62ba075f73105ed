"""Memory: what is allocated is usable, counted and given back; runs keep nothing."""

from __future__ import annotations

import gc
import itertools
import os
import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ort_core.errors import OrtError, OutOfMemory
from ort_core.memory.allocator import DeviceRuntime
from ort_core.ort_value import OrtValue
from ort_core.testing.conformance.contracts.cases import Case, misfits
from ort_core.testing.conformance.contracts.catalogue import each_case
from ort_core.testing.conformance.contracts.checks import check_results
from ort_core.testing.conformance.contracts.claims import open_case
from ort_core.testing.conformance.contracts.device_tensors import get, put
from ort_core.testing.conformance.target import Target

pytestmark = pytest.mark.ort_contract("memory")

ALIGNMENT_BYTES = 16
"""The largest element type's size: what any tensor needs."""

SIZES = (0, 1, 3, 16, 255, 4096, 100_001)
IMPOSSIBLE_BYTES = 1 << 60
BOOKKEEPING_BYTES = 3 << 15
"""What traces and counters may take over `RUNS` runs."""

RUNS = 30
ROUNDS = 3
"""What is kept once, or freed late by another thread, does not come again in each round of runs."""


def _in_use(runtime: DeviceRuntime, at_most: int | None = None) -> int:
    """Bytes in use, after a garbage collection if they are more than `at_most`."""
    if at_most is None or runtime.stats().in_use_bytes > at_most:
        gc.collect()
    return runtime.stats().in_use_bytes


@pytest.mark.parametrize("streamed", [False, True])
def test_allocations(runtime: DeviceRuntime, streamed: bool) -> None:
    """Buffers are large enough, aligned, on the device, and do not overlap."""
    stream = runtime.new_stream() if streamed else None
    buffers = [runtime.allocate(size, stream) for size in SIZES * 3]
    for size, buffer in zip(SIZES * 3, buffers, strict=True):
        assert buffer.nbytes >= size
        assert buffer.device == runtime.device
        assert buffer.ptr % ALIGNMENT_BYTES == 0, f"a buffer of {size} bytes is at {buffer.ptr:#x}"
    ranges = sorted((buffer.ptr, buffer.ptr + size) for size, buffer in zip(SIZES * 3, buffers, strict=True) if size)
    for (_, end), (start, _) in itertools.pairwise(ranges):
        assert end <= start, "two buffers overlap"


def test_statistics(runtime: DeviceRuntime) -> None:
    """Statistics count what is allocated, and what is dropped."""
    before = _in_use(runtime)
    count = runtime.stats().num_allocations
    buffers = [runtime.allocate(10_000) for _ in range(5)]
    stats = runtime.stats()
    assert stats.in_use_bytes >= before + 50_000
    assert stats.peak_in_use_bytes >= stats.in_use_bytes
    assert stats.reserved_bytes >= stats.in_use_bytes
    assert stats.num_allocations >= count + 5
    assert stats.largest_allocation_bytes >= 10_000
    assert stats.limit_bytes is None or stats.in_use_bytes <= stats.limit_bytes
    del buffers
    assert _in_use(runtime, before) == before, "dropped buffers are still in use"
    assert runtime.stats().peak_in_use_bytes >= before + 50_000
    assert runtime.trim() >= 0


def test_out_of_memory(runtime: DeviceRuntime) -> None:
    """An impossible allocation raises OutOfMemory that names the bytes, and leaves the device usable."""
    before = _in_use(runtime)
    with pytest.raises(OutOfMemory, match=str(IMPOSSIBLE_BYTES)):
        runtime.allocate(IMPOSSIBLE_BYTES)
    assert _in_use(runtime) == before
    array = np.arange(10, dtype=np.float32)
    assert np.array_equal(get(runtime, put(runtime, array)), array)


def test_wrapped_memory(runtime: DeviceRuntime) -> None:
    """A buffer over existing memory keeps its owner alive, and does not free it."""
    array = np.arange(10, dtype=np.float32)
    tensor = put(runtime, array)

    class Owner:
        """Holds the tensor."""

    owner = Owner()
    alive = weakref.ref(owner)
    wrapped = runtime.wrap(tensor.ptr, tensor.nbytes, owner)
    assert (wrapped.ptr, wrapped.nbytes, wrapped.device) == (tensor.ptr, tensor.nbytes, runtime.device)
    del owner
    gc.collect()
    assert alive() is not None, "the owner was dropped while its memory is wrapped"
    del wrapped
    gc.collect()
    assert alive() is None, "the owner is kept although nothing wraps its memory"
    assert np.array_equal(get(runtime, tensor), array)


@each_case()
def test_device_memory_comes_back(target: Target, runtime: DeviceRuntime, case: Case) -> None:
    """Sessions and results leave no device memory behind."""
    before = _in_use(runtime)
    with open_case(target, case) as session:
        for seed in range(4):
            feeds = case.feeds(seed)
            values = session.run_with_ort_values(None, {k: OrtValue.ortvalue_from_numpy(v) for k, v in feeds.items()})
            check_results([value.numpy() for value in values], case.expected(feeds), exact=case.exact)
        del values
        after_runs = runtime.stats().in_use_bytes
        for seed in range(4):
            session.run(None, case.feeds(seed))
        assert _in_use(runtime, after_runs) <= after_runs, "runs leave device memory behind"
    del session
    assert _in_use(runtime, before) == before, "a closed session leaves device memory behind"


def test_failed_runs_leave_no_device_memory(target: Target, runtime: DeviceRuntime, sample: Case) -> None:
    """Runs that fail leave no device memory behind."""
    feeds, bad = sample.feeds(1), misfits(sample)
    if bad is None:
        pytest.skip("no inputs of the model misfit each other")
    with open_case(target, sample) as session:
        session.run(None, feeds)
        before = _in_use(runtime)
        for _ in range(3):
            with pytest.raises(OrtError):
                session.run(None, bad)
        assert _in_use(runtime, before) <= before, "failed runs leave device memory behind"


@each_case()
def test_arrays_are_let_go(target: Target, case: Case) -> None:
    """Neither the provider nor the session keeps inputs or results after a run."""
    with open_case(target, case) as session:
        seen: list[weakref.ref[np.ndarray]] = []
        for seed in range(3):
            feeds = case.feeds(seed)
            results = session.run(None, feeds)
            seen.extend(map(weakref.ref, (*feeds.values(), *results)))
        del feeds, results
        if _alive(seen):
            gc.collect()
        assert not _alive(seen), "an array is kept after its run"


def _alive(arrays: list[weakref.ref[np.ndarray]]) -> bool:
    return any(reference() is not None for reference in arrays)


@each_case()
def test_runs_do_not_grow(target: Target, case: Case) -> None:
    """Memory of the process does not grow from run to run."""
    feeds = case.feeds(1, N=2048, M=4)
    nbytes = sum(array.nbytes for array in (*feeds.values(), *case.expected(feeds)))
    allowed = 4 * nbytes + BOOKKEEPING_BYTES
    with open_case(target, case) as session:
        for _ in range(5):
            session.run(None, feeds)
        for _ in range(ROUNDS):
            grown = _grown_bytes(lambda: session.run(None, feeds), allowed)
            if grown < allowed:
                return
    pytest.fail(f"{RUNS} runs on {nbytes} bytes of inputs and results left {grown} bytes behind, again and again")


def _grown_bytes(run: Callable[[], object], allowed: int) -> int:
    tracemalloc.start()
    try:
        for _ in range(RUNS):
            run()
        if tracemalloc.get_traced_memory()[0] >= allowed:
            gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_process_does_not_grow(target: Target, sample: Case) -> None:
    """Memory that Python does not see, of native code, does not grow from run to run either."""
    feeds = sample.feeds(1, N=256, M=512, K=8)
    nbytes = sum(array.nbytes for array in sample.expected(feeds))
    with open_case(target, sample) as session:
        for _ in range(20):
            session.run(None, feeds)
        before = _resident_bytes()
        for _ in range(100):
            session.run(None, feeds)
        grown = _resident_bytes() - before
    assert grown < max(50 * nbytes, 8 << 20), (
        f"100 runs with results of {nbytes} bytes made the process grow by {grown} bytes"
    )


def _resident_bytes() -> int:
    """Memory of this process in RAM; skips the test where the system does not tell."""
    try:
        fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:
        pytest.skip("the system does not tell how much memory the process has")
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")
