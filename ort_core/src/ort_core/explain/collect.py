"""From a built model to its placement report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ort_core.build import BuiltModel
from ort_core.explain.report import CORE, GraphSummary, NodePlacement, PartitionSummary, PlacementReport, TensorCopy
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.shapes import is_static
from ort_core.ir.types import TensorType, ValueType, describe
from ort_core.partition.claims import Assignment
from ort_core.partition.compile import CompiledGraph, CompiledPartition
from ort_core.plan.plan import CopyStep, ExecutionPlan, RunStep


def placement_report(built: BuiltModel, providers: Sequence[str], status: Mapping[str, str]) -> PlacementReport:
    """The report of a session."""
    collector = _Collector(built.assignment)
    collector.add_compiled(built.compiled, "")
    copied: list[TensorCopy] = []
    collector.trace_copies(built.runnable.default_plan, built.compiled.graph, {}, copied)
    return PlacementReport(
        providers=tuple(providers),
        provider_status=dict(status),
        partitions=tuple(collector.partitions),
        nodes=tuple(collector.nodes),
        copies=dict(Counter(f"{c.source} -> {c.target}" for c in copied)),
        model=built.compiled.graph.name,
        graphs=tuple(collector.graphs),
        copied=tuple(copied),
    )


@dataclass(slots=True)
class _Collector:
    assignment: Assignment
    nodes: list[NodePlacement] = field(default_factory=list)
    partitions: list[PartitionSummary] = field(default_factory=list)
    graphs: list[GraphSummary] = field(default_factory=list)
    scopes: dict[Graph, str] = field(default_factory=dict)
    uses: Counter[str] = field(default_factory=Counter)

    def add_compiled(self, compiled: CompiledGraph, scope: str) -> None:
        """A graph that the core runs item by item."""
        self._add_graph(compiled.graph, scope)
        for item in compiled.items:
            if isinstance(item, CompiledPartition):
                self.partitions.append(
                    PartitionSummary(
                        item.name,
                        item.provider.name,
                        str(item.provider.device),
                        len(item.nodes),
                        tuple(v.name for v in item.inputs),
                        tuple(v.name for v in item.outputs),
                    )
                )
                for node in item.nodes:
                    self._add_owned(node, item, scope)
            else:
                self._add_node(item.node, CORE, "", scope)
                for name, graph in _bodies(item.node):
                    self.add_compiled(item.bodies[name], self.scopes[graph])

    def _add_owned(self, node: Node, owner: CompiledPartition, scope: str) -> None:
        """A node that a provider runs, with all its bodies."""
        self._add_node(node, owner.provider.name, owner.name, scope)
        for body in node.subgraphs:
            self._add_graph(body, self.scopes[body])
            for inner in body.nodes:
                self._add_owned(inner, owner, self.scopes[body])

    def _add_graph(self, graph: Graph, scope: str) -> None:
        values = {*graph.inputs, *graph.initializers.values()}
        values |= {v for node in graph.nodes for v in node.outputs if v is not None}
        self.graphs.append(
            GraphSummary(
                scope,
                tuple(v.name for v in graph.inputs),
                {name: value.name for name, value in zip(graph.output_names, graph.outputs, strict=True)},
                {v.name: describe(v.type) for v in sorted(values, key=lambda v: v.name)},
                tuple(v.name for v in graph.initializers.values() if not graph.is_input(v)),
            )
        )

    def _add_node(self, node: Node, provider: str, partition: str, scope: str) -> None:
        name = node.name or next((v.name for v in node.outputs if v is not None), "")
        origin = node.origin
        declined = dict(self.assignment.declines.get(node, ()))
        declined.pop(provider, None)
        for attribute, body in _bodies(node):
            self.scopes[body] = self._free_scope(f"{scope}{name}.{attribute}")
        self.nodes.append(
            NodePlacement(
                name=name,
                op_type=node.op_type,
                domain=node.domain or "ai.onnx",
                original="" if origin is None else f"{origin.domain or 'ai.onnx'}::{origin.op_type}-{origin.opset}",
                provider=provider,
                partition=partition,
                scope=scope,
                declined=declined,
                inputs=tuple("" if v is None else v.name for v in node.inputs),
                outputs=tuple("" if v is None else v.name for v in node.outputs),
                bodies=tuple(self.scopes[body] for _, body in _bodies(node)),
            )
        )

    def _free_scope(self, base: str) -> str:
        """Names of nodes may repeat, scopes must not."""
        self.uses[base] += 1
        return f"{base}/" if self.uses[base] == 1 else f"{base}#{self.uses[base]}/"

    def trace_copies(
        self, plan: ExecutionPlan, graph: Graph, captured: Mapping[int, Value], found: list[TensorCopy]
    ) -> None:
        """Follows the values through the slots of a plan and records those that are copied."""
        values: dict[int, Value | None] = {**dict(enumerate(graph.inputs)), **captured}
        by_name = {v.name: v for node in graph.nodes for v in node.outputs if v is not None}
        for step in plan.steps:
            if isinstance(step, RunStep):
                values.update((slot, by_name.get(n)) for slot, n in zip(step.outputs, step.output_names, strict=True))
            elif isinstance(step, CopyStep):
                for source, target in zip(step.inputs, step.outputs, strict=True):
                    value = values[target] = values.get(source)
                    name, size = ("", None) if value is None else (value.name, _size_bytes(value.type))
                    found.append(TensorCopy(self.scopes.get(graph, ""), name, str(step.source), str(step.target), size))
            else:
                for (_, body), inner in zip(_bodies(step.node), step.bodies, strict=True):
                    outer = {
                        slot: value
                        for slot, there in zip(inner.plan.captures, inner.captures, strict=True)
                        if (value := values.get(there)) is not None
                    }
                    self.trace_copies(inner.plan, body, outer, found)
                values.update(zip(step.outputs, step.node.outputs, strict=False))


def _bodies(node: Node) -> list[tuple[str, Graph]]:
    """The graphs among the attributes, by attribute name; of If, as in its plan, `then_branch` first."""
    found = [
        (name, body)
        for name, attribute in node.attributes.items()
        for body in (attribute.value if isinstance(attribute.value, tuple) else (attribute.value,))
        if isinstance(body, Graph)
    ]
    return sorted(found, key=lambda entry: entry[0] != "then_branch")


def _size_bytes(type_: ValueType | None) -> int | None:
    if (
        not isinstance(type_, TensorType)
        or type_.shape is None
        or not is_static(type_.shape)
        or type_.element.bits == 0
    ):
        return None
    return math.prod(d for d in type_.shape if isinstance(d, int)) * type_.element.dtype.itemsize
