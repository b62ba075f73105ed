"""The drawing of a placed report as SVG elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ort_core.explain.flow import Flow, ValueKey
from ort_core.explain.layout import Point
from ort_core.explain.markup import LONGEST_NAME, TIMES, escape, safe, shorten, text_width
from ort_core.explain.picture import Band, Block, Box, Frame, Pill, Stack
from ort_core.explain.place import HEADER, MAX_ROWS, REASON_HEIGHT, ROW, Edge, Placed, block_note, row_text
from ort_core.explain.report import CORE
from ort_core.explain.stack import band_title
from ort_core.explain.summary import brief, describe_copies, reasons_line

MAX_LISTED = 12
"""Values that a tooltip lists."""


class Drawing:
    """Writes SVG elements. `kinds` gives each provider its style."""

    def __init__(self, flow: Flow, kinds: Mapping[str, str]) -> None:
        self._flow = flow
        self._kinds = kinds

    def draw(self, placed: Placed) -> Iterator[str]:
        """A thing with all that is in it, moved to its place."""
        what = placed.what
        if isinstance(what, Box):
            yield from self._flow_box(placed, what) if what.bodies else self._box(placed, what)
        elif isinstance(what, Block):
            yield from self._block(placed, what)
        elif isinstance(what, Band):
            yield from self._band(placed, what)
        elif isinstance(what, Pill):
            yield from self._pill(placed, what)
        elif isinstance(what, Frame):
            yield from self._frame(placed, what)
        else:
            yield from self._stack(placed, what)

    def _inside(self, placed: Placed) -> Iterator[str]:
        plain = [edge for edge in placed.edges if not edge.copies]
        for edge in plain:
            yield self._edge(edge)
        for child in placed.children:
            yield from self.draw(child)
        for edge in placed.edges:
            if edge.copies:
                yield self._edge(edge)

    def _stack(self, placed: Placed, stack: Stack) -> Iterator[str]:
        if not stack.scope:
            yield f"<g{_at(placed)}>"
        else:
            title = shorten(stack.scope.rstrip("/").rpartition(".")[2], 40)
            yield f'<g class="body"{_at(placed)}>{_rect(placed.width, placed.height)}'
            yield f'<text class="small" x="8" y="-4">{escape(title)}</text>'
        yield from self._inside(placed)
        yield "</g>"

    def _band(self, placed: Placed, band: Band) -> Iterator[str]:
        if band.provider == CORE:
            yield f"<g{_at(placed)}>"
            yield from self._inside(placed)
            yield "</g>"
            return
        kind = self._kinds.get(band.provider, "core")
        yield f'<g class="band {kind} in-{kind}"{_at(placed)}>{_rect(placed.width, placed.height)}'
        if not band.nested:
            title = f"{brief(band.provider)} · {band_title(band)}"
            yield f'<rect class="head" width="{_n(placed.width)}" height="{HEADER}" rx="6"/>'
            yield f'<text class="title" x="10" y="15.5">{escape(title)}</text>{self._why(band.nodes, placed.width)}'
        yield from self._inside(placed)
        yield "</g>"

    def _why(self, nodes: Sequence[int], width: float) -> str:
        reason = reasons_line(self._flow.nodes[n] for n in nodes)
        if not reason:
            return ""
        return (
            f'<text class="why" x="10" y="{HEADER + REASON_HEIGHT - 2}">{safe(reason, int(width / 5.6))}'
            f"<title>{safe(reason)}</title></text>"
        )

    def _box(self, placed: Placed, box: Box) -> Iterator[str]:
        yield f'<g class="box"{_at(placed)}>{_rect(placed.width, placed.height)}'
        head = len(box.nodes) if len(box.nodes) <= MAX_ROWS else MAX_ROWS // 2
        tail = len(box.nodes) - (MAX_ROWS - 1 - head) if len(box.nodes) > MAX_ROWS else len(box.nodes)
        y = 3.0
        for node in box.nodes[:head]:
            yield self._row(node, y, placed.width)
            y += ROW
        if tail > head:
            left_out = "\n".join(shorten(self._flow.nodes[n].name, 60) for n in box.nodes[head:tail][:40])
            yield (
                f'<text class="name" x="9" y="{_n(y + 13)}">… {tail - head} more in this line'
                f"<title>{escape(left_out)}</title></text>"
            )
            y += ROW
        for node in box.nodes[tail:]:
            yield self._row(node, y, placed.width)
            y += ROW
        yield "</g>"

    def _row(self, node: int, y: float, width: float) -> str:
        placed = self._flow.nodes[node]
        op, name = row_text(placed)
        label = f'<tspan class="name" dx="6">{escape(name)}</tspan>' if name else ""
        return (
            f'<g class="node{" declined" if placed.declined else ""}" id="n{node}">'
            f'<rect class="mark" x="2" y="{_n(y)}" width="{_n(width - 4)}" height="{ROW}" rx="3"/>'
            f'<text x="9" y="{_n(y + 13)}"><tspan class="op">{escape(op)}</tspan>{label}</text>'
            f"<title>{escape(self.describe(node))}</title></g>"
        )

    def _flow_box(self, placed: Placed, box: Box) -> Iterator[str]:
        provider = self._flow.nodes[box.nodes[0]].provider
        yield f'<g class="flow {self._kinds.get(provider, "core")}"{_at(placed)}>{_rect(placed.width, placed.height)}'
        yield self._row(box.nodes[0], 3, placed.width)
        if provider == CORE:
            yield f'<text class="small" x="{_n(placed.width - 8)}" y="16" text-anchor="end">run by the core</text>'
            yield self._why(box.nodes, placed.width)
        yield from self._inside(placed)
        yield "</g>"

    def _block(self, placed: Placed, block: Block) -> Iterator[str]:
        yield f'<g class="block"{_at(placed)}>{_sheets(placed.width, placed.height)}'
        yield (
            f'<text class="times" x="10" y="16">{TIMES} {len(block.copies)}<tspan class="name" dx="8">'
            f"{block_note(block)}</tspan></text>"
        )
        yield from self._inside(placed)
        yield "</g>"

    def _frame(self, placed: Placed, frame: Frame) -> Iterator[str]:
        moved = f" and {frame.moved} device cop{'ies' if frame.moved > 1 else 'y'}" if frame.moved else ""
        yield (
            f'<g class="frame"{_at(placed)}>{_sheets(placed.width, placed.height)}'
            f'<text class="times" x="10" y="15">{TIMES} {len(frame.copies)}<tspan class="name" dx="8">'
            f"{len(frame.copies[0])} nodes{moved} each, drawn once</tspan></text></g>"
        )

    def _pill(self, placed: Placed, pill: Pill) -> Iterator[str]:
        yield (
            f'<g class="pill"{_at(placed)}>{_rect(placed.width, placed.height, 11)}'
            f'<text x="{_n(placed.width / 2)}" y="15" text-anchor="middle">{safe(pill.label, 28)}</text>'
            f"<title>{escape(self._list(pill.values))}</title></g>"
        )

    def _edge(self, edge: Edge) -> str:
        title = f"<title>{escape(self._list(edge.values))}</title>"
        if not edge.copies:
            return f'<g class="edge"><path d="{curve(edge.points)}"/>{title}</g>'
        label = f"⇄ {describe_copies(edge.copies)}"
        x, y = edge.points[-1]
        width = text_width(label, 11, bold=True) + 10
        return (
            f'<g class="edge copy"><path d="{curve(edge.points)}"/>'
            f'<rect x="{_n(x - width / 2)}" y="{_n(y - 21)}" width="{_n(width)}" height="16" rx="8"/>'
            f'<text x="{_n(x)}" y="{_n(y - 9)}" text-anchor="middle">{escape(label)}</text>{title}</g>'
        )

    def _list(self, values: Sequence[ValueKey]) -> str:
        lines = [f"{shorten(v.name, 80)}: {shorten(self._flow.type_of(v), 80)}" for v in values[:MAX_LISTED]]
        return "\n".join([*lines, f"… {len(values) - MAX_LISTED} more"] if len(values) > MAX_LISTED else lines)

    def describe(self, node: int) -> str:
        """Everything about a node, for a tooltip."""
        placed = self._flow.nodes[node]
        lines = [
            shorten(placed.name, LONGEST_NAME),
            shorten(f"{placed.domain}::{placed.op_type}", LONGEST_NAME)
            + (f" (in the file: {shorten(placed.original, LONGEST_NAME)})" if placed.original else ""),
            shorten(
                f"runs on {placed.provider}" + (f", partition {placed.partition}" if placed.partition else ""),
                LONGEST_NAME,
            ),
        ]
        lines += [shorten(f"not on {name}: {reason}", LONGEST_NAME) for name, reason in placed.declined.items()]
        for title, names in (("in", placed.inputs), ("out", placed.outputs)):
            keys = [self._flow.home(placed.scope, name) for name in names if name]
            lines += [f"{title} {line}" for line in self._list(keys).splitlines()]
        return "\n".join(lines)


def curve(points: Sequence[Point]) -> str:
    """A path through points: straight where it goes down, an S where it changes column."""
    (x0, y0), *others = points
    parts = [f"M{_n(x0)} {_n(y0)}"]
    for x, y in others:
        if abs(x - x0) < 0.5:
            parts.append(f"L{_n(x)} {_n(y)}")
        else:
            bend = (y - y0) / 2
            parts.append(f"C{_n(x0)} {_n(y0 + bend)} {_n(x)} {_n(y - bend)} {_n(x)} {_n(y)}")
        x0, y0 = x, y
    return "".join(parts)


def _rect(width: float, height: float, radius: int = 6) -> str:
    return f'<rect width="{_n(width)}" height="{_n(height)}" rx="{radius}"/>'


def _sheets(width: float, height: float) -> str:
    """A rectangle with the edges of others behind it."""
    behind = "".join(
        f'<path class="sheet" d="M{d + 4} {_n(height + d)}H{_n(width + d - 4)}Q{_n(width + d)} {_n(height + d)} '
        f'{_n(width + d)} {_n(height + d - 4)}V{d + 4}"/>'
        for d in (4, 8)
    )
    return behind + _rect(width, height)


def _at(placed: Placed) -> str:
    return f' transform="translate({_n(placed.x)} {_n(placed.y)})"'


def _n(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")
