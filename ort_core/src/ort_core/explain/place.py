"""Geometry of the inside of bands: boxes, blocks and the wires between them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from ort_core.explain.flow import Flow, ValueKey
from ort_core.explain.layout import Point, Wire, arrange
from ort_core.explain.markup import TIMES, short_name, shorten, text_width
from ort_core.explain.picture import Band, Block, Box, Frame, Item, Pill, Stack, covered
from ort_core.explain.report import CORE, NodePlacement, TensorCopy

ROW = 18.0
PAD = 10.0
HEADER = 22.0
REASON_HEIGHT = 16.0
MAX_ROWS = 14
"""A longer line of nodes shows its first and last rows."""
PORT = 6.0


@dataclass(slots=True, eq=False)
class Edge:
    """A wire to one target, with the values that go along it and the copies that this causes."""

    points: list[Point]
    values: list[ValueKey]
    copies: list[TensorCopy] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Placed:
    """Something drawn, with its place in what holds it. Children and edges are relative to its own corner.

    Attributes:
        entries: where values from outside come in, by key of their source.
        leave: where values go out.
    """

    what: Box | Block | Band | Pill | Frame | Stack
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0
    children: list[Placed] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    entries: dict[Hashable, float] = field(default_factory=dict)
    leave: float | None = None


Outer: TypeAlias = Callable[[ValueKey], Hashable]
"""The source of a value that comes from outside of a container."""
Leaves: TypeAlias = Callable[[int], bool]
"""Whether something outside of a container reads what a node computes."""


class _Port(NamedTuple):
    """Where the values of one outer source come in."""

    source: Hashable


_EXIT = _Port("exit")
_Cell: TypeAlias = "int | _Port"
"""In a container: an item by its position, or a port."""


@dataclass(slots=True)
class Interior:
    """Places items in a container; `stack` places the bodies of control flow."""

    flow: Flow
    stack: Callable[[Stack], Placed]

    def fill(
        self,
        holder: Placed,
        items: Sequence[Item],
        outer: Outer,
        leaves: Leaves,
        top: float,
        port_width: Callable[[Hashable], float] = lambda source: PORT,
    ) -> Placed:
        """Gives `holder` its children, edges and size.

        Args:
            top: the height of its header.
            port_width: the room for a label where the values of a source come in.
        """
        item_of = {node: number for number, item in enumerate(items) for node in covered(item)}

        def source_of(key: ValueKey) -> _Cell:
            inner = item_of.get(self.flow.producer.get(key, -1))
            return _Port(outer(key)) if inner is None else inner

        wiring = self._wiring(items, source_of, leaves)
        children = [self._measure(item, source_of) for item in items]
        ports = [source for source in wiring if isinstance(source, _Port)]
        leaving = any(_EXIT in targets for targets in wiring.values())
        cells: list[_Cell] = [*ports, *range(len(items)), *([_EXIT] if leaving else [])]
        at = {cell: number for number, cell in enumerate(cells)}
        sizes = [
            (port_width(cell.source), 0.0) if isinstance(cell, _Port) else (children[cell].width, children[cell].height)
            for cell in cells
        ]
        sources = list(wiring)

        def attach(cell: int, wire: int) -> float | None:
            number = cells[cell]
            if isinstance(number, _Port):
                return None
            source, child = sources[wire], children[number]
            return child.leave if source == number else child.entries.get(source)

        wires = [Wire(at[source], tuple(at[target] for target in targets)) for source, targets in wiring.items()]
        made = arrange(sizes, wires, range(len(ports)), {at[_EXIT]} if leaving else (), attach)
        left = max(PAD, (holder.width - made.width) / 2)
        for child, (x, y) in zip(children, made.places[len(ports) :], strict=False):
            child.x, child.y = left + x, top + y
        holder.children = children
        holder.edges = [
            Edge([(left + x, top + y) for x, y in points], list(wiring[sources[wire]][cells[cell]]))
            for (wire, cell), points in made.routes.items()
        ]
        middles = {cell: left + made.places[at[cell]][0] + sizes[at[cell]][0] / 2 for cell in cells}
        holder.entries = {port.source: middles[port] for port in ports}
        holder.leave = middles.get(_EXIT)
        holder.width = max(holder.width, made.width + 2 * PAD)
        holder.height = top + made.height + (0.0 if leaving else PAD)
        return holder

    def _wiring(
        self, items: Sequence[Item], source_of: Callable[[ValueKey], _Cell], leaves: Leaves
    ) -> dict[_Cell, dict[_Cell, dict[ValueKey, None]]]:
        """The values that go from one cell to another; an item that feeds nothing is left out."""
        wiring: dict[_Cell, dict[_Cell, dict[ValueKey, None]]] = {}
        for number, item in enumerate(items):
            for node in covered(item):
                for key in self.flow.reads[node]:
                    if (source := source_of(key)) != number:
                        wiring.setdefault(source, {}).setdefault(number, {})[key] = None
                if leaves(node):
                    results = dict.fromkeys(self.flow.outputs(node))
                    wiring.setdefault(number, {}).setdefault(_EXIT, {}).update(results)
        return wiring

    def _measure(self, item: Item, outer: Outer) -> Placed:
        if isinstance(item, Block):
            return self._block(item, outer)
        if item.bodies:
            return self.control_flow(item)
        shown = (
            item.nodes if len(item.nodes) <= MAX_ROWS else item.nodes[: MAX_ROWS // 2] + item.nodes[-MAX_ROWS // 2 :]
        )
        width = max(self._row_width(node) for node in shown)
        return Placed(item, max(width + 30, 84), ROW * len(shown) + 6)

    def _row_width(self, node: int) -> float:
        op, name = row_text(self.flow.nodes[node])
        return text_width(op, 12, bold=True) + text_width(name, 10.5) + (6 if name else 0)

    def control_flow(self, box: Box) -> Placed:
        """A node with its bodies side by side."""
        node = self.flow.nodes[box.nodes[0]]
        bodies = [self.stack(body) for body in box.bodies]
        x, top = PAD, HEADER + 2 * PAD + (REASON_HEIGHT if node.provider == CORE and node.declined else 0)
        for body in bodies:
            body.x, body.y = x, top
            x += body.width + PAD
        height = top + max((body.height for body in bodies), default=0.0) + PAD
        return Placed(box, max(x, self._row_width(box.nodes[0]) + 120), height, children=bodies)

    def _block(self, block: Block, outer: Outer) -> Placed:
        offsets = {node: at for copy in block.copies for at, node in enumerate(copy)}
        leaving = set()
        for copy in block.copies:
            own = set(copy)
            leaving |= {offsets[node] for node in copy if leaves_group(self.flow, node, own)}
        width = (
            text_width(f"{TIMES} {len(block.copies)}", 12, bold=True) + text_width(block_note(block), 10.5) + 4 * PAD
        )
        return self.fill(Placed(block, width, 0), block.items, outer, lambda node: offsets[node] in leaving, HEADER)


def leaves_group(flow: Flow, node: int, group: set[int]) -> bool:
    """Whether what `node` computes is read outside of `group`, or is a result of the graph."""
    keys = flow.outputs(node)
    if any(consumer not in group for key in keys for consumer in flow.consumers.get(key, ())):
        return True
    return not flow.result_keys(flow.nodes[node].scope).isdisjoint(keys)


def block_note(block: Block) -> str:
    """What stands beside the number of copies."""
    size = len(block.copies[0])
    return f"{size} node{'' if size == 1 else 's'} each, drawn once"


def row_text(node: NodePlacement) -> tuple[str, str]:
    """Operator and short name of a node; the operator is marked if another provider declined it."""
    return ("⚠ " if node.declined else "") + shorten(node.op_type, 32), short_name(node.name, node.op_type)
