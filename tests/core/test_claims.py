"""Claims of providers that keep to the protocol, and of those that do not."""

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
    f32,
    info,
    model,
    node,
    plugin_of,
    registered,
    scripted,
    session,
)
from onnx import TensorProto, helper
from random_models import random_case

from ort_core.devices import Device
from ort_core.errors import NotImplemented as NoKernel
from ort_core.errors import OrtError
from ort_core.ir.graph import Node, Value
from ort_core.providers.spec import Claim, Decline, Plugin
from ort_core.testing import fake_device
from ort_core.testing.fake.provider import FakeDeviceProvider

CHAIN = model([node("Neg", ["x"], ["a"]), node("Abs", ["a"], ["b"]), node("Add", ["b", "x"], ["y"])])
EXPECTED = np.abs(X) + X


def placed(opened):
    return {n.name: n.provider for n in opened.explain().nodes}


# -- claims


def each_twice(view):
    return [Claim((n,)) for n in (*view.nodes, *view.nodes)]


def one_group_and_one_member(view):
    return [Claim(view.nodes), Claim(view.nodes[:1])]


def a_node_twice_in_one_claim(view):
    return [Claim((view.nodes[0], view.nodes[0]))]


def a_node_of_its_own(view):
    return [Claim((Node("Neg", [], [Value("v")]),))]


def bare_nodes(view):
    return view.nodes


def nothing_at_all(view):
    return None


def half_of_them(view):
    yield Claim(view.nodes[:1])
    raise RuntimeError("cannot read the rest")


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        (each_twice, "Neg_a.*not offered or has claimed before"),
        (one_group_and_one_member, "claimed before"),
        (a_node_twice_in_one_claim, "claimed before"),
        (a_node_of_its_own, "not offered"),
        (bare_nodes, "answered with Node, expected Claim or Decline"),
        (nothing_at_all, "NoneType"),
        (half_of_them, "cannot read the rest"),
    ],
)
def test_claims_against_the_rules_disable_the_provider_with_the_reason(claims, text):
    manager, _ = scripted(claims=claims)
    with manager:
        with pytest.raises(OrtError, match=f"{NAME}.*{text}"):
            session(CHAIN, NAME).close()
        with session(CHAIN, NAME, strict=False) as opened:
            assert set(placed(opened).values()) == {REFERENCE}
            assert NAME not in opened.get_providers()
            np.testing.assert_array_equal(opened.run(None, {"x": X})[0], EXPECTED)


def test_without_a_fallback_the_failed_provider_is_named_all_the_same():
    manager, _ = scripted(claims=half_of_them)
    with manager, pytest.raises(OrtError, match=f"{NAME}.*cannot read the rest"):
        session(CHAIN, NAME, fallback=False).close()


def test_an_empty_claim_and_declines_of_nodes_that_others_have_mean_nothing():
    first = ScriptedProvider(
        claims=lambda view: [Claim(()), Claim(view.nodes[:1]), Decline(view.nodes[1], "too small")]
    )
    seen = {}

    def claims(view):
        seen["nodes"] = [n.name for n in view.nodes]
        return [Decline(n, "no") for n in view.graph.nodes] + [Claim(view.nodes)]

    second = ScriptedProvider(claims=claims, name="SecondExecutionProvider")
    plugins = [plugin_of(lambda: first), plugin_of(lambda: second, second.name)]
    with registered(*plugins), session(CHAIN, NAME, second.name) as opened:
        assert seen["nodes"] == ["Abs_b", "Add_y"]
        report = {n.name: n for n in opened.explain().nodes}
        assert report["Neg_a"].provider == NAME
        assert report["Neg_a"].declined == {}
        assert report["Abs_b"].provider == second.name
        assert report["Abs_b"].declined == {NAME: "too small"}
        np.testing.assert_array_equal(opened.run(None, {"x": X})[0], EXPECTED)


def test_the_listed_order_is_the_priority():
    providers = [ScriptedProvider(name=f"P{i}ExecutionProvider") for i in range(3)]
    plugins = [plugin_of(lambda p=p: p, p.name) for p in providers]
    names = [p.name for p in providers]
    with registered(*plugins):
        for order in (names, names[::-1]):
            with session(CHAIN, *order) as opened:
                assert set(placed(opened).values()) == {order[0]}


def test_meta_comes_back_with_the_nodes_of_the_partition():
    manager, provider = scripted(claims=lambda view: [Claim(view.nodes[:2], "pair"), Claim(view.nodes[2:], "single")])
    with manager, session(CHAIN, NAME):
        (partition,) = provider.partitions
    assert [c.meta for c in partition.claims] == ["pair", "single"]
    assert [n for c in partition.claims for n in c.nodes] == list(partition.graph.nodes)


@pytest.mark.parametrize("seed", range(60))
def test_random_groups_of_three_providers_and_two_devices_give_the_same_results(seed):
    """Groups that are not convex, control flow with parts of its bodies, whole Ifs, functions."""
    rng = random.Random(seed)
    case = random_case(5000 + seed)
    names = [f"P{i}ExecutionProvider" for i in range(3)]
    plugins = [
        plugin_of(lambda n=n, i=i: Claimant(n, seed + i, rng.choice([0.2, 0.6, 1.0])), n) for i, n in enumerate(names)
    ]
    with fake_device(seed=seed, delay=(0.0, 20e-6)) as control, registered(*plugins, SecondDevice(control)):
        order = [*names, DEVICE, SecondDevice.name]
        rng.shuffle(order)
        with session(case.model, *order, optimize=rng.random() < 0.5) as opened:
            for k in range(2):
                feeds = case.feeds(seed + k)
                for got, want in zip(opened.run(None, feeds), case.expected(feeds), strict=True):
                    assert got.dtype == want.dtype
                    np.testing.assert_array_equal(got, want)
            del got
        del opened
        control.check_no_leaks()


class SecondDevice(Plugin):
    """The other device of the fake machine as a provider of its own."""

    name = "SecondDeviceExecutionProvider"
    api = (1, 0)

    def __init__(self, control):
        self._control = control

    def create(self, options, env):
        return FakeDeviceProvider(
            self._control.plugin.runtime(Device("fake", 1)), frozenset({"Add", "Neg", "Identity", "Not"})
        )


def test_a_claim_that_only_waits_for_one_that_is_not_convex_stays_whole():
    """The claims of P are {a1, a2}, between which Q computes b, and {c1, c2}, of which c2 reads a2."""
    nodes = [
        node("Neg", ["x"], ["c1"]),
        node("Neg", ["x"], ["a1"]),
        node("Abs", ["a1"], ["b"]),
        node("Add", ["a1", "b"], ["a2"]),
        node("Add", ["c1", "a2"], ["c2"]),
    ]
    groups = {"Neg_c1": "c", "Add_c2": "c", "Neg_a1": "a", "Add_a2": "a"}

    def claims(view):
        for group in "ca":
            if found := tuple(n for n in view.nodes if groups.get(n.name) == group):
                yield Claim(found, group)

    manager, provider = scripted(claims=claims)
    with manager, session(model(nodes, outputs=["c2"]), NAME) as opened:
        found = [(c.meta, [n.name for n in c.nodes]) for p in provider.partitions for c in p.claims]
        assert sorted(found) == [("a", ["Add_a2"]), ("a", ["Neg_a1"]), ("c", ["Neg_c1", "Add_c2"])]
        np.testing.assert_array_equal(opened.run(None, {"x": X})[0], -X + np.abs(X) - X)


# -- control flow


def if_model(then_nodes, else_nodes, **parts):
    branches = {
        "then_branch": helper.make_graph(then_nodes, "then", [], [info(then_nodes[-1].output[0])]),
        "else_branch": helper.make_graph(else_nodes, "else", [], [info(else_nodes[-1].output[0])]),
    }
    condition = info("b", (), TensorProto.BOOL)
    return model(
        [node("Mul", ["x", "x"], ["s"]), node("If", ["b"], ["y"], **branches)], ["x", condition], ["y"], **parts
    )


BRANCHES = if_model(
    [node("Add", ["s", "x"], ["t0"]), node("Mul", ["t0", "c"], ["t"])],
    [node("Sub", ["s", "c"], ["e0"]), node("Neg", ["e0"], ["e"])],
    constants={"c": f32(2, 3, 4)},
)


def check_branches(opened):
    c = f32(2, 3, 4)
    for b in (True, False):
        want = (X * X + X) * c if b else -(X * X - c)
        np.testing.assert_array_equal(opened.run(None, {"x": X, "b": np.array(b)})[0], want)


def test_an_if_is_taken_whole_with_its_captures_as_inputs_and_constants():
    manager, provider = scripted(claims=lambda view: [Claim(view.nodes, "all")])
    with manager, session(BRANCHES, NAME) as opened:
        (partition,) = provider.partitions
        assert [n.op_type for n in partition.graph.nodes] == ["Mul", "If"]
        assert {v.name for v in partition.graph.inputs} == {"x", "b"}
        assert [v.name for v in partition.constants] == ["c"]
        check_branches(opened)


@pytest.mark.parametrize("left_out", ["Add", "Mul", "Sub", "Neg"])
def test_an_if_of_which_a_body_node_runs_elsewhere_stays_with_the_core(left_out):
    manager, _ = scripted(claims=lambda view: [Claim(tuple(n for n in view.nodes if n.op_type != left_out), 1)])
    with manager, session(BRANCHES, NAME) as opened:
        report = {n.op_type: n for n in opened.explain().nodes}
        assert report["If"].provider == "core"
        assert left_out in report["If"].declined[NAME]
        assert report[left_out].provider == REFERENCE
        check_branches(opened)


def test_bodies_without_nodes_may_be_taken():
    branches = {
        "then_branch": helper.make_graph([], "then", [], [info("s")]),
        "else_branch": helper.make_graph([], "else", [], [info("c")]),
    }
    nodes = [node("Mul", ["x", "x"], ["s"]), node("If", ["b"], ["y"], **branches)]
    data = model(nodes, ["x", info("b", (), TensorProto.BOOL)], constants={"c": f32(2, 3, 4)})
    manager, provider = scripted(claims=lambda view: [Claim(view.nodes)])
    with manager:
        for providers in ([NAME], [REFERENCE]):
            with session(data, *providers) as opened:
                for b, want in ((True, X * X), (False, f32(2, 3, 4))):
                    for _ in range(2):
                        (y,) = opened.run(None, {"x": X, "b": np.array(b)})
                        np.testing.assert_array_equal(y, want)
                        y[...] = 0
    assert provider.partitions


# -- functions


def function_model():
    double = helper.make_function(
        "f", "Double", ["a"], ["r"], [node("Add", ["a", "a"], ["r"])], [helper.make_opsetid("", 21)]
    )
    quad = helper.make_function(
        "f",
        "Quad",
        ["a"],
        ["r"],
        [node("Double", ["a"], ["m"], domain="f"), node("Double", ["m"], ["r"], domain="f")],
        [helper.make_opsetid("", 21), helper.make_opsetid("f", 1)],
    )
    return model([node("Quad", ["x"], ["y"], domain="f")], functions=[double, quad], domains=["f"])


@pytest.mark.parametrize(("wanted", "left"), [("Quad", 1), ("Double", 2), ("Add", 2)])
def test_a_function_is_offered_before_it_is_expanded(wanted, left):
    factors = {"Quad": 4, "Double": 2, "Add": 2}

    def run(ctx, inputs, partition):
        return [inputs[0] * np.float32(factors[wanted] ** len(partition.graph.nodes))]

    manager, provider = scripted(run, lambda view: [Claim((n,)) for n in view.nodes if n.op_type == wanted])
    with manager, session(function_model(), NAME) as opened:
        assert [n.op_type for p in provider.partitions for n in p.graph.nodes] == [wanted] * left
        np.testing.assert_array_equal(opened.run(None, {"x": X})[0], 4 * X)


def test_a_provider_that_fails_does_not_leave_functions_expanded():
    """The next provider is still offered the call that the failing one had claimed."""
    first = ScriptedProvider(compile=lambda partition, ctx: 1 / 0)
    second = ScriptedProvider(
        lambda ctx, inputs, partition: [inputs[0] * 4], lambda view: [Claim(view.nodes)], name="SecondExecutionProvider"
    )
    plugins = [plugin_of(lambda: first), plugin_of(lambda: second, second.name)]
    with registered(*plugins), session(function_model(), NAME, second.name, strict=False) as opened:
        assert [n.op_type for n in opened.explain().nodes] == ["Quad"]
        assert "ZeroDivisionError" in opened.provider_status[NAME]
        np.testing.assert_array_equal(opened.run(None, {"x": X})[0], 4 * X)


def test_no_kernel_at_all_names_every_provider_with_its_reason():
    manager, _ = scripted(claims=lambda view: [Decline(n, "only on Sundays") for n in view.nodes])
    data = model([node("Op", ["x"], ["y"], domain="t")])
    with manager, pytest.raises(NoKernel) as caught:
        session(data, NAME).close()
    for part in ("t::Op", "'Op_y'", NAME, "only on Sundays", REFERENCE):
        assert part in str(caught.value)
