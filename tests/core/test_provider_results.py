"""Compiling and results of providers that keep to the protocol, and of those that do not."""

from __future__ import annotations

import random

import numpy as np
import pytest
from core_helpers import (
    DEVICE,
    NAME,
    REFERENCE,
    Claimant,
    ScriptedProvider,
    X,
    evaluate,
    f32,
    info,
    model,
    node,
    plugin_of,
    registered,
    scripted,
    session,
)
from random_models import random_case

from ort_core.devices import Device
from ort_core.errors import OrtError, RuntimeException
from ort_core.ir.passes import Level, graph_pass
from ort_core.ir.rewrite import replace_uses
from ort_core.ir.types import ElementType
from ort_core.providers.spec import Claim
from ort_core.testing import fake_device
from ort_core.values import DeviceTensor

CHAIN = model([node("Neg", ["x"], ["a"]), node("Abs", ["a"], ["b"]), node("Add", ["b", "x"], ["y"])])
EXPECTED = np.abs(X) + X


def placed(opened):
    return {n.name: n.provider for n in opened.explain().nodes}


# -- compiling


@pytest.mark.parametrize("made", [None, 42, object(), evaluate])
def test_compile_must_return_an_executable(made):
    manager, _ = scripted(compile=lambda partition, ctx: made)
    with manager, pytest.raises(OrtError, match=f"{NAME}.*Neg_a.*{type(made).__name__}, expected an Executable"):
        session(CHAIN, NAME).close()


def test_passes_of_a_provider_see_its_own_partitions_only():
    seen = []

    @graph_pass(Level.BASIC)
    def turn_abs_into_neg(graph, ctx):
        seen.append([n.op_type for n in graph.nodes])
        found = [n for n in graph.nodes if n.op_type == "Abs"]
        for n in found:
            n.op_type = "Neg"
        return bool(found)

    nodes = [
        node("Abs", ["x"], ["a"]),
        node("Relu", ["a"], ["r"]),
        node("Abs", ["r"], ["b"]),
        node("Sqrt", ["b"], ["q"]),
        node("Neg", ["q"], ["y"]),
    ]
    manager, _ = scripted(
        claims=lambda view: [Claim((n,)) for n in view.nodes if n.op_type in ("Relu", "Neg") or n.name == "Abs_b"],
        passes=[turn_abs_into_neg],
    )
    with manager, session(model(nodes), NAME, optimize=True) as opened:
        np.testing.assert_array_equal(opened.run(None, {"x": f32(0, 0, 0)})[0], [0, 0, 0])
        report = placed(opened)
        assert report["Abs_a"] == REFERENCE
        assert report["Abs_b"] == NAME
    assert seen
    assert all(set(types) <= {"Relu", "Neg", "Abs"} and types.count("Abs") <= 1 for types in seen)
    assert not any("Sqrt" in types for types in seen)


def drop_an_output(graph):
    graph._outputs.pop()
    graph.output_names.pop()


def add_an_output(graph):
    graph.add_output(graph.nodes[0].outputs[0], "extra")


def drop_an_input(graph):
    graph.remove_input(graph.inputs[0])


@pytest.mark.parametrize("damage", [drop_an_output, add_an_output, drop_an_input])
def test_a_pass_that_changes_what_a_partition_receives_or_returns_is_refused(damage):
    @graph_pass(Level.BASIC)
    def break_interface(graph, ctx):
        if graph.name != "done":
            graph.name = "done"
            damage(graph)
        return False

    manager, _ = scripted(passes=[break_interface])
    with manager, pytest.raises(OrtError, match=f"{NAME}.*passes left.*expected 1 and 1"):
        session(CHAIN, NAME, optimize=True).close()


def test_a_pass_may_return_an_input_or_one_value_twice():
    @graph_pass(Level.BASIC)
    def forward(graph, ctx):
        changed = False
        for n in graph.nodes:
            if n.op_type == "Identity" and any(v.uses for v in n.outputs):
                replace_uses(n.outputs[0], n.inputs[0])
                changed = True
        return changed

    nodes = [node("Neg", ["x"], ["n"]), *[node("Identity", [s], [o]) for s, o in (("x", "a"), ("n", "b"), ("n", "c"))]]
    manager, _ = scripted(passes=[forward])
    options = {"outputs": ["a", "b", "c", "n"]}
    with manager, session(model(nodes, **options), NAME) as opened:
        x = X.copy()
        for _ in range(2):
            results = opened.run(None, {"x": x})
            for got, want in zip(results, [X, -X, -X, -X], strict=True):
                np.testing.assert_array_equal(got, want)
                got[...] = 9
            np.testing.assert_array_equal(x, X)


# -- results


def generator(ctx, inputs, partition):
    yield inputs[0]


@pytest.mark.parametrize(
    ("run", "text"),
    [
        (lambda ctx, inputs, partition: [], "returned 0 values, expected 1: y"),
        (lambda ctx, inputs, partition: [X, X], "returned 2 values, expected 1"),
        (lambda ctx, inputs, partition: None, "returned None, expected a list"),
        (lambda ctx, inputs, partition: X[:1], r"returned tensor\(float\) \[1\], expected a list"),
        (generator, "returned generator, expected a list"),
        (lambda ctx, inputs, partition: {0: X}, "returned dict|expected a list"),
        (lambda ctx, inputs, partition: [X.astype(np.float64)], r"double.*'y'.*tensor\(float\)"),
        (lambda ctx, inputs, partition: [X.astype(">f4")], r">f4.*'y'"),
        (lambda ctx, inputs, partition: [[1.0, 2.0, 3.0]], "list.*'y'"),
        (lambda ctx, inputs, partition: [1.5], "float.*'y'"),
        (lambda ctx, inputs, partition: [None], "None.*'y'"),
        (lambda ctx, inputs, partition: [X.astype(np.longdouble)], "float128|longdouble"),
        (lambda ctx, inputs, partition: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_wrong_results_name_provider_partition_node_and_both_types(run, text):
    manager, _ = scripted(run)
    with manager, session(CHAIN, NAME) as opened:
        for _ in range(2):
            with pytest.raises(RuntimeException, match=f"{NAME}.*'0'.*Neg_a.*({text})|{NAME}.*'p0'.*Neg_a.*({text})"):
                opened.run(None, {"x": X})


def test_none_for_an_output_of_unknown_type_is_refused():
    manager, _ = scripted(
        lambda ctx, inputs, partition: [None], lambda view: [Claim((n,)) for n in view.nodes if n.domain]
    )
    data = model([node("Op", ["x"], ["u"], domain="t"), node("Neg", ["x"], ["n"]), node("Add", ["u", "n"], ["y"])])
    with manager, session(data, NAME) as opened, pytest.raises(RuntimeException, match=f"{NAME}.*None.*'u'"):
        opened.run(None, {"x": X})


class OnDevice(ScriptedProvider):
    """Claims for device 0 of the fake machine, and returns what `run` says."""

    device = Device("fake", 0)


@pytest.mark.parametrize("place", ["the host", "another device"])
def test_results_must_be_on_the_providers_device(place):
    with fake_device() as control:

        def run(ctx, inputs, partition):
            if place == "the host":
                return [X.copy()]
            other = control.runtime(1)
            return [DeviceTensor(ElementType.FLOAT, (3,), other.allocate(12))]

        provider = OnDevice(run)
        text = f"{NAME}.*on (cpu:0|fake:1).*'y'.*on fake:0"
        with (
            registered(plugin_of(lambda: provider)),
            session(CHAIN, NAME) as opened,
            pytest.raises(RuntimeException, match=text),
        ):
            opened.run(None, {"x": X})


@pytest.mark.parametrize("view", [lambda a: a.T, lambda a: a[::-1], lambda a: np.broadcast_to(a[0], a.shape)])
def test_views_become_dense_before_another_provider_reads_them(view):
    """Also on the way to a device, whose copies take dense arrays only."""
    first = ScriptedProvider(
        lambda ctx, inputs, partition: [view(inputs[0])], lambda v: [Claim((n,)) for n in v.nodes if n.op_type == "Neg"]
    )
    flags = []

    def run(ctx, inputs, partition):
        flags.append(inputs[0].flags.c_contiguous)
        return [inputs[0] + 1]

    second = ScriptedProvider(
        run, lambda v: [Claim((n,)) for n in v.nodes if n.op_type == "Abs"], name="SecondExecutionProvider"
    )
    nodes = [node("Neg", ["x"], ["v"]), node("Abs", ["v"], ["y"]), node("Add", ["v", "v"], ["z"])]
    data = model(nodes, [info("x", (3, 3))], [info("y", (3, 3)), info("z", (3, 3))])
    x = np.arange(9, dtype=np.float32).reshape(3, 3)
    plugins = [plugin_of(lambda: first), plugin_of(lambda: second, second.name)]
    with fake_device(), registered(*plugins), session(data, NAME, second.name, DEVICE) as opened:
        y, z = opened.run(None, {"x": x})
        np.testing.assert_array_equal(y, view(x) + 1)
        np.testing.assert_array_equal(z, 2 * view(x))
    assert flags == [True]


def test_a_result_that_is_an_input_a_constant_or_returned_twice_is_not_shared_with_the_caller():
    nodes = [node("Add", ["x", "c"], ["a"]), node("Neg", ["x"], ["b"]), node("Abs", ["x"], ["d"])]
    data = model(nodes, outputs=["a", "b", "d"], constants={"c": f32(5, 6, 7)})
    kept = f32(8, 8, 8)

    class Provider(ScriptedProvider):
        def compile(self, partition, ctx):
            constant = ctx.constant(partition.constants[0])
            self._run = lambda ctx, inputs, partition: [inputs[0], constant, inputs[0]]
            return super().compile(partition, ctx)

    with registered(plugin_of(Provider)), session(data, NAME) as opened:
        x = X.copy()
        for _ in range(2):
            results = opened.run(None, {"x": x})
            for got, want in zip(results, [X, f32(5, 6, 7), X], strict=True):
                np.testing.assert_array_equal(got, want)
                got[...] = kept
            np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize("seed", range(25))
def test_a_provider_that_fails_at_random_costs_its_own_nodes_only(seed):
    rng = random.Random(seed)
    case = random_case(6000 + seed, nodes=15)
    feeds = case.feeds(seed)

    class Flaky(Claimant):
        def claim(self, view):
            for answer in super().claim(view):
                if rng.random() < 0.02:
                    raise ValueError("claim")
                yield answer

        def compile(self, partition, ctx):
            if rng.random() < 0.1:
                raise MemoryError("compile")
            return super().compile(partition, ctx)

    flaky = Flaky(NAME, seed, 0.7)
    good = plugin_of(lambda: Claimant("GoodExecutionProvider", seed, 0.5), "GoodExecutionProvider")
    manager = registered(plugin_of(lambda: flaky), good)
    with manager, session(case.model, NAME, "GoodExecutionProvider", strict=False) as opened:
        if NAME in opened.get_providers():
            assert opened.provider_status[NAME] == "ok"
        else:
            assert "claim" in opened.provider_status[NAME] or "compile" in opened.provider_status[NAME]
        for got, want in zip(opened.run(None, feeds), case.expected(feeds), strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("seed", range(15))
def test_runs_that_fail_at_random_name_the_provider_and_leave_the_session_usable(seed):
    rng = random.Random(seed)
    case = random_case(7000 + seed, nodes=15)
    feeds = case.feeds(seed)
    expected = case.expected(feeds)

    class Flaky(Claimant):
        def compile(self, partition, ctx):
            executable = super().compile(partition, ctx)
            compute = executable.run

            def run(ctx, inputs):
                if rng.random() < 0.1:
                    raise KeyError("bad luck")
                return compute(ctx, inputs)

            executable.run = run
            return executable

    outcomes = set()
    with fake_device(seed=seed, delay=(0.0, 20e-6)) as control, registered(plugin_of(lambda: Flaky(NAME, seed))):
        with session(case.model, NAME, (DEVICE, {"ops": "Add,Sub,Neg,Identity"})) as opened:
            for _ in range(12):
                try:
                    results = opened.run(None, feeds)
                except RuntimeException as error:
                    text = str(error)
                    assert f"{NAME}: partition" in text
                    assert "bad luck" in text
                    outcomes.add("failed")
                else:
                    for got, want in zip(results, expected, strict=True):
                        np.testing.assert_array_equal(got, want)
                    outcomes.add("worked")
            del opened
        results = None
        control.check()
        control.check_no_leaks()
    assert outcomes
