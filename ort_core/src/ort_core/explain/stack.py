"""Geometry of a graph: bands below each other in order of execution, one column for each provider, wires between them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

from ort_core.explain.bundles import Bundle, Bundles, Copied
from ort_core.explain.compose import Composer
from ort_core.explain.layout import Point
from ort_core.explain.markup import shorten, text_width
from ort_core.explain.picture import Band, Box, Pill, Stack
from ort_core.explain.place import HEADER, PAD, PORT, REASON_HEIGHT, Edge, Interior, Placed, leaves_group
from ort_core.explain.report import CORE, PlacementReport
from ort_core.explain.summary import brief, describe_copies, reasons_line

ROW_GAP = 44.0
LANE_GAP = 56.0
PILL_HEIGHT = 22.0
PILL_GAP = 10.0
PILL_ROW_WIDTH = 700.0
TRACK_GAP = 9.0
SHARING = 80.0
"""So much of a detour is worth a line that follows another one from the same source."""


class Placer:
    """Places a whole report: `graph` is what is drawn, `flow` its edges."""

    def __init__(self, report: PlacementReport) -> None:
        composer = Composer(report)
        self.flow = composer.flow
        self.graph = composer.stack()
        self._interior = Interior(self.flow, self._stack)
        self._copied: Copied = {}
        for copy in report.copied:
            self._copied.setdefault(self.flow.home(copy.scope, copy.value), []).append(copy)
        self._lanes = {name: at for at, name in enumerate(dict.fromkeys([*report.providers, *report.provider_status]))}

    def place(self) -> Placed:
        """The main graph with everything in it."""
        return self._stack(self.graph)

    def _stack(self, stack: Stack) -> Placed:
        bundles = Bundles(self.flow, stack, self._copied)
        children = [
            self._band(item, at, bundles) if isinstance(item, Band) else _pill(item)
            for at, item in enumerate(bundles.items)
        ]
        first, last = len(stack.sources), len(stack.sources) + len(stack.bands)
        bands = children[first:last]
        width = self._columns(bands)
        rows = [*_pill_rows(children[:first], width), *([band] for band in bands), *_pill_rows(children[last:], width)]
        starts = {id(bands[frame.first]) for frame in stack.frames}
        ends = {id(bands[frame.last]) for frame in stack.frames}
        y = PAD
        for row, below in zip(rows, [*rows[1:], []], strict=False):
            y += HEADER if id(row[0]) in starts else 0
            for child in row:
                child.y = y
            both_pills = bool(below) and isinstance(row[0].what, Pill) and isinstance(below[0].what, Pill)
            gap = PILL_GAP if both_pills and bands else ROW_GAP
            y += max(child.height for child in row) + gap + (PAD if id(row[0]) in ends else 0)
        placed = Placed(stack, width, y - ROW_GAP + PAD if rows else 2 * PAD, children=children)
        placed.edges = list(_route(children, rows, bundles.found))
        for frame in stack.frames:
            top, bottom = bands[frame.first].y - HEADER, bands[frame.last].y + bands[frame.last].height + PAD
            placed.children.insert(0, Placed(frame, width + 2 * PAD, bottom - top, -PAD, top))
        return _fit(placed)

    def _band(self, band: Band, number: int, bundles: Bundles) -> Placed:
        if band.provider == CORE:
            return self._core_band(band, number, bundles)
        own = set(band.nodes)
        reasons = reasons_line(self.flow.nodes[n] for n in band.nodes)
        header = text_width(band_title(band), 12, bold=True) + text_width(brief(band.provider), 12, bold=True) + 50
        top = 0.0 if band.nested else HEADER + (REASON_HEIGHT if reasons else 0)

        def port_width(source: Hashable) -> float:
            copies = bundles.copies(source if isinstance(source, int) else None, number)
            return text_width(describe_copies(copies), 11) + 30 if copies else PORT

        return self._interior.fill(
            Placed(band, max(header, min(text_width(reasons, 11) + 40, 420)), 0),
            band.items,
            bundles.source_of,
            lambda node: leaves_group(self.flow, node, own),
            top,
            port_width,
        )

    def _core_band(self, band: Band, number: int, bundles: Bundles) -> Placed:
        """Control flow that the core runs: the node is its band."""
        (inner,) = (self._interior.control_flow(item) for item in band.items if isinstance(item, Box))
        feeding = [source for source, target in bundles.found if target == number]
        step = inner.width / (len(feeding) + 1)
        entries: dict[Hashable, float] = {source: step * (at + 1) for at, source in enumerate(feeding)}
        return Placed(band, inner.width, inner.height, children=[inner], entries=entries)

    def _columns(self, bands: Sequence[Placed]) -> float:
        """Gives every band its x: a column for each provider, in order of priority; the core's bands over all of them."""
        lanes: dict[str, float] = {}
        for band in sorted(bands, key=lambda b: self._lanes.get(_provider(b), len(self._lanes))):
            if _provider(band) != CORE:
                lanes[_provider(band)] = max(lanes.get(_provider(band), 0.0), band.width)
        inner = sum(lanes.values()) + LANE_GAP * (len(lanes) - 1) if lanes else 0.0
        width = max([inner, *(b.width for b in bands if _provider(b) == CORE)])
        x = (width - inner) / 2
        for at, (name, lane_width) in enumerate(lanes.items()):
            # Beside each other, columns lean towards each other: the wires between them stay short.
            lean = 0.5 if len(lanes) == 1 else 1.0 if at == 0 else 0.0
            for band in bands:
                if _provider(band) == name:
                    band.x = x + lean * (lane_width - band.width)
            x += lane_width + LANE_GAP
        for band in bands:
            if _provider(band) == CORE:
                band.x = (width - band.width) / 2
        return width


def band_title(band: Band) -> str:
    """`p1 · 3 nodes · fake:0`."""
    count = f"{len(band.nodes)} node{'s' if len(band.nodes) != 1 else ''}"
    return " · ".join(part for part in (shorten(band.partition, 60), count, shorten(band.device, 40)) if part)


def _provider(placed: Placed) -> str:
    return placed.what.provider if isinstance(placed.what, Band) else CORE


def _pill(pill: Pill) -> Placed:
    return Placed(pill, max(text_width(shorten(pill.label, 28), 11) + 24, 40), PILL_HEIGHT)


def _pill_rows(pills: Sequence[Placed], width: float) -> list[list[Placed]]:
    """Pills side by side, centred, in as many rows as they need."""
    rows: list[list[Placed]] = []
    room = 0.0
    for pill in pills:
        if not rows or room + pill.width > max(width, PILL_ROW_WIDTH):
            rows.append([])
            room = 0.0
        pill.x = room
        room += pill.width + PILL_GAP
        rows[-1].append(pill)
    for row in rows:
        shift = (width - (row[-1].x + row[-1].width)) / 2
        for pill in row:
            pill.x += shift
    return rows


def _route(
    items: Sequence[Placed], rows: Sequence[Sequence[Placed]], bundles: Mapping[tuple[int, int], Bundle]
) -> Iterator[Edge]:
    """Wires that go down beside whatever lies between their ends, each on a track of its own."""
    row_of = {id(item): at for at, row in enumerate(rows) for item in row}
    used: list[tuple[float, int, int, int]] = []
    for (source, target), bundle in sorted(bundles.items(), key=lambda entry: entry[0][1] - entry[0][0]):
        above, below = items[source], items[target]
        x1 = above.x + (above.width / 2 if above.leave is None else above.leave)
        x2 = below.x + below.entries.get(source, below.width / 2)
        first, last = row_of[id(above)], row_of[id(below)]
        start, end = (x1, above.y + above.height), (x2, below.y)
        points: list[Point] = [start, end]
        if last - first > 1:
            between = [item for row in rows[first + 1 : last] for item in row]
            shared = [x for x, other, _, _ in used if other == source]
            taken = [x for x, other, a, b in used if other != source and a < last and first < b]
            track = _track(x1, x2, between, taken, shared)
            used.append((track, source, first, last))
            highest = max(item.y + item.height for item in rows[first])
            points = [start, (track, highest + ROW_GAP * 0.6), (track, below.y - ROW_GAP * 0.6), end]
        yield Edge(points, bundle.values, bundle.copies)


def _track(x1: float, x2: float, between: Sequence[Placed], taken: Sequence[float], shared: Sequence[float]) -> float:
    """The x nearest to both ends at which a vertical line meets neither an item nor a line from elsewhere."""
    blocked: list[tuple[float, float]] = []
    for left, right in sorted((item.x - PAD, item.x + item.width + PAD) for item in between):
        if blocked and left <= blocked[-1][1]:
            blocked[-1] = blocked[-1][0], max(right, blocked[-1][1])
        else:
            blocked.append((left, right))
    steps = range(len(taken) + 1)
    choices = [x1, x2, *(left - TRACK_GAP * k for left, _ in blocked for k in steps)]
    choices += [right + TRACK_GAP * k for _, right in blocked for k in steps]
    choices += shared
    for x in sorted(choices, key=lambda x: (abs(x - x1) + abs(x - x2) - (SHARING if x in shared else 0.0), x)):
        free = all(x <= left or right <= x for left, right in blocked)
        if free and all(abs(x - other) >= TRACK_GAP - 1 for other in taken):
            return x
    return max(choices) + TRACK_GAP


def _fit(placed: Placed) -> Placed:
    """Moves everything so that nothing is left of the corner, and widens to hold it all."""
    xs = [x for edge in placed.edges for x, _ in edge.points]
    ends = [child.x + child.width for child in placed.children] + xs
    shift = PAD - min([0.0, *(child.x for child in placed.children), *xs])
    for child in placed.children:
        child.x += shift
    for edge in placed.edges:
        edge.points = [(x + shift, y) for x, y in edge.points]
    placed.width = max([placed.width, *ends]) + shift + PAD
    return placed
