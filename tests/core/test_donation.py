"""Donated inputs: providers that ruin them must never be noticed."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
from core_helpers import (
    DEVICE,
    NAME,
    REFERENCE,
    Claimant,
    ScriptedProvider,
    X,
    info,
    model,
    node,
    plugin_of,
    registered,
    session,
)
from onnx import TensorProto, helper
from random_models import random_case

from ort_core.ir.types import ElementType
from ort_core.providers.spec import Claim
from ort_core.run.state import is_exclusive
from ort_core.testing import fake_device
from ort_core.values import DeviceTensor


class Scribbler(Claimant):
    """Fills donated inputs with garbage, or returns results in their memory."""

    donations = 0

    def compile(self, partition, ctx):
        executable = super().compile(partition, ctx)
        compute = executable.run

        def run(ctx, inputs):
            donated = [i for i in range(len(inputs)) if ctx.donated(i)]
            self.donations += len(donated)
            results = [np.array(r) for r in compute(ctx, inputs)]
            for i in donated:
                target = inputs[i]
                target.view(np.uint8 if target.ndim else target.dtype)[...] = 0x5B
                for k, result in enumerate(results):
                    if result.shape == target.shape and result.dtype == target.dtype:
                        np.copyto(target, result)
                        results[k] = target
                        break
            return results

        executable.run = run
        return executable


@pytest.mark.parametrize("seed", range(60))
def test_scribbling_over_donated_inputs_changes_no_result(seed):
    check_scribblers(seed)


def test_scribblers_are_given_inputs():
    assert sum(check_scribblers(seed) for seed in range(5)) > 20


def check_scribblers(seed):
    """Runs a random model on providers that scribble; returns how many inputs they were given."""
    rng = random.Random(seed)
    case = random_case(8000 + seed)
    scribblers = [Scribbler(f"P{i}ExecutionProvider", seed + i, 0.5) for i in range(2)]
    plugins = [plugin_of(lambda p=p: p, p.name) for p in scribblers]
    order = [p.name for p in scribblers]
    if rng.random() < 0.5:
        order.append((DEVICE, {"ops": "Add,Mul,Identity,Not,Cast"}))
        rng.shuffle(order)
    optimize = rng.random() < 0.5
    manager = fake_device(seed=seed, delay=(0.0, 20e-6))
    with manager, registered(*plugins), session(case.model, *order, optimize=optimize) as opened:
        results = []
        for k in range(3):
            feeds = case.feeds(seed + k)
            results.append((opened.run(None, feeds), case.expected(feeds)))
            for name, array in case.feeds(seed + k).items():
                np.testing.assert_array_equal(feeds[name], array)
        for outputs, expected in results:
            for got, want in zip(outputs, expected, strict=True):
                np.testing.assert_array_equal(got, want)
    return sum(p.donations for p in scribblers)


def donations(nodes, feeds=None, **parts):
    """Which inputs were donated, by node; every node is a partition of its own."""
    found = {}

    class Single(ScriptedProvider):
        def claim(self, view):
            return [Claim((n,)) for n in view.nodes if self.name == f"{n.name}ExecutionProvider"]

        def compile(self, partition, ctx):
            executable = super().compile(partition, ctx)
            compute = executable.run

            def run(ctx, inputs):
                (only,) = partition.graph.nodes
                found[only.name] = [ctx.donated(i) for i in range(len(inputs))]
                return compute(ctx, inputs)

            executable.run = run
            return executable

    providers = [Single(name=f"{n.name}ExecutionProvider") for n in nodes]
    manager = registered(*[plugin_of(lambda p=p: p, p.name) for p in providers])
    with manager, session(model(nodes, **parts), *[p.name for p in providers]) as opened:
        opened.run(None, feeds or {"x": X})
    return found


def test_what_only_the_next_node_reads_is_donated_and_feeds_and_results_are_not():
    edges = [("Neg", "x", "v0"), ("Abs", "v0", "v1"), ("Neg", "v1", "v2"), ("Neg", "v2", "v3")]
    nodes = [node(op, [source], [target]) for op, source, target in edges]
    assert donations(nodes, outputs=["v2", "v3"]) == {
        "Neg_v0": [False],
        "Abs_v1": [True],
        "Neg_v2": [True],
        "Neg_v3": [False],
    }


def test_what_a_later_node_reads_is_donated_to_the_last_one_only():
    nodes = [
        node("Neg", ["x"], ["v0"]),
        node("Abs", ["v0"], ["v1"]),
        node("Neg", ["v1"], ["v2"]),
        node("Add", ["v2", "v0"], ["v3"]),
    ]
    found = donations(nodes, outputs=["v3"])
    assert found["Abs_v1"] == [False]
    assert found["Add_v3"] == [True, True]


def test_what_shares_memory_with_a_feed_is_not_donated():
    edges = [("Identity", "x", "v0"), ("Abs", "v0", "v1"), ("Transpose", "x", "v2"), ("Abs", "v2", "v3")]
    nodes = [node(op, [source], [target]) for op, source, target in edges]
    x = np.ones((1, 4), np.float32)
    found = donations(nodes, {"x": x}, inputs=[info("x", (1, 4))], outputs=[info("v1", (1, 4)), info("v3", (4, 1))])
    assert found["Abs_v1"] == found["Abs_v3"] == [False]


def test_two_names_for_one_array_are_not_donated():
    """An Identity on the host returns its input."""
    nodes = [
        node("Neg", ["x"], ["v0"]),
        node("Identity", ["v0"], ["v1"]),
        node("Abs", ["v0"], ["v2"]),
        node("Sub", ["v1", "v2"], ["v3"]),
    ]
    found = donations(nodes, outputs=["v3"])
    assert found["Abs_v2"] == [False]


class FakeOwner:
    """Stands for a buffer."""


def test_a_reference_anywhere_else_prevents_donation():
    arguments = [np.zeros(3), np.zeros(3)]
    assert is_exclusive(arguments, 0)
    other = arguments[0]
    assert not is_exclusive(arguments, 0)
    assert is_exclusive(arguments, 1)
    del other
    assert is_exclusive(arguments, 0)
    view = arguments[0][1:]
    assert not is_exclusive(arguments, 0)
    assert not is_exclusive([view], 0)
    del view
    memory = memoryview(arguments[0])
    assert not is_exclusive(arguments, 0)
    memory.release()
    twice = [arguments[1], arguments[1]]
    assert not is_exclusive(twice, 0)


def test_a_device_tensor_is_exclusive_only_with_its_buffer():
    arguments = [DeviceTensor(ElementType.FLOAT, (3,), FakeOwner())]
    assert is_exclusive(arguments, 0)
    reshaped = DeviceTensor(ElementType.FLOAT, (3, 1), arguments[0].buffer)
    assert not is_exclusive(arguments, 0)
    assert not is_exclusive([reshaped], 0)
    del reshaped
    assert is_exclusive(arguments, 0)
    tensor = arguments[0]
    assert not is_exclusive(arguments, 0)
    del tensor
    assert is_exclusive(arguments, 0)


def test_read_only_arrays_lists_and_none_are_never_donated():
    fixed = np.zeros(3)
    fixed.flags.writeable = False
    holder = [fixed, [np.zeros(3)], None, {}]
    del fixed
    assert not any(is_exclusive(holder, i) for i in range(4))


def test_nothing_is_donated_where_reference_counts_tell_nothing(monkeypatch):
    monkeypatch.setattr("ort_core.run.state._COUNTS_ARE_EXACT", False)
    assert not is_exclusive([np.zeros(3)], 0)
    assert sys.version_info >= (3, 10)


def test_carried_values_are_donated_from_the_second_iteration_on():
    counts = []

    def run(ctx, inputs, partition):
        counts.append([ctx.donated(i) for i in range(len(inputs))])
        return [inputs[0] + 1]

    body = helper.make_graph(
        [node("Neg", ["s"], ["n"])],
        "body",
        [info("i", (), TensorProto.INT64), info("c", (), TensorProto.BOOL), info("s")],
        [info("c", (), TensorProto.BOOL), info("n")],
    )
    nodes = [node("Loop", ["m", "t", "x"], ["y"], body=body)]
    data = model(nodes, constants={"m": np.array(4), "t": np.array(True)})
    provider = ScriptedProvider(run, lambda view: [Claim((n,)) for n in view.nodes if n.op_type == "Neg"])
    with registered(plugin_of(lambda: provider)), session(data, NAME, REFERENCE) as opened:
        x = X.copy()
        np.testing.assert_array_equal(opened.run(None, {"x": x})[0], X + 4)
        np.testing.assert_array_equal(x, X)
    assert counts == [[False], [True], [True], [True]]
