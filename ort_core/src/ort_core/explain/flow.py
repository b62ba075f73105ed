"""What reads what in a report: values found through scopes, and the reads of a node with those of its bodies."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from ort_core.explain.report import GraphSummary, NodePlacement, PlacementReport


class ValueKey(NamedTuple):
    """A value: the scope that it belongs to, and its name."""

    scope: str
    name: str


class Flow:
    """The edges of a report.

    Attributes:
        nodes: the nodes of the report; everywhere else a node is its position here.
        members: the nodes of each scope, in order of execution.
        producer: the node that computes a value.
        reads: for each node the values that it and its bodies read from its own scope or from outside, constants left out.
        pattern: for each node its inputs and captures in order: a value that flows, or a word for a constant or absent one.
        consumers: for each value the nodes of its own scope that read it.
    """

    def __init__(self, report: PlacementReport) -> None:
        self.nodes: tuple[NodePlacement, ...] = report.nodes
        self.graphs: dict[str, GraphSummary] = {g.scope: g for g in report.graphs}
        self._owners = {body: node for node in report.nodes for body in node.bodies}
        self._constants = {ValueKey(g.scope, name) for g in report.graphs for name in g.constants}
        self._results: dict[str, frozenset[ValueKey]] = {}
        self.members: dict[str, list[int]] = defaultdict(list)
        self.producer: dict[ValueKey, int] = {}
        for index, node in enumerate(self.nodes):
            self.members[node.scope].append(index)
            self.producer.update({ValueKey(node.scope, name): index for name in node.outputs if name})
        self.pattern: list[tuple[ValueKey | str, ...]] = [()] * len(self.nodes)
        self.captures: dict[str, tuple[ValueKey, ...]] = {}
        for index in reversed(range(len(self.nodes))):
            node = self.nodes[index]
            for body in node.bodies:
                self.captures[body] = self._captures(body)
            captured = [key for body in node.bodies for key in self.captures[body]]
            inputs = [self._input(node.scope, name) for name in node.inputs]
            self.pattern[index] = (*inputs, *dict.fromkeys(captured))
        self.reads = [
            tuple(dict.fromkeys(key for key in pattern if isinstance(key, ValueKey))) for pattern in self.pattern
        ]
        self.consumers: dict[ValueKey, list[int]] = defaultdict(list)
        for index, keys in enumerate(self.reads):
            for key in keys:
                if key.scope == self.nodes[index].scope:
                    self.consumers[key].append(index)

    def home(self, scope: str, name: str) -> ValueKey:
        """The value that `name` means in a scope."""
        while scope:
            graph = self.graphs.get(scope)
            if graph is not None and name in graph.types:
                return ValueKey(scope, name)
            scope = self._owners[scope].scope if scope in self._owners else ""
        return ValueKey("", name)

    def partition_around(self, scope: str) -> str:
        """The partition of the node that a body belongs to; empty for the main graph and where the core runs that node."""
        return self._owners[scope].partition if scope in self._owners else ""

    def type_of(self, key: ValueKey) -> str:
        """Type and shape of a value."""
        graph = self.graphs.get(key.scope)
        return graph.types.get(key.name, "unknown type") if graph is not None else "unknown type"

    def results(self, scope: str) -> dict[str, ValueKey]:
        """The outputs of a graph by interface name."""
        graph = self.graphs.get(scope)
        return {} if graph is None else {name: self.home(scope, value) for name, value in graph.outputs.items()}

    def outputs(self, node: int) -> list[ValueKey]:
        """The values that a node computes."""
        placed = self.nodes[node]
        return [ValueKey(placed.scope, name) for name in placed.outputs if name]

    def result_keys(self, scope: str) -> frozenset[ValueKey]:
        """The values that a graph returns."""
        known = self._results.get(scope)
        if known is None:
            known = self._results[scope] = frozenset(self.results(scope).values())
        return known

    def _input(self, scope: str, name: str) -> ValueKey | str:
        if not name:
            return "absent"
        key = self.home(scope, name)
        return "constant" if key in self._constants else key

    def _captures(self, scope: str) -> tuple[ValueKey, ...]:
        """The values of outer scopes that a body reads or returns; its nodes come later in the report, so they are known."""
        read = [key for index in self.members[scope] for key in self.pattern[index] if isinstance(key, ValueKey)]
        read += [key for key in self.results(scope).values() if key not in self._constants]
        return tuple(dict.fromkeys(key for key in read if key.scope != scope))
