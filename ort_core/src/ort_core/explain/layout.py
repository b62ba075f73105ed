"""Layered drawing: cells in layers with their wires going down, few crossings, short and straight wires."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

CELL_GAP = 18.0
LAYER_GAP = 26.0
THREAD_GAP = 9.0
MAX_SPAN = 60
"""A wire over more layers is drawn straight, behind everything."""
ORDER_SWEEPS = 8
PLACE_SWEEPS = 10
MAX_WIDTH = 1100.0
"""The cells of a layer are not wider together, unless one alone is."""

Point: TypeAlias = "tuple[float, float]"
Attach: TypeAlias = Callable[[int, int], "float | None"]
"""Where wire number b meets cell number a, from the left edge of the cell; None for anywhere."""


class Wire(NamedTuple):
    """From one cell to others, by their numbers."""

    source: int
    targets: tuple[int, ...]


@dataclass(slots=True)
class Layered:
    """Top left corners of the cells, the route of each (wire, target), and the size of the whole."""

    places: list[Point]
    routes: dict[tuple[int, int], list[Point]]
    width: float
    height: float


@dataclass(slots=True, eq=False)
class _Spot:
    """A cell in its layer, or (cell -1) where a wire passes one."""

    layer: int
    cell: int
    width: float
    x: float = 0.0
    rank: int = 0
    above: list[_Spot] = field(default_factory=list)
    below: list[_Spot] = field(default_factory=list)


def arrange(
    sizes: Sequence[tuple[float, float]],
    wires: Sequence[Wire],
    tops: Collection[int] = (),
    bottoms: Collection[int] = (),
    attach: Attach = lambda cell, wire: None,
) -> Layered:
    """Places cells; those of `tops` come first and those of `bottoms` last. Every wire must lead to a later cell."""
    layers = _layers([width for width, _ in sizes], wires, tops, bottoms)
    spots = [_Spot(layer, cell, sizes[cell][0]) for cell, layer in enumerate(layers)]
    rows: list[list[_Spot]] = [[] for _ in range(max(layers, default=-1) + 1)]
    for spot in spots:
        rows[spot.layer].append(spot)
    threads = [_thread(wire, spots, rows) for wire in wires]
    _order(rows)
    _straighten(rows)
    left = min((s.x - s.width / 2 for row in rows for s in row), default=0.0)
    right = max((s.x + s.width / 2 for row in rows for s in row), default=0.0)
    heights = [max((sizes[s.cell][1] for s in row if s.cell >= 0), default=0.0) for row in rows]
    tops_y = [sum(heights[:i]) + LAYER_GAP * i for i in range(len(rows))]
    for row in rows:
        for spot in row:
            spot.x -= left
    places = [(s.x - s.width / 2, tops_y[s.layer]) for s in spots]
    routes = _routes(wires, threads, spots, sizes, tops_y, heights, attach)
    return Layered(places, routes, right - left, sum(heights) + LAYER_GAP * max(len(rows) - 1, 0))


def _layers(
    widths: Sequence[float], wires: Sequence[Wire], tops: Collection[int], bottoms: Collection[int]
) -> list[int]:
    """Longest path from the top, in layers of bounded width; cells without sources move down to what reads them."""
    count, first = len(widths), 1 if tops else 0
    layers = [0 if cell in tops else first for cell in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    fed = [False] * count
    for wire in wires:
        below[wire.source] += wire.targets
        for target in wire.targets:
            fed[target] = True
    filled: dict[int, float] = {}
    for cell in range(count):
        if cell not in tops and cell not in bottoms:
            layers[cell] = _first_with_room(layers[cell], widths[cell], filled)
        for target in below[cell]:
            layers[target] = max(layers[target], layers[cell] + 1)
    for cell in reversed(range(count)):
        if not fed[cell] and cell not in tops and below[cell]:
            lowest = min(layers[target] for target in below[cell]) - 1
            if lowest > layers[cell] and filled.get(lowest, 0.0) + widths[cell] <= MAX_WIDTH:
                filled[layers[cell]] -= widths[cell] + CELL_GAP
                filled[lowest] = filled.get(lowest, 0.0) + widths[cell] + CELL_GAP
                layers[cell] = lowest
    if bottoms:
        last = max((layer for cell, layer in enumerate(layers) if cell not in bottoms), default=-1) + 1
        for cell in bottoms:
            layers[cell] = last
    return layers


def _first_with_room(layer: int, width: float, filled: dict[int, float]) -> int:
    """The first layer from `layer` on that takes a cell of this width; `filled` is updated."""
    while filled.get(layer) and filled[layer] + width > MAX_WIDTH:
        layer += 1
    filled[layer] = filled.get(layer, 0.0) + width + CELL_GAP
    return layer


def _thread(wire: Wire, spots: list[_Spot], rows: list[list[_Spot]]) -> list[_Spot]:
    """Adds the spots that a wire passes, one in each layer between its ends."""
    source = spots[wire.source]
    near = [spots[t] for t in wire.targets if spots[t].layer - source.layer <= MAX_SPAN]
    chain = [source]
    for layer in range(source.layer + 1, max((t.layer for t in near), default=0)):
        spot = _Spot(layer, -1, THREAD_GAP)
        rows[layer].append(spot)
        _link(chain[-1], spot)
        chain.append(spot)
    for target in near:
        _link(chain[target.layer - source.layer - 1], target)
    return chain


def _link(above: _Spot, below: _Spot) -> None:
    above.below.append(below)
    below.above.append(above)


def _order(rows: Sequence[list[_Spot]]) -> None:
    """Barycenter sweeps, down and up."""
    for row in rows:
        _number(row)
    for sweep in range(ORDER_SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            keys = {}
            for spot in row:
                near = spot.above if down else spot.below
                keys[id(spot)] = sum(s.rank for s in near) / len(near) if near else spot.rank
            row.sort(key=lambda spot: keys[id(spot)])
            _number(row)


def _number(row: list[_Spot]) -> None:
    # Ranks are comparable between layers of different lengths when centred.
    for rank, spot in enumerate(row):
        spot.rank = 2 * rank - len(row)


def _straighten(rows: Sequence[list[_Spot]]) -> None:
    """Moves spots towards the middle of what they are linked to, in order and without overlap."""
    for row in rows:
        x = 0.0
        for spot in row:
            spot.x = x + spot.width / 2
            x += spot.width + CELL_GAP
        for spot in row:
            spot.x -= x / 2
    for sweep in range(PLACE_SWEEPS):
        both = sweep >= PLACE_SWEEPS - 3
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            wanted, weights = [], []
            for spot in row:
                near = [*spot.above, *spot.below] if both else spot.above if down else spot.below
                pulls = [_pull(spot, other) for other in near]
                total = sum(pulls)
                wanted.append(sum(p * s.x for p, s in zip(pulls, near, strict=True)) / total if near else spot.x)
                weights.append(total if near else 0.1)
            _spread(row, wanted, weights)


def _pull(a: _Spot, b: _Spot) -> float:
    """How strongly two linked spots want to be above each other: wires that pass several layers most."""
    return (1.0, 2.0, 8.0)[(a.cell < 0) + (b.cell < 0)]


def _spread(row: Sequence[_Spot], wanted: Sequence[float], weights: Sequence[float]) -> None:
    """The positions nearest to `wanted` (least squares) that keep the order and the gaps."""
    groups: list[tuple[float, float, int]] = []
    shift = 0.0
    shifts = []
    for index, spot in enumerate(row):
        if index:
            shift += (row[index - 1].width + spot.width) / 2 + _gap(row[index - 1], spot)
        shifts.append(shift)
        mean, weight, count = wanted[index] - shift, weights[index], 1
        while groups and groups[-1][0] > mean:
            other, other_weight, other_count = groups.pop()
            mean = (mean * weight + other * other_weight) / (weight + other_weight)
            weight, count = weight + other_weight, count + other_count
        groups.append((mean, weight, count))
    index = 0
    for mean, _, count in groups:
        for _ in range(count):
            row[index].x = mean + shifts[index]
            index += 1


def _gap(left: _Spot, right: _Spot) -> float:
    return CELL_GAP if left.cell >= 0 and right.cell >= 0 else 4.0


def _routes(
    wires: Sequence[Wire],
    threads: Sequence[Sequence[_Spot]],
    spots: Sequence[_Spot],
    sizes: Sequence[tuple[float, float]],
    tops: Sequence[float],
    heights: Sequence[float],
    attach: Attach,
) -> dict[tuple[int, int], list[Point]]:
    routes: dict[tuple[int, int], list[Point]] = {}
    arriving: dict[int, list[tuple[float, int]]] = {}
    for number, (wire, thread) in enumerate(zip(wires, threads, strict=True)):
        source = spots[wire.source]
        offset = attach(wire.source, number)
        x = source.x if offset is None else source.x - source.width / 2 + offset
        start = (x, tops[source.layer] + sizes[wire.source][1])
        for target in wire.targets:
            span = spots[target].layer - source.layer
            passed = thread[1:span] if span <= MAX_SPAN else ()
            points = [start]
            for spot in passed:
                points += [(spot.x, tops[spot.layer]), (spot.x, tops[spot.layer] + heights[spot.layer])]
            routes[number, target] = points
            arriving.setdefault(target, []).append((points[-1][0], number))
    for target, entries in arriving.items():
        spot = spots[target]
        free = [number for _, number in sorted(entries) if attach(target, number) is None]
        room = min(spot.width * 0.6, 14.0 * (len(free) - 1))
        for at, number in enumerate(free):
            x = spot.x + (room * (at / (len(free) - 1) - 0.5) if len(free) > 1 else 0.0)
            routes[number, target].append((x, tops[spot.layer]))
        for _, number in entries:
            offset = attach(target, number)
            if offset is not None:
                routes[number, target].append((spot.x - spot.width / 2 + offset, tops[spot.layer]))
    return routes
