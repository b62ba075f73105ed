"""Many threads on one session, termination at every step, closing while runs are under way, and the cache of plans."""

from __future__ import annotations

import gc
import random
import threading
import time

import numpy as np
import pytest
from core_helpers import DEVICE, NAME, Claimant, X, info, kernels, model, node, plugin_of, registered, session
from onnx import TensorProto, helper
from random_models import random_case

import ort_core as ort
from ort_core.errors import Fail, OrtError
from ort_core.providers.kernel import kernel
from ort_core.run.runnable import MAX_PLANS, Runnable
from ort_core.testing import fake_device

SPLIT = (DEVICE, {"ops": "Add,Mul,Neg,Identity,Not"})


def check(results, expected):
    for got, want in zip(results, expected, strict=True):
        np.testing.assert_array_equal(got, want)


def in_threads(work, count=8):
    """Runs `work(index)` in threads; raises the first exception."""
    failures = []
    start = threading.Barrier(count)

    def body(index):
        try:
            start.wait()
            work(index)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=body, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


def bound_run(opened, case, feeds, rng):
    """A run with outputs bound here and there; returns the results of all outputs."""
    binding = opened.io_binding()
    for name, array in feeds.items():
        if rng.random() < 0.5:
            binding.bind_cpu_input(name, array)
        else:
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, "fake", 0))
    for name in case.outputs:
        binding.bind_output(name, rng.choice(["cpu", "fake"]))
    opened.run_with_iobinding(binding)
    return binding.copy_outputs_to_cpu()


@pytest.mark.parametrize("seed", range(3))
def test_eight_threads_share_a_session_on_device_and_host(seed):
    case = random_case(9000 + seed)
    expected = {k: (case.feeds(k), case.expected(case.feeds(k))) for k in range(6)}
    with fake_device(seed=seed, delay=(0.0, 20e-6)) as control, registered(plugin_of(lambda: Claimant(NAME, seed))):
        with session(case.model, NAME, SPLIT) as opened:

            def work(index, opened=opened):
                rng = random.Random(index)
                for k in range(12):
                    feeds, want = expected[(index + k) % 6]
                    choice = rng.randrange(3)
                    if choice == 0:
                        check(opened.run(None, feeds), want)
                    elif choice == 1:
                        names = rng.sample(case.outputs, rng.randint(1, len(case.outputs)))
                        wanted = [want[case.outputs.index(n)] for n in names]
                        check(opened.run(names, feeds), wanted)
                    else:
                        check(bound_run(opened, case, feeds, rng), want)

            in_threads(work)
        del opened, work
        control.check()
        control.check_no_leaks()


def test_eight_threads_share_a_session_on_the_host():
    case = random_case(9100, nodes=40)
    expected = {k: (case.feeds(k), case.expected(case.feeds(k))) for k in range(4)}
    with registered(plugin_of(lambda: Claimant(NAME, 1))), session(case.model, NAME) as opened:
        in_threads(lambda index: [check(opened.run(None, f), w) for f, w in list(expected.values()) * 8])


def test_closing_a_session_while_others_run_gives_results_or_errors():
    case = random_case(9200, nodes=30)
    feeds, want = case.feeds(0), case.expected(case.feeds(0))
    for round_ in range(4):
        with fake_device(seed=round_, delay=(0.0, 50e-6)) as control:
            opened = session(case.model, SPLIT)

            def work(index, opened=opened):
                if index == 0:
                    time.sleep(0.01)
                    opened.close()
                    return
                for _ in range(20):
                    try:
                        check(opened.run(None, feeds), want)
                    except OrtError as error:
                        assert "closed" in str(error)  # noqa: PT017 - most runs succeed

            in_threads(work, 4)
            del opened, work
            control.check()
            control.check_no_leaks()


# -- termination


def stop_at(n):
    """A kernel that sets the flag of `options` at its n-th call."""
    options = ort.RunOptions()
    calls = [0]

    @kernel("Tick", domain="t")
    def tick(x):
        calls[0] += 1
        if calls[0] == n:
            options.terminate = True
        return x + 1

    return tick, options, calls


def ticking_model():
    """Ticks on the host between sums on the device, in a loop, a branch and outside."""
    tick = lambda a, b: node("Tick", [a], [b], domain="t")  # noqa: E731
    body = helper.make_graph(
        [tick("s", "s1"), node("Add", ["s1", "x"], ["s2"]), tick("s2", "s3"), node("Neg", ["s3"], ["e"])],
        "body",
        [info("i", (), TensorProto.INT64), info("c", (), TensorProto.BOOL), info("s")],
        [info("c", (), TensorProto.BOOL), info("s3"), info("e")],
    )
    then = helper.make_graph([tick("l", "t1"), node("Mul", ["t1", "x"], ["t2"])], "then", [], [info("t2")])
    other = helper.make_graph([node("Identity", ["l"], ["o"])], "else", [], [info("o")])
    nodes = [
        tick("x", "a"),
        node("Add", ["a", "x"], ["b"]),
        node("Loop", ["m", "t", "b"], ["l", "scan"], body=body),
        node("If", ["t"], ["y"], then_branch=then, else_branch=other),
        tick("y", "z"),
    ]
    constants = {"m": np.array(3), "t": np.array(True)}
    return model(nodes, outputs=["y", "z", info("scan", ("n", 3))], constants=constants)


@pytest.mark.parametrize("device", [False, True])
def test_termination_at_any_point_leaves_the_session_usable_and_leaks_nothing(device):
    data = ticking_model()
    providers = [NAME, *([SPLIT] if device else [])]
    with fake_device(delay=(0.0, 20e-6)) as control:
        with kernels(stop_at(0)[0]), session(data, *providers) as opened:
            expected = opened.run(None, {"x": X})
        total = 0
        for n in range(1, 20):
            tick, options, calls = stop_at(n)
            with kernels(tick), session(data, *providers) as opened:
                try:
                    results = opened.run(None, {"x": X}, options)
                except Fail as error:
                    assert "terminate" in str(error)  # noqa: PT017 - the last point comes after the last check
                    assert calls[0] == n
                    total += 1
                else:
                    check(results, expected)
                    del results
                calls[0] = 100
                with pytest.raises(Fail, match="terminate") if options.terminate else pytest.raises(ZeroDivisionError):
                    opened.run(None, {"x": X}, options)
                    _ = 1 / 0
                options.terminate = False
                check(opened.run(None, {"x": X}, options), expected)
            del opened
            gc.collect()
            control.check_no_leaks()
        assert total >= 8


def test_an_endless_loop_without_nodes_can_be_terminated():
    body = helper.make_graph(
        [],
        "body",
        [info("i", (), TensorProto.INT64), info("c", (), TensorProto.BOOL), info("s")],
        [info("c", (), TensorProto.BOOL), info("s")],
    )
    data = model([node("Loop", ["", "t", "x"], ["y"], body=body)], constants={"t": np.array(True)})
    options = ort.RunOptions()
    timer = threading.Timer(0.1, lambda: setattr(options, "terminate", True))
    with session(data) as opened:
        timer.start()
        with pytest.raises(Fail, match="terminate"):
            opened.run(None, {"x": X}, options)
    timer.join()


def test_one_flag_stops_the_runs_of_all_threads():
    data = ticking_model()

    @kernel("Tick", domain="t")
    def tick(x):
        time.sleep(2e-3)
        return x + 1

    options = ort.RunOptions()
    stopped = []
    with fake_device(delay=(0.0, 20e-6)) as control, kernels(tick), session(data, NAME, SPLIT) as opened:
        expected = opened.run(None, {"x": X})

        def work(index):
            if index == 0:
                time.sleep(0.03)
                options.terminate = True
                return
            for _ in range(100):
                try:
                    check(opened.run(None, {"x": X}, options), expected)
                except Fail:
                    stopped.append(index)
                    return

        in_threads(work, 5)
        assert sorted(stopped) == [1, 2, 3, 4]
        check(opened.run(None, {"x": X}), expected)
        control.check()


# -- the cache of plans


@pytest.fixture
def runnables(monkeypatch):
    """What the sessions of a test run on."""
    made = []
    original = Runnable.__init__

    def remember(self, *args):
        original(self, *args)
        made.append(self)

    monkeypatch.setattr(Runnable, "__init__", remember)
    return made


def test_more_combinations_of_outputs_and_devices_than_plans_are_kept(runnables):
    nodes = [node(op, ["x"], [f"y{i}"]) for i, op in enumerate(["Neg", "Abs", "Relu", "Identity", "Neg", "Abs"])]
    data = model(nodes, outputs=[f"y{i}" for i in range(6)])
    want = dict(zip([f"y{i}" for i in range(6)], [-X, np.abs(X), np.maximum(X, 0), X, -X, np.abs(X)], strict=True))
    rng = random.Random(0)
    with fake_device(delay=(0.0, 0.0)) as control, session(data, (DEVICE, {"ops": "Neg,Relu,Identity"})) as opened:
        for _ in range(3 * MAX_PLANS):
            names = rng.choices(list(want), k=rng.randint(1, 6))
            if rng.random() < 0.5:
                check(opened.run(names, {"x": X}), [want[n] for n in names])
                continue
            binding = opened.io_binding()
            binding.bind_ortvalue_input("x", ort.OrtValue.ortvalue_from_numpy(X, "fake", rng.randrange(2)))
            names = list(dict.fromkeys(names))
            for name in names:
                binding.bind_output(name, rng.choice(["cpu", "fake"]), 0)
            opened.run_with_iobinding(binding)
            check(binding.copy_outputs_to_cpu(), [want[n] for n in names])
        assert len(runnables[0]._plans) == MAX_PLANS
        control.check()


def test_threads_may_exceed_the_cache_of_plans_together(runnables):
    outputs = [f"y{i}" for i in range(7)]
    data = model([node("Neg", ["x"], [n]) for n in outputs], outputs=outputs)
    with session(data) as opened:

        def work(index):
            rng = random.Random(index)
            for _ in range(60):
                names = rng.sample(outputs, rng.randint(1, 7))
                check(opened.run(names, {"x": X}), [-X] * len(names))

        in_threads(work)
        assert len(runnables[0]._plans) == MAX_PLANS
