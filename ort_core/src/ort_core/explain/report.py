"""The placement report behind `session.explain()`: which provider runs each node, and why others declined it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ort_core.build import BuiltModel
from ort_core.partition.claims import Assignment
from ort_core.partition.compile import CompiledGraph, CompiledPartition
from ort_core.plan.plan import CopyStep, ExecutionPlan, RunStep

CORE = "core"
"""Stands for the core itself, which runs control flow that no provider takes whole."""


@dataclass(frozen=True, slots=True)
class NodePlacement:
    """One node: what it is (and was in the file), where it runs, and who declined it."""

    name: str
    op_type: str
    domain: str
    original: str
    provider: str
    partition: str
    scope: str
    declined: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartitionSummary:
    """One partition: its provider, device and size."""

    name: str
    provider: str
    device: str
    nodes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlacementReport:
    """Where everything runs; `str()` is for people, `to_json()` for programs.

    Attributes:
        copies: tensors copied from device to device in one run with inputs and outputs on the host, bodies counted once.
    """

    providers: tuple[str, ...]
    provider_status: dict[str, str]
    partitions: tuple[PartitionSummary, ...]
    nodes: tuple[NodePlacement, ...]
    copies: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def to_json(self, indent: int | None = 2) -> str:
        """The report as JSON."""
        return json.dumps(self.as_dict(), indent=indent)

    def __str__(self) -> str:
        counts = Counter(n.provider for n in self.nodes)
        lines = [f"{len(self.nodes)} nodes in {len(self.partitions)} partitions"]
        lines += [f"  {name}: {count} nodes" for name, count in counts.most_common()]
        lines += [f"  copy {route}: {count} tensors" for route, count in self.copies.items()]
        lines.append("providers")
        lines += [f"  {name}: {status}" for name, status in self.provider_status.items()]
        lines.append("partitions")
        lines += [
            f"  {p.name}: {p.nodes} nodes on {p.provider} ({p.device}), {len(p.inputs)} inputs, {len(p.outputs)} outputs"
            for p in self.partitions
        ]
        lines.append("nodes")
        lines += [_line(node) for node in self.nodes]
        return "\n".join(lines)


def placement_report(built: BuiltModel, providers: Sequence[str], status: Mapping[str, str]) -> PlacementReport:
    """The report of a session."""
    nodes: list[NodePlacement] = []
    partitions: list[PartitionSummary] = []
    _collect(built.compiled, built.assignment, "", nodes, partitions)
    copies: Counter[str] = Counter()
    _count_copies(built.runnable.default_plan, copies)
    return PlacementReport(tuple(providers), dict(status), tuple(partitions), tuple(nodes), dict(copies))


def _collect(
    compiled: CompiledGraph,
    assignment: Assignment,
    scope: str,
    nodes: list[NodePlacement],
    partitions: list[PartitionSummary],
) -> None:
    for item in compiled.items:
        if isinstance(item, CompiledPartition):
            partitions.append(
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
                nodes.append(_placement(node, item.provider.name, item.name, scope, assignment))
                for subgraph in node.subgraphs:
                    inner = f"{scope}{_name(node)}/"
                    nodes.extend(
                        _placement(n, item.provider.name, item.name, inner, assignment) for n in subgraph.walk()
                    )
        else:
            nodes.append(_placement(item.node, CORE, "", scope, assignment))
            for name, body in item.bodies.items():
                _collect(body, assignment, f"{scope}{_name(item.node)}.{name}/", nodes, partitions)


def _placement(node: Any, provider: str, partition: str, scope: str, assignment: Assignment) -> NodePlacement:
    origin = node.origin
    original = "" if origin is None else f"{origin.domain or 'ai.onnx'}::{origin.op_type}-{origin.opset}"
    declined = dict(assignment.declines.get(node, ()))
    declined.pop(provider, None)
    return NodePlacement(
        _name(node), node.op_type, node.domain or "ai.onnx", original, provider, partition, scope, declined
    )


def _name(node: Any) -> str:
    return node.name or next((v.name for v in node.outputs if v is not None), "")


def _line(node: NodePlacement) -> str:
    why = "".join(f"; {name}: {reason}" for name, reason in node.declined.items())
    partition = f" [{node.partition}]" if node.partition else ""
    return f"  {node.scope}{node.name} ({node.domain}::{node.op_type}): {node.provider}{partition}{why}"


def _count_copies(plan: ExecutionPlan, copies: Counter[str]) -> None:
    for step in plan.steps:
        if isinstance(step, CopyStep):
            copies[f"{step.source} -> {step.target}"] += len(step.inputs)
        elif not isinstance(step, RunStep):
            for body in step.bodies:
                _count_copies(body.plan, copies)
