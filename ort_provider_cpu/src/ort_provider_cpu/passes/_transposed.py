"""Regions of a graph that compute on transposed tensors and could as well compute on what was transposed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from ort_core.ir.graph import Graph, Node, Value
from ort_provider_cpu.passes._elementwise import POINTWISE
from ort_provider_cpu.passes._match import rank_of

Permutation: TypeAlias = tuple[int, ...]

_WITH_AXIS = {"Softmax": -1, "LogSoftmax": -1, "Concat": 0}


@dataclass(slots=True, eq=False)
class Region:
    """Values that are the same permutation of what could be computed instead.

    Attributes:
        starts: Transposes whose results it begins with.
        nodes: what computes the other values, in topological order.
    """

    permutation: Permutation
    starts: list[Node] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)

    def gain(self) -> int:
        """How many Transposes fewer there are if the region computes on what was transposed."""
        members = set(self.nodes)
        total = 0
        for node in (*self.starts, *self.nodes):
            is_start = node.op_type == "Transpose"
            value = node.outputs[0]
            uses = () if value is None else value.uses
            ends = [use.user for use in uses if use.user not in members]
            total += sum(1 for user in ends if isinstance(user, Node) and cancels(user, self.permutation))
            remains = any(not isinstance(user, Node) or permutation_of(user) is None for user in ends)
            total += int(is_start and not remains) - int(not is_start and remains)
        return total


def permutation_of(node: Node) -> Permutation | None:
    """The permutation of a Transpose of known rank."""
    rank = rank_of(node.inputs[0]) if node.op_type == "Transpose" and not node.domain else None
    if rank is None:
        return None
    perm = tuple(node.attr("perm", tuple(reversed(range(rank)))))
    return perm if sorted(perm) == list(range(rank)) else None


def inverse(permutation: Permutation) -> Permutation:
    """The permutation that undoes it."""
    return tuple(permutation.index(axis) for axis in range(len(permutation)))


def cancels(node: Node, permutation: Permutation) -> bool:
    """Whether the node is a Transpose that undoes the permutation."""
    return permutation_of(node) == inverse(permutation)


def find_regions(graph: Graph) -> list[Region]:
    """All regions, each as large as it can be."""
    region_of: dict[Value, Region] = {}
    merged: dict[Region, Region] = {}
    regions: dict[Region, None] = {}

    def root(region: Region) -> Region:
        while region in merged:
            region = merged[region]
        return region

    for node in graph.nodes:
        result = node.outputs[0] if len(node.outputs) == 1 else None
        if result is None:
            continue
        permutation = permutation_of(node)
        if permutation is not None:
            region = region_of[result] = Region(permutation, [node])
            regions[region] = None
            continue
        found = list(dict.fromkeys(root(region_of[v]) for v in node.inputs if v is not None and v in region_of))
        if (
            not found
            or len({r.permutation for r in found}) > 1
            or not _fits(node, region_of, len(found[0].permutation))
        ):
            continue
        first = max(found, key=lambda r: len(r.nodes) + len(r.starts))
        for other in found:
            if other is not first:
                first.starts += other.starts
                first.nodes += other.nodes
                merged[other] = first
                del regions[other]
        first.nodes.append(node)
        region_of[result] = first
    positions = {node: i for i, node in enumerate(graph.nodes)}
    for region in regions:
        region.nodes.sort(key=positions.__getitem__)
    return [region for region in regions if region.nodes]


def _fits(node: Node, region_of: dict[Value, Region], rank: int) -> bool:
    """Whether the node computes the same, but for the permutation, of operands that were not transposed."""
    if node.domain or any(True for _ in node.subgraphs) or rank_of(node.outputs[0]) != rank:
        return False
    if node.op_type in _WITH_AXIS:
        return all(v in region_of for v in node.inputs if v is not None)
    return node.op_type in POINTWISE and all(_follows(v, region_of, rank) for v in node.inputs if v is not None)


def _follows(value: Value, region_of: dict[Value, Region], rank: int) -> bool:
    own = rank_of(value)
    return value in region_of or own == 0 or (value.is_constant and own is not None and own <= rank)


def moved_axis(node: Node, permutation: Permutation) -> int | None:
    """The axis attribute of the node for operands that were not transposed; None if it has none."""
    if node.op_type not in _WITH_AXIS:
        return None
    axis: int = node.attr("axis", _WITH_AXIS[node.op_type])
    return permutation[axis]


def permuted(dims: Iterable[object], permutation: Permutation) -> tuple[object, ...]:
    """The dimensions of what was transposed, from those of the result."""
    given = tuple(dims)
    return tuple(given[axis] for axis in inverse(permutation))
