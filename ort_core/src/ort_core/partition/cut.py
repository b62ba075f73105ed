"""Cutting an assigned graph into convex partitions, in an order in which they can run.

Claims are contracted to units and ordered topologically; as long as a unit of the current provider is ready it comes next.
Runs of units of one provider are contiguous in a topological order and therefore convex. A claim that is not convex, or two
claims that wait for each other, leave no unit ready: the earliest claim on such a cycle is then split into its nodes.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ort_core.ir.graph import Graph, Node, Value, captures
from ort_core.ir.rewrite import clone_node, clone_value
from ort_core.partition.claims import Assignment
from ort_core.providers.spec import Claim, Partition, Provider


class _Unit:
    __slots__ = ("claim", "nodes", "position", "provider", "users", "waits_for")

    def __init__(self, nodes: list[Node], provider: Provider | None, claim: Claim | None, position: int) -> None:
        self.nodes = nodes
        self.provider = provider
        self.claim = claim
        self.position = position
        self.waits_for: set[_Unit] = set()
        self.users: set[_Unit] = set()


class Cut(NamedTuple):
    """A partition with the values of the surrounding graph that it reads and computes, in the partition's order."""

    partition: Partition
    provider: Provider
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]


def cut(graph: Graph, assignment: Assignment, opsets: Mapping[str, int], prefix: str = "") -> list[Cut | Node]:
    """The partitions of `graph`, and the control-flow nodes that the core runs itself, in execution order."""
    items: list[Cut | Node] = []
    for provider, units in itertools.groupby(_ordered(_units(graph, assignment)), key=lambda unit: unit.provider):
        if provider is None:
            items += [node for unit in units for node in unit.nodes]
        else:
            items.append(_make_cut(graph, list(units), provider, opsets, f"{prefix}{len(items)}"))
    return items


def _units(graph: Graph, assignment: Assignment) -> list[_Unit]:
    units: list[_Unit] = []
    by_claim: dict[int, _Unit] = {}
    for position, node in enumerate(graph.nodes):
        provider, claim = assignment.claims.get(node, (None, None))
        unit = by_claim.get(id(claim)) if claim is not None else None
        if unit is None:
            unit = _Unit([], provider, claim, position)
            units.append(unit)
            if claim is not None:
                by_claim[id(claim)] = unit
        unit.nodes.append(node)
    _link(units)
    return units


def _link(units: Sequence[_Unit]) -> None:
    """Fills `waits_for` and `users`; the dependency of a unit on itself through others shows as a cycle."""
    owner = {node: unit for unit in units for node in unit.nodes}
    for unit in units:
        unit.waits_for.clear()
        unit.users.clear()
    for unit in units:
        for node in unit.nodes:
            for value in (*node.inputs, *captures(node)):
                source = owner.get(value.producer) if value is not None and value.producer is not None else None
                if source is not None and source is not unit:
                    unit.waits_for.add(source)
                    source.users.add(unit)


def _ordered(units: list[_Unit]) -> list[_Unit]:
    order: list[_Unit] = []
    done: set[_Unit] = set()
    pending = list(units)
    while pending:
        missing = {unit: len(unit.waits_for - done) for unit in pending}
        ready: dict[int, list[tuple[int, int]]] = {}
        by_position = {unit.position: unit for unit in pending}
        for unit in pending:
            if missing[unit] == 0:
                heapq.heappush(ready.setdefault(id(unit.provider), []), (unit.position, unit.position))
        current = id(order[-1].provider) if order else 0
        while any(ready.values()):
            if not ready.get(current):
                current = min((queue[0], key) for key, queue in ready.items() if queue)[1]
            unit = by_position[heapq.heappop(ready[current])[1]]
            order.append(unit)
            done.add(unit)
            for user in unit.users:
                missing[user] -= 1
                if missing[user] == 0:
                    heapq.heappush(ready.setdefault(id(user.provider), []), (user.position, user.position))
        pending = [unit for unit in pending if unit not in done]
        if pending:
            pending = _split(pending, done)
            _link([*order, *pending])
    return order


def _split(stuck: list[_Unit], done: set[_Unit]) -> list[_Unit]:
    """Splits the earliest claim of several nodes on a cycle; a graph is acyclic, so there is one."""
    unit = stuck[0]
    path: dict[_Unit, int] = {}
    while unit not in path:
        path[unit] = len(path)
        unit = min((u for u in unit.waits_for if u not in done), key=lambda u: u.position)
    cycle = list(path)[path[unit] :]
    unit = min((u for u in cycle if len(u.nodes) > 1), key=lambda u: u.position)
    meta = unit.claim.meta if unit.claim else None
    singles = [
        _Unit([node], unit.provider, Claim((node,), meta), position)
        for position, node in enumerate(unit.nodes, start=unit.position)
    ]
    others = [u for u in stuck if u is not unit]
    result = sorted([*others, *singles], key=lambda u: u.position)
    for position, each in enumerate(result):
        each.position = position
    return result


def _make_cut(graph: Graph, units: Sequence[_Unit], provider: Provider, opsets: Mapping[str, int], name: str) -> Cut:
    nodes = [node for unit in units for node in unit.nodes]
    inside = set(nodes)
    reads: dict[Value, None] = {}
    for node in nodes:
        reads |= dict.fromkeys(v for v in (*node.inputs, *captures(node)) if v is not None)
    inner = Graph(name)
    values: dict[Value, Value] = {}
    inputs = []
    for value in reads:
        if value.producer in inside:
            continue
        if value.is_constant:
            inner.add_initializer(clone_value(value, values))
        else:
            copy = clone_value(value, values)
            copy.const = None
            inputs.append(value)
            inner.add_input(copy)
    copies = {node: inner.add(clone_node(node, values)) for node in nodes}
    outputs = [v for node in nodes for v in node.outputs if v is not None and _leaves(v, graph, inside)]
    interface = dict(zip(graph.outputs, graph.output_names, strict=True))
    for value in outputs:
        inner.add_output(values[value], interface.get(value, value.name))
    claims = tuple(
        Claim(tuple(copies[n] for n in unit.nodes), unit.claim.meta if unit.claim else None) for unit in units
    )
    return Cut(Partition(name, inner, claims, opsets), provider, tuple(inputs), tuple(outputs), tuple(nodes))


def _leaves(value: Value, graph: Graph, inside: set[Node]) -> bool:
    """Whether something outside of the partition uses `value`."""
    return any(_enclosing(use.user, graph) not in inside for use in value.uses)


def _enclosing(user: Node | Graph, graph: Graph) -> Node | None:
    """The node of `graph` that `user` is, or is nested in; None for the graph's own outputs."""
    while True:
        holder = user if isinstance(user, Graph) else user.graph
        if holder is graph:
            return user if isinstance(user, Node) else None
        if holder is None or holder.parent is None:
            return None
        user = holder.parent
