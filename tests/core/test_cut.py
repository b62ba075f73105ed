"""Cutting an assigned graph: order, convexity, split claims."""

from collections.abc import Sequence

import pytest

from ort_core.ir.graph import Graph, Node, Value
from ort_core.partition.claims import Assignment
from ort_core.partition.cut import Cut, cut
from ort_core.providers.spec import Claim, Provider


class Stub(Provider):
    def __init__(self, name):
        self.name = name

    def claim(self, view):
        raise NotImplementedError

    def compile(self, partition, ctx):
        raise NotImplementedError


A, B = Stub("A"), Stub("B")


def graph_of(edges: dict[str, Sequence[str]], outputs: Sequence[str]) -> tuple[Graph, dict[str, Node]]:
    """Nodes by name with the names of what they read; `x` is the graph's input."""
    graph = Graph("g")
    values = {"x": graph.add_input(Value("x"))}
    nodes = {}
    for name, inputs in edges.items():
        values[name] = Value(name)
        nodes[name] = graph.add(Node("Op", [values[i] for i in inputs], [values[name]], name=name))
    for name in outputs:
        graph.add_output(values[name])
    return graph, nodes


def assignment_of(nodes: dict[str, Node], claims: Sequence[tuple[Provider, Sequence[str]]]) -> Assignment:
    result = Assignment()
    for provider, names in claims:
        claim = Claim(tuple(nodes[n] for n in names), "+".join(names))
        for name in names:
            result.claims[nodes[name]] = (provider, claim)
    return result


def names(item: Cut) -> list[str]:
    return [n.name for n in item.nodes]


def check_order(items: Sequence[Cut], graph: Graph) -> None:
    """Every partition reads only what earlier ones computed, and all nodes are in exactly one."""
    known = set(graph.inputs)
    for item in items:
        assert set(item.inputs) <= known
        known |= set(item.outputs)
        assert [v.name for v in item.partition.graph.outputs] == [v.name for v in item.outputs]
    assert sorted(n for item in items for n in names(item)) == sorted(n.name for n in graph.nodes)


def test_one_provider_gives_one_partition():
    graph, nodes = graph_of({"a": ["x"], "b": ["a"], "c": ["a", "b"]}, ["c"])
    (item,) = cut(graph, assignment_of(nodes, [(A, [n]) for n in "abc"]), {"": 28})
    assert names(item) == ["a", "b", "c"]
    assert [v.name for v in item.inputs] == ["x"]
    assert [v.name for v in item.outputs] == ["c"]
    assert [c.meta for c in item.partition.claims] == ["a", "b", "c"]


def test_ready_nodes_of_the_current_provider_come_first():
    edges = {"a1": ["x"], "b1": ["a1"], "a2": ["x"], "b2": ["a2"], "a3": ["a2"]}
    graph, nodes = graph_of(edges, ["b1", "b2", "a3"])
    items = cut(graph, assignment_of(nodes, [(A if n[0] == "a" else B, [n]) for n in edges]), {"": 28})
    assert [names(i) for i in items] == [["a1", "a2", "a3"], ["b1", "b2"]]
    check_order(items, graph)


def test_a_claim_that_is_not_convex_is_split():
    graph, nodes = graph_of({"a1": ["x"], "b": ["a1"], "a2": ["a1", "b"]}, ["a2"])
    items = cut(graph, assignment_of(nodes, [(A, ["a1", "a2"]), (B, ["b"])]), {"": 28})
    assert [names(i) for i in items] == [["a1"], ["b"], ["a2"]]
    assert [c.meta for i in items for c in i.partition.claims] == ["a1+a2", "b", "a1+a2"]
    check_order(items, graph)


def test_two_claims_that_wait_for_each_other_are_split():
    edges = {"a1": ["x"], "b2": ["x"], "b1": ["a1"], "a2": ["b2"]}
    graph, nodes = graph_of(edges, ["b1", "a2"])
    items = cut(graph, assignment_of(nodes, [(A, ["a1", "a2"]), (B, ["b2", "b1"])]), {"": 28})
    check_order(items, graph)


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_are_cut_into_an_order_that_can_run(seed):
    import random

    rng = random.Random(seed)
    edges: dict[str, list[str]] = {}
    for i in range(30):
        edges[f"n{i}"] = rng.sample(["x", *edges], min(len(edges) + 1, rng.randint(1, 3)))
    graph, nodes = graph_of(edges, [f"n{i}" for i in range(25, 30)])
    free = list(edges)
    rng.shuffle(free)
    claims = []
    while free:
        size = rng.randint(1, 4)
        claims.append((rng.choice([A, B]), sorted(free[:size], key=lambda n: int(n[1:]))))
        free = free[size:]
    check_order(cut(graph, assignment_of(nodes, claims), {"": 28}), graph)
