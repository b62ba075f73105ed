"""Order: results belong to the inputs of their run, work follows streams and events, failures end with their run."""

from __future__ import annotations

import numpy as np
import pytest

from ort_core.errors import OrtError
from ort_core.memory.allocator import DeviceRuntime
from ort_core.options import RunOptions
from ort_core.ort_value import OrtValue
from ort_core.run.runnable import DO_NOT_SYNCHRONIZE
from ort_core.testing.conformance.contracts.cases import Case, misfits
from ort_core.testing.conformance.contracts.checks import check_results
from ort_core.testing.conformance.contracts.claims import Claims, open_case
from ort_core.testing.conformance.contracts.device_tensors import get, new_tensor, put
from ort_core.testing.conformance.target import Target

pytestmark = pytest.mark.ort_contract("streams")

RUNS = 20


def _refill(arrays: dict[str, np.ndarray], new: dict[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        array[...] = new[name]


@pytest.mark.parametrize("optimize", [False, True])
def test_inputs_change_as_soon_as_a_run_returns(target: Target, sample: Case, optimize: bool) -> None:
    """Arrays that are refilled right after each run give every run its own results."""
    arrays = sample.feeds(0, N=32, M=65)
    kept = []
    with open_case(target, sample, optimize=optimize) as session:
        for seed in range(RUNS):
            _refill(arrays, sample.feeds(seed, N=32, M=65))
            kept.append(session.run(None, arrays))
    for seed, results in enumerate(kept):
        check_results(results, sample.expected(sample.feeds(seed, N=32, M=65)))


def test_unsynchronised_runs(target: Target, runtime: DeviceRuntime, sample: Case) -> None:
    """Runs that return before the device is done give results that are right once somebody reads them."""
    options = RunOptions()
    options.add_run_config_entry(DO_NOT_SYNCHRONIZE, "1")
    arrays = sample.feeds(0)
    kept = []
    with open_case(target, sample) as session:
        for seed in range(RUNS):
            _refill(arrays, sample.feeds(seed))
            fed = {name: OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()}
            kept.append(session.run_with_ort_values(None, fed, options))
        _refill(arrays, sample.feeds(RUNS))
    for seed, values in enumerate(kept):
        check_results([value.numpy() for value in values], sample.expected(sample.feeds(seed)))


def test_results_feed_the_next_run(target: Target, runtime: DeviceRuntime, sample: Case) -> None:
    """Results that stay on the device are inputs of the next run, without a wait in between."""
    feeds = sample.feeds(1)
    if sample.name != "Chain":
        pytest.skip("the provider claims no chain of nodes")
    options = RunOptions()
    options.add_run_config_entry(DO_NOT_SYNCHRONIZE, "1")
    x, w = (OrtValue.ortvalue_from_numpy(a, runtime.device.type, runtime.device.id) for a in feeds.values())
    expected = feeds["x"]
    with open_case(target, sample) as session:
        for _ in range(RUNS):
            (x,) = session.run_with_ort_values(None, {"x": x, "w": w}, options)
            (expected,) = sample.expected({"x": expected, "w": feeds["w"]})
        assert x.device == runtime.device
        check_results([x.numpy()], [expected])


def test_two_sessions_on_one_device(target: Target, claims: Claims, sample: Case) -> None:
    """Sessions on one device, running in turn and reading each other's results, do not disturb each other."""
    if sample.name != "Chain":
        pytest.skip("the provider claims no chain of nodes")
    with open_case(target, sample) as one, open_case(target, sample, optimize=True) as other:
        for seed in range(RUNS // 2):
            feeds = sample.feeds(seed, N=seed + 1)
            values = {
                k: OrtValue.ortvalue_from_numpy(v, claims.device.type, claims.device.id) for k, v in feeds.items()
            }
            (first,) = one.run_with_ort_values(None, values)
            (second,) = other.run_with_ort_values(None, {"x": first, "w": values["w"]})
            (again,) = one.run(None, feeds)
            (middle,) = sample.expected(feeds)
            check_results([first.numpy(), again], [middle, middle])
            check_results([second.numpy()], sample.expected({"x": middle, "w": feeds["w"]}))


def test_events_order_streams(runtime: DeviceRuntime) -> None:
    """What waits for an event of another stream comes after the work before it."""
    first, second = runtime.new_stream(), runtime.new_stream()
    if first is None or second is None:
        pytest.skip("the device works without streams")
    assert first.handle != second.handle or not first.handle
    for turn in range(RUNS):
        array = np.full((64, 64), turn, np.float32)
        tensor = put(runtime, array, first)
        written = first.record()
        second.wait(written)
        copy = new_tensor(runtime, tensor.element, tensor.shape, second)
        runtime.copy(tensor, copy, second)
        first.wait(second.record())
        runtime.copy(array * 0 - 1, tensor, first)
        result = get(runtime, copy, second)
        first.synchronize()
        assert (result == turn).all(), "the copy did not wait for the event"


def test_events_wait_on_the_host(runtime: DeviceRuntime) -> None:
    """Waiting for an event, or for a stream, waits for all work before it."""
    stream = runtime.new_stream()
    if stream is None:
        pytest.skip("the device works without streams")
    for turn in range(RUNS):
        array = np.full(10_000, turn, np.float32)
        tensor = put(runtime, array, stream)
        result = np.empty_like(array)
        runtime.copy(tensor, result, stream)
        if turn % 2:
            stream.record().wait_host()
        else:
            stream.synchronize()
        assert (result == turn).all(), "the host was told too early"
        array[...] = -1
        stream.synchronize()


def test_memory_is_freed_in_the_order_of_its_stream(runtime: DeviceRuntime) -> None:
    """Memory that is dropped while work on it is queued is not given to others before that work is done."""
    stream = runtime.new_stream()
    arrays = [np.full(5000, turn, np.float32) for turn in range(RUNS)]
    copies = []
    for array in arrays:
        tensor = put(runtime, array, stream)
        copy = new_tensor(runtime, tensor.element, tensor.shape, stream)
        runtime.copy(tensor, copy, stream)
        copies.append(copy)
        del tensor
    for turn, copy in enumerate(copies):
        assert (get(runtime, copy, stream) == turn).all(), "memory was reused too early"


def test_failure_leaves_the_device_usable(target: Target, claims: Claims, sample: Case) -> None:
    """After a run that failed, the session, new sessions and other sessions of the device go on."""
    feeds, bad = sample.feeds(1), misfits(sample)
    if bad is None:
        pytest.skip("no inputs of the model misfit each other")
    with open_case(target, sample) as bystander:
        with open_case(target, sample) as session:
            for _ in range(3):
                with pytest.raises(OrtError):
                    session.run(None, bad)
                check_results(session.run(None, feeds), sample.expected(feeds))
                check_results(bystander.run(None, feeds), sample.expected(feeds))
        with open_case(target, sample) as another:
            check_results(another.run(None, feeds), sample.expected(feeds))
        check_results(bystander.run(None, feeds), sample.expected(feeds))
