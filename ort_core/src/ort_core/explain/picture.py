"""What is drawn: a report as a tree of bands (partitions), blocks (repeats) and boxes (nodes), without geometry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ort_core.explain.flow import Flow, ValueKey


@dataclass(slots=True, eq=False)
class Box:
    """A node, or nodes that feed each other in a line; a node with bodies has a box of its own."""

    nodes: list[int]
    bodies: list[Stack] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Block:
    """Copies of one part of a band; `items` draws the first."""

    copies: list[list[int]]
    items: list[Item]


Item: TypeAlias = "Box | Block"


@dataclass(slots=True, eq=False)
class Band:
    """A partition, or a control-flow node that the core runs.

    Attributes:
        nodes: hidden ones too.
        nested: whether it is a part of the partition around it, in the body of a node that a provider runs.
    """

    partition: str
    provider: str
    device: str
    nodes: list[int]
    nested: bool
    items: list[Item] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Pill:
    """Inputs, captured values or results of a graph that are shown as one."""

    label: str
    values: list[ValueKey]


@dataclass(slots=True, eq=False)
class Frame:
    """Bands that repeat: `first` to `last` are drawn, `copies` are the nodes of each copy, and each sends `moved`
    tensors to other devices.
    """

    first: int
    last: int
    copies: list[list[int]]
    moved: int


@dataclass(slots=True, eq=False)
class Stack:
    """A graph: bands in order of execution, its inputs above and its results below."""

    scope: str
    sources: list[Pill]
    bands: list[Band]
    frames: list[Frame]
    sinks: list[Pill]

    @property
    def hidden(self) -> dict[int, int]:
        """For each node of a frame's copy that is not drawn, the node that is drawn in its place."""
        return {node: shown for frame in self.frames for node, shown in _stand_ins(frame.copies)}


def drawn(item: Item) -> Iterator[int]:
    """The nodes that are drawn of an item, without those in bodies."""
    if isinstance(item, Box):
        yield from item.nodes
    else:
        for inner in item.items:
            yield from drawn(inner)


def covered(item: Item) -> Iterator[int]:
    """The nodes that an item stands for, without those in bodies."""
    if isinstance(item, Box):
        yield from item.nodes
    else:
        for copy in item.copies:
            yield from copy


def repeats(stack: Stack) -> Iterator[Frame | Block]:
    """Everything that is drawn once for several copies, outer before inner."""
    yield from stack.frames
    pending: list[Item] = [item for band in stack.bands for item in band.items]
    while pending:
        item = pending.pop(0)
        if isinstance(item, Block):
            yield item
            pending[:0] = item.items
        else:
            for body in item.bodies:
                yield from repeats(body)


def stand_ins(report_stack: Stack, flow: Flow) -> dict[int, int]:
    """For each node of a copy that is not drawn, the node that is drawn in its place."""
    found: dict[int, int] = {}
    for repeat in repeats(report_stack):
        for node, shown in _stand_ins(repeat.copies):
            found.update(_with_bodies(node, shown, flow))
    return {node: _follow(node, found) for node in found}


def _stand_ins(copies: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    for copy in copies[1:]:
        yield from zip(copy, copies[0], strict=True)


def _with_bodies(node: int, shown: int, flow: Flow) -> Iterator[tuple[int, int]]:
    yield node, shown
    for body, shown_body in zip(flow.nodes[node].bodies, flow.nodes[shown].bodies, strict=True):
        for inner, shown_inner in zip(flow.members[body], flow.members[shown_body], strict=True):
            yield from _with_bodies(inner, shown_inner, flow)


def _follow(node: int, found: dict[int, int]) -> int:
    while node in found:
        node = found[node]
    return node
