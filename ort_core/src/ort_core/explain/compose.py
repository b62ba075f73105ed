"""From a report to what is drawn: bands, repeats collapsed, lines of nodes joined."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Hashable, Sequence

from ort_core.explain.blocks import MIN_SAVING, Repeat, find_repeats, verified
from ort_core.explain.flow import Flow, ValueKey
from ort_core.explain.markup import TIMES, common_folder
from ort_core.explain.picture import Band, Block, Box, Frame, Item, Pill, Stack, drawn
from ort_core.explain.report import PlacementReport
from ort_core.explain.summary import without_names

SMALL = 24
"""A graph of so many nodes is drawn whole."""
MIN_ALIKE = 3
"""So many boxes that are alike are drawn side by side, more as one."""


class Composer:
    """Makes the tree of a report."""

    def __init__(self, report: PlacementReport) -> None:
        self.flow = Flow(report)
        self._devices = {p.name: p.device for p in report.partitions}
        self._labels: dict[int, Hashable] = {}
        self._copied = Counter(self.flow.home(copy.scope, copy.value) for copy in report.copied)

    def stack(self, scope: str = "") -> Stack:
        """A graph with everything in it."""
        flow = self.flow
        bands = self._bands(scope)
        repeats = self._band_repeats(bands)
        frames, shown = [], []
        position = 0
        for repeat in repeats:
            shown += bands[position : repeat.start]
            copies = [
                [node for band in bands[start : start + repeat.period] for node in band.nodes]
                for start in range(repeat.start, repeat.end, repeat.period)
            ]
            frames.append(Frame(len(shown), len(shown) + repeat.period - 1, copies, self._moved(copies[1])))
            shown += bands[repeat.start : repeat.start + repeat.period]
            position = repeat.end
        shown += bands[position:]
        collapse = len(flow.members[scope]) > SMALL
        for band in shown:
            band.items = self._items(band.nodes, collapse)
        graph = flow.graphs.get(scope)
        inputs = [ValueKey(scope, name) for name in graph.inputs] if graph else []
        captured = flow.captures.get(scope, ())
        sources = _pills([(key.name, key) for key in (*inputs, *captured)])
        return Stack(scope, sources, shown, frames, _pills(list(flow.results(scope).items())))

    def _moved(self, nodes: Sequence[int]) -> int:
        return sum(self._copied[key] for node in nodes for key in self.flow.outputs(node))

    def _bands(self, scope: str) -> list[Band]:
        nodes = self.flow.nodes
        bands = []
        grouped = itertools.groupby(
            self.flow.members[scope], key=lambda i: (nodes[i].partition, nodes[i].provider, nodes[i].partition or i)
        )
        for (partition, provider, _), members in grouped:
            nested = self.flow.partition_around(scope) == partition != ""
            bands.append(Band(partition, provider, self._devices.get(partition, ""), list(members), nested))
        return bands

    def _band_repeats(self, bands: Sequence[Band]) -> Sequence[Repeat]:
        order = [node for band in bands for node in band.nodes]
        if len(order) <= SMALL:
            return []
        sources = self._sources(order)
        first_node = [0, *itertools.accumulate(len(band.nodes) for band in bands)]
        band_of = [index for index, band in enumerate(bands) for _ in band.nodes]
        labels, reads = [], []
        for index, band in enumerate(bands):
            found = [s for at in range(first_node[index], first_node[index + 1]) for s in sources[at]]
            inside = [s - first_node[index] if isinstance(s, int) and band_of[s] == index else "other" for s in found]
            labels.append((band.provider, band.device, tuple(map(self._label, band.nodes)), tuple(inside)))
            origins = dict.fromkeys(band_of[s] if isinstance(s, int) else s for s in found)
            reads.append(tuple(origin for origin in origins if origin != index))
        names = [common_folder([self.flow.nodes[node].name for node in band.nodes]) for band in bands]
        spans = []
        for repeat in find_repeats(labels, reads, names, min_saving=2):
            first = first_node[repeat.start]
            exact = verified(Repeat(first, first_node[repeat.start + repeat.period] - first, repeat.copies), sources)
            if repeat.period > 1 and exact.period * (exact.copies - 1) >= MIN_SAVING:
                spans.append(Repeat(first_node.index(exact.start), repeat.period, exact.copies))
        return spans

    def _items(self, order: list[int], collapse: bool) -> list[Item]:
        """Boxes and blocks for consecutive nodes of one band, in order."""
        items: list[Item] = []
        position = 0
        singles: list[int] = []
        for repeat in self._repeats(order) if collapse else ():
            singles += order[position : repeat.start]
            copies = [order[s : s + repeat.period] for s in range(repeat.start, repeat.end, repeat.period)]
            items.append(Block(copies, self._items(copies[0], repeat.period > SMALL)))
            position = repeat.end
        singles += order[position:]
        boxes = self._boxes(singles)
        items += self._group_alike(boxes, set(order)) if collapse else boxes
        rank = {node: at for at, node in enumerate(order)}
        return sorted(items, key=lambda item: rank[next(drawn(item))])

    def _repeats(self, order: Sequence[int]) -> list[Repeat]:
        names = [self.flow.nodes[node].name for node in order]
        return find_repeats([*map(self._label, order)], self._sources(order), names)

    def _boxes(self, singles: Sequence[int]) -> list[Box]:
        """Boxes for nodes; one that is all that another reads, and is read by nobody else, shares its box."""
        tail: dict[int, Box] = {}
        boxes = []
        for node in singles:
            before = self._only_source(node)
            box = tail.pop(before, None) if before is not None and self._only_consumer(before) == node else None
            if box is None:
                box = Box([node], [self.stack(body) for body in self.flow.nodes[node].bodies])
                boxes.append(box)
            else:
                box.nodes.append(node)
            if not box.bodies:
                tail[node] = box
        return boxes

    def _group_alike(self, boxes: Sequence[Box], inside: set[int]) -> list[Item]:
        """Boxes beside each other that are the same, read the same and feed the same become one block."""
        groups: dict[Hashable, list[Box]] = {}
        for box in boxes:
            labels = tuple(map(self._label, box.nodes))
            consumers = frozenset(
                c for key in self.flow.outputs(box.nodes[-1]) for c in self.flow.consumers.get(key, ())
            )
            reads = frozenset(self.flow.reads[box.nodes[0]])
            groups.setdefault((labels, reads, consumers & inside, consumers <= inside), []).append(box)
        found: list[Item] = []
        for group in groups.values():
            alike = len(group) > MIN_ALIKE and not group[0].bodies
            found += [Block([box.nodes for box in group], [group[0]])] if alike else group
        return found

    def _only_source(self, node: int) -> int | None:
        """The node that is all that `node` reads; None if there are others, or the node has bodies."""
        reads = self.flow.reads[node]
        if len(reads) != 1 or self.flow.nodes[node].bodies:
            return None
        return self.flow.producer.get(reads[0])

    def _only_consumer(self, node: int) -> int | None:
        keys = self.flow.outputs(node)
        consumers = {c for key in keys for c in self.flow.consumers.get(key, ())}
        if len(consumers) != 1 or not self.flow.result_keys(self.flow.nodes[node].scope).isdisjoint(keys):
            return None
        return consumers.pop()

    def _sources(self, order: Sequence[int]) -> list[tuple[Hashable, ...]]:
        rank = {node: at for at, node in enumerate(order)}
        flow = self.flow
        return [
            tuple(
                rank.get(flow.producer.get(key, -1)) if isinstance(key, ValueKey) else key for key in flow.pattern[node]
            )
            for node in order
        ]

    def _label(self, node: int) -> Hashable:
        """What must be the same in copies: operator, placement, reasons (but for names in them), bodies."""
        known = self._labels.get(node)
        if known is None:
            placed = self.flow.nodes[node]
            reasons = tuple((name, without_names(reason)) for name, reason in placed.declined.items())
            members = [self.flow.members[body] for body in placed.bodies]
            bodies = tuple((tuple(map(self._label, nodes)), tuple(self._sources(nodes))) for nodes in members)
            used = tuple(map(bool, placed.outputs))
            known = (placed.domain, placed.op_type, placed.original, placed.provider, reasons, bodies, used)
            self._labels[node] = known
        return known


def _pills(values: Sequence[tuple[str, ValueKey]]) -> list[Pill]:
    """One pill for each value; names that differ in numbers only share one."""
    groups: dict[str, Pill] = {}
    for label, key in values:
        pattern = re.sub(r"\d+", "*", label) if len(values) > 8 else label
        pill = groups.setdefault(pattern, Pill(label, []))
        pill.values.append(key)
        if len(pill.values) > 1:
            pill.label = f"{pattern} {TIMES} {len(pill.values)}"
    return list(groups.values())
