"""Runs other than `run`: with OrtValues, with bindings, asynchronously."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time

import numpy as np
import pytest
from session_models import ADD, PASS_THROUGH, TWO_INPUTS, long_loop

import ort_core as ort
from ort_core.errors import Fail, InvalidArgument

Value = ort.OrtValue.ortvalue_from_numpy


@pytest.fixture
def two():
    with ort.InferenceSession(TWO_INPUTS) as made:
        yield made


@pytest.mark.parametrize("names", [None, [], ["s"], ("d", "s"), ["s", "s"]])
def test_values_in_and_out(two, x, names):
    results = two.run_with_ort_values(names, {"a": Value(x), "b": Value(x + 1)})
    expected = {"s": (x + x + 1).tolist(), "d": (-np.ones((3, 2))).tolist()}
    assert [r.numpy().tolist() for r in results] == [expected[n] for n in names or ("s", "d")]
    assert all(isinstance(r, ort.OrtValue) and r.data_type() == "tensor(float)" for r in results)


def test_values_out_do_not_alias(x):
    with ort.InferenceSession(PASS_THROUGH) as session:
        results = session.run_with_ort_values(None, {"x": Value(x[0])})
        for a, b in itertools.combinations([*(r.numpy() for r in results), x], 2):
            assert not np.shares_memory(a, b)


def test_values_take_plain_arrays_too_and_refuse_what_run_refuses(two, x):
    assert two.run_with_ort_values(["s"], {"a": x, "b": Value(x)})[0].shape() == [3, 2]
    with pytest.raises(InvalidArgument, match="Required inputs"):
        two.run_with_ort_values(None, {"a": Value(x)})
    with pytest.raises(InvalidArgument, match="Invalid output name: z"):
        two.run_with_ort_values(["z"], {"a": Value(x), "b": Value(x)})
    with pytest.raises(TypeError, match="RunOptions"):
        two.run_with_ort_values(None, {"a": Value(x), "b": Value(x)}, 3)


def test_vectors_of_values(two, x):
    feeds, fetches = ort.OrtValueVector(), ort.OrtValueVector()
    feeds.push_back(Value(x))
    feeds.push_back(Value(x + 1))
    two.run_with_ortvaluevector(ort.RunOptions(), ["a", "b"], feeds, ["d", "s"], fetches, [])
    assert [f.numpy().tolist() for f in fetches] == [(-np.ones((3, 2))).tolist(), (x + x + 1).tolist()]
    with pytest.raises(InvalidArgument, match="1 names of inputs and 2 values"):
        two.run_with_ortvaluevector(None, ["a"], feeds, ["d"], fetches, [])


def test_binding_on_the_host(two, x):
    binding = two.io_binding()
    feed = x.copy()
    binding.bind_cpu_input("a", feed)
    binding.bind_ortvalue_input("b", Value(x))
    buffer = np.zeros((3, 2), np.float32)
    binding.bind_ortvalue_output("s", Value(buffer))
    binding.bind_output("d")
    for number in (1, 2):
        feed[:] = number
        two.run_with_iobinding(binding)
        assert buffer.tolist() == np.add(x, number).tolist()
        s, d = binding.copy_outputs_to_cpu()
        assert s.tolist() == np.add(x, number).tolist()
        assert d.tolist() == np.subtract(number, x).tolist()
        assert not np.shares_memory(s, buffer)


def test_binding_to_addresses(two, x):
    result = np.zeros((3, 2), np.float32)
    binding = two.io_binding()
    for name in "ab":
        binding.bind_input(name, "cpu", 0, np.float32, x.shape, x.ctypes.data)
    binding.bind_output("s", "cpu", 0, np.float32, result.shape, result.ctypes.data)
    two.run_with_iobinding(binding, ort.RunOptions())
    assert result.tolist() == (x + x).tolist()


def test_bindings_that_cannot_run_are_refused(two, x):
    binding = two.io_binding()
    with pytest.raises(InvalidArgument, match="At least one output"):
        two.run_with_iobinding(binding)
    binding.bind_output("s")
    with pytest.raises(InvalidArgument, match="Required inputs"):
        two.run_with_iobinding(binding)
    with pytest.raises(InvalidArgument, match="no input 'z'"):
        binding.bind_cpu_input("z", x)
    with pytest.raises(InvalidArgument, match="no output 'z'"):
        binding.bind_output("z")
    with pytest.raises(TypeError, match="takes an IOBinding"):
        two.run_with_iobinding({"a": x})
    with (
        ort.InferenceSession(TWO_INPUTS) as other,
        pytest.raises(ValueError, match="must be used with the session that created it"),
    ):
        other.run_with_iobinding(binding)


def test_binding_goes_on_after_set_providers(two, x):
    binding = two.io_binding()
    for name in "ab":
        binding.bind_cpu_input(name, x)
    binding.bind_output("s")
    two.set_providers()
    two.run_with_iobinding(binding)
    assert binding.copy_outputs_to_cpu()[0].tolist() == (x + x).tolist()


def in_background(session, names, feed, options=None):
    done, heard = threading.Event(), []

    def callback(results, data, error):
        heard.append((results, data, error, threading.current_thread()))
        done.set()

    data = object()
    assert session.run_async(names, feed, callback, data, options) is None
    assert done.wait(30)
    ((results, given, error, thread),) = heard
    assert given is data
    assert thread is not threading.current_thread()
    return results, error


def test_callback_gets_the_results(two, x):
    results, error = in_background(two, None, {"a": x, "b": x})
    assert error == ""
    assert [r.tolist() for r in results] == [(x + x).tolist(), (x - x).tolist()]
    results, error = in_background(two, ["d"], {"a": x, "b": x})
    assert [r.tolist() for r in results] == [(x - x).tolist()]


@pytest.mark.parametrize(
    ("names", "feed", "message"),
    [
        (["z"], {"a": np.ones((1, 2), np.float32), "b": np.ones((1, 2), np.float32)}, "Invalid output name: z"),
        (None, {"a": np.ones((1, 2)), "b": np.ones((1, 2))}, "tensor(double)"),
    ],
)
def test_callback_gets_the_message_of_a_failure(two, names, feed, message):
    results, error = in_background(two, names, feed)
    assert results == []
    assert type(error) is str
    assert message in error


def test_missing_inputs_and_bad_callbacks_are_refused_at_once(two, x):
    with pytest.raises(InvalidArgument, match="Required inputs"):
        two.run_async(None, {"a": x}, print, None)
    with pytest.raises(TypeError, match="callback"):
        two.run_async(None, {"a": x, "b": x}, 3, None)
    with pytest.raises(TypeError, match="input_feed"):
        two.run_async(None, [x], print, None)


def test_feed_may_be_changed_after_the_call(two, x, trouble):
    with ort.InferenceSession(ADD, providers=[trouble.name]) as session:
        entered = trouble.hold_runs()
        done, heard = threading.Event(), []
        feed = {"x": x}
        session.run_async(None, feed, lambda *a: (heard.append(a), done.set()), None)
        feed.clear()
        assert entered.wait(30)
        trouble.go_on.set()
        assert done.wait(30)
        assert heard[0][0][0].tolist() == np.add(x, [1, 2]).tolist()


def test_callback_that_raises_is_logged(two, x, caplog):
    def callback(results, data, error):
        try:
            raise ZeroDivisionError("in the callback")
        finally:
            done.set()

    done = threading.Event()
    two.run_async(None, {"a": x, "b": x}, callback, None)
    assert done.wait(30)
    deadline = time.monotonic() + 10
    while "in the callback" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "in the callback" in caplog.text
    assert caplog.records[-1].levelno == logging.ERROR


def test_many_asynchronous_runs(two):
    done, results = threading.Event(), {}

    def callback(found, data, error):
        results[data] = (found[0][0, 0], error)
        if len(results) == 40:
            done.set()

    for number in range(40):
        a = np.full((2, 2), number, np.float32)
        two.run_async(["s"], {"a": a, "b": a}, callback, number)
    assert done.wait(60)
    assert results == {n: (2 * n, "") for n in range(40)}


def test_terminate_reaches_an_asynchronous_run():
    options = ort.RunOptions()
    with ort.InferenceSession(long_loop()) as session:
        threading.Timer(0.05, setattr, (options, "terminate", True)).start()
        results, error = in_background(session, None, {"n": np.array(1 << 40), "zero": np.array(0)}, options)
    assert results == []
    assert "terminate" in error


def test_await_gives_the_results(two, x):
    async def main():
        return await asyncio.gather(*(two.run_async(["s"], {"a": x + i, "b": x}) for i in range(5)))

    found = asyncio.run(main())
    assert [r[0].tolist() for r in found] == [(x + i + x).tolist() for i in range(5)]


def test_await_raises_the_error(two, x):
    async def main():
        await two.run_async(["z"], {"a": x, "b": x})

    with pytest.raises(InvalidArgument, match="Invalid output name: z"):
        asyncio.run(main())


def test_timeout_terminates_an_awaited_run():
    options = ort.RunOptions()

    async def main(session):
        forever = {"n": np.array(1 << 40), "zero": np.array(0)}
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(session.run_async(None, forever, run_options=options), 0.1)
        assert options.terminate is False
        return await session.run_async(None, {"n": np.array(3), "zero": np.array(0)}, run_options=options)

    with ort.InferenceSession(long_loop()) as session:
        started = time.monotonic()
        assert asyncio.run(main(session))[0].item() == 3
        assert time.monotonic() - started < 10


def test_run_may_be_called_from_a_callback(two, x):
    done, heard = threading.Event(), []

    def callback(results, data, error):
        heard.append(two.run(["d"], {"a": results[0], "b": x})[0].tolist())
        done.set()

    two.run_async(["s"], {"a": x, "b": x}, callback, None)
    assert done.wait(30)
    assert heard == [x.tolist()]


def test_failed_run_does_not_spoil_a_bound_buffer(x):
    with ort.InferenceSession(ADD) as session:
        binding = session.io_binding()
        binding.bind_cpu_input("x", x)
        buffer = Value(np.zeros((2, 2), np.float32))
        binding.bind_ortvalue_output("y", buffer)
        with pytest.raises((InvalidArgument, Fail)):
            session.run_with_iobinding(binding)
        assert buffer.numpy().tolist() == [[0, 0], [0, 0]]
