"""The static picture: summary above, drawing below, as one SVG file."""

from __future__ import annotations

from ort_core.explain.drawing import Drawing
from ort_core.explain.markup import escape, percent, safe, shorten, text_width
from ort_core.explain.report import PlacementReport
from ort_core.explain.stack import Placer
from ort_core.explain.style import drawing_style
from ort_core.explain.summary import brief, copies_line, reasons, shares, troubles

MARGIN = 20.0
LINE = 18.0
MIN_WIDTH = 760.0
MAX_REASONS = 8


def draw_report(report: PlacementReport, title: str = "") -> str:
    """A complete SVG document."""
    placer = Placer(report)
    placed = placer.place()
    width = max(placed.width + 2 * MARGIN, MIN_WIDTH)
    head, height = _summary(report, title or report.model or "model", width)
    placed.x, placed.y = (width - placed.width) / 2, height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ort" role="img" aria-label="where the model runs" width="{width:.0f}" '
        f'height="{height + placed.height + MARGIN:.0f}" '
        f'viewBox="0 0 {width:.0f} {height + placed.height + MARGIN:.0f}">'
        f"<style>{drawing_style()}</style>"
        f'<rect class="back" width="100%" height="100%"/>{head}{"".join(_drawing(report, placer).draw(placed))}</svg>'
    )


def draw_element(report: PlacementReport, placer: Placer) -> str:
    """The drawing alone, as an SVG element for a page that has the style."""
    placed = placer.place()
    width, height = placed.width + MARGIN, placed.height + MARGIN
    body = "".join(_drawing(report, placer).draw(placed))
    return (
        f'<svg class="ort" id="drawing" role="img" aria-label="where the model runs" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">{body}</svg>'
    )


def _drawing(report: PlacementReport, placer: Placer) -> Drawing:
    return Drawing(placer.flow, {share.provider: share.kind for share in shares(report)})


def _summary(report: PlacementReport, title: str, width: float) -> tuple[str, float]:
    y = MARGIN + 16
    parts = [f'<text x="{MARGIN}" y="{y}" style="font-size:18px;font-weight:700">{safe(title, 80)}</text>']
    y += 10
    total = max(len(report.nodes), 1)
    room, x = width - 2 * MARGIN, MARGIN
    for share in shares(report):
        if share.nodes:
            part = room * share.nodes / total
            parts.append(f'<rect class="dot {share.kind}" x="{x:.1f}" y="{y}" width="{part:.1f}" height="12"/>')
            x += part
    y += 14
    for share in shares(report):
        y += LINE
        status = "" if share.status == "ok" else f" — {shorten(share.status, 110)}"
        text = f"{share.nodes} nodes, {percent(share.nodes, len(report.nodes))}{status}"
        parts.append(f'<rect class="dot {share.kind}" x="{MARGIN}" y="{y - 10}" width="12" height="12" rx="2"/>')
        parts.append(f'<text class="op" x="{MARGIN + 20}" y="{y}">{safe(share.provider, 60)}</text>')
        shift = MARGIN + 32 + text_width(shorten(share.provider, 60), 12, bold=True)
        parts.append(f'<text x="{shift:.1f}" y="{y}">{escape(text)}</text>')
    lines = [("why", line) for line in troubles(report)]
    lines += [("copies", copies_line(report))] if report.copied else []
    lines += [("why", f"not on {brief(r.provider)}: {r.text} ({len(r.nodes)})") for r in reasons(report)[:MAX_REASONS]]
    for kind, line in lines:
        y += LINE
        parts.append(f'<text class="{kind}" x="{MARGIN}" y="{y}">{safe(line, int(width / 6))}</text>')
    return f"<g>{''.join(parts)}</g>", y + MARGIN
