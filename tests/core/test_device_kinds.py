"""Two kinds of devices, devices without streams, and how much memory and how many streams a run takes."""

from __future__ import annotations

import gc
import itertools
import random

import numpy as np
import pytest
from core_helpers import DEVICE, NAME, X, info, kernels, model, node, op, registered, session
from onnx import TensorProto, helper
from random_models import random_case

import ort_core as ort
from ort_core.devices import Device
from ort_core.testing import fake_device
from ort_core.testing.fake.machine import Machine
from ort_core.testing.fake.provider import FakeDevicePlugin, FakeDeviceProvider
from ort_core.testing.fake.runtime import FakeRuntime

OTHER = Device("other", 0)


class OtherPlugin(FakeDevicePlugin):
    """A second kind of device, which cannot copy to or from the first."""

    name = "OtherDeviceExecutionProvider"
    api = (1, 0)
    device_types = frozenset({"other"})

    def __init__(self, seed):
        self.machine = Machine(seed, (0.0, 20e-6))
        self.machine.runtimes[OTHER] = FakeRuntime(self.machine, OTHER)

    def create(self, options, env):
        return FakeDeviceProvider(self.runtime(OTHER), frozenset({"Add", "Neg", "Identity", "Less"}))


@pytest.mark.parametrize("seed", range(20))
def test_values_go_from_one_kind_of_device_to_another_through_the_host(seed):
    rng = random.Random(seed)
    case = random_case(20000 + seed)
    other = OtherPlugin(seed)
    order = [OtherPlugin.name, (DEVICE, {"ops": "Add,Mul,Identity,Not,Sub,Cast"})]
    rng.shuffle(order)
    with fake_device(seed=seed, delay=(0.0, 20e-6)) as control, registered(other):
        if seed % 3 == 0:
            control.runtime().new_stream = lambda: None
        with session(case.model, *order, optimize=rng.random() < 0.5) as opened:
            feeds = case.feeds(seed)
            places = rng.choices(["fake", "other", "cpu"], k=len(feeds))
            values = {
                name: ort.OrtValue.ortvalue_from_numpy(array, place, 0)
                for place, (name, array) in zip(places, feeds.items(), strict=True)
            }
            results = [v.numpy() for v in opened.run_with_ort_values(None, values)]
            for got, want in zip(results, case.expected(feeds), strict=True):
                np.testing.assert_array_equal(got, want, strict=True)
            del values
        del opened
        control.check_no_leaks()
        gc.collect()
        assert not other.machine.violations
        assert not other.machine.runtimes[OTHER].live()


@pytest.mark.parametrize("seed", range(10))
def test_a_device_without_streams_works_at_once(seed):
    case = random_case(21000 + seed)
    with fake_device() as control:
        control.runtime().new_stream = lambda: None
        with session(case.model, (DEVICE, {"ops": "Add,Mul,Identity,Not,Sub,Cast"})) as opened:
            feeds = case.feeds(seed)
            for got, want in zip(opened.run(None, feeds), case.expected(feeds), strict=True):
                np.testing.assert_array_equal(got, want, strict=True)
        assert control.live_streams == 0


def long_chain(length):
    """Alternates between device and host."""
    names = ["x", *(f"v{i}" for i in range(length - 1)), "y"]
    edges = itertools.pairwise(names)
    nodes = [node("Add" if i % 2 else "Neg", [a, a][: 1 + i % 2], [b]) for i, (a, b) in enumerate(edges)]
    return model(nodes, [info("x", ("n",))], [info("y", ("n",))])


def test_what_is_not_needed_any_more_is_freed_during_a_run():
    x = np.ones(1024, np.float32)
    with fake_device(memory_limit_bytes=4 * x.nbytes) as control:
        with session(long_chain(40), (DEVICE, {"ops": "Add"})) as opened:
            np.testing.assert_array_equal(opened.run(None, {"x": x})[0], x * 2.0**20)
        assert control.counters["allocations"] > 10


def test_a_loop_needs_no_more_memory_the_longer_it_runs():
    body = helper.make_graph(
        [node("Add", ["s", "one"], ["a"]), node("Abs", ["a"], ["b"]), node("Mul", ["b", "one"], ["n"])],
        "body",
        [info("i", (), TensorProto.INT64), info("c", (), TensorProto.BOOL), info("s", (1024,))],
        [info("c", (), TensorProto.BOOL), info("n", (1024,))],
    )
    one, count = np.ones(1024, np.float32), info("m", (), TensorProto.INT64)
    nodes = [node("Loop", ["m", "t", "x"], ["y"], body=body)]
    data = model(nodes, [info("x", (1024,)), count], [info("y", (1024,))], {"one": one, "t": np.array(True)})
    with fake_device(memory_limit_bytes=8 * one.nbytes), session(data, (DEVICE, {"ops": "Add,Mul"})) as opened:
        np.testing.assert_array_equal(opened.run(None, {"x": one, "m": np.array(200)})[0], 201 * one)


def test_streams_are_used_again():
    with fake_device(delay=(0.0, 0.0)) as control, session(long_chain(10), (DEVICE, {"ops": "Add"})) as opened:
        for _ in range(20):
            opened.run(None, {"x": X})
        assert control.live_streams == 1


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupted_run_leaves_the_session_usable_and_leaks_nothing(interrupt):
    ran = []

    @op
    def f(x):
        ran.append(1)
        if len(ran) == 1:
            raise interrupt
        return x

    nodes = [node("Add", ["x", "x"], ["a"]), node("Op", ["a"], ["b"], domain="t"), node("Add", ["b", "x"], ["y"])]
    with fake_device(delay=(0.0, 1e-3)) as control:
        with kernels(f), session(model(nodes), NAME, DEVICE) as opened:
            with pytest.raises(interrupt):
                opened.run(None, {"x": X})
            np.testing.assert_array_equal(opened.run(None, {"x": X})[0], 3 * X)
        del opened
        control.check()
        control.check_no_leaks()
