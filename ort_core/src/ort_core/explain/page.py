"""The page: summary above, drawing on the left, reasons, copies and repeats on the right, all nodes below."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence

from ort_core.explain.flow import Flow
from ort_core.explain.markup import LONGEST_NAME, TIMES, escape, format_bytes, percent, safe, shorten
from ort_core.explain.page_assets import PAGE_SCRIPT, PAGE_STYLE
from ort_core.explain.picture import Block, Frame, repeats, stand_ins
from ort_core.explain.report import NodePlacement, PlacementReport
from ort_core.explain.stack import Placer
from ort_core.explain.style import drawing_style
from ort_core.explain.summary import Share, brief, copies_line, headline, reasons, routes, shares, troubles
from ort_core.explain.svg import draw_element

MAX_LISTED = 60
"""Nodes or tensors in a list; the table below has all."""


def render_page(report: PlacementReport, title: str = "") -> str:
    """A complete HTML document that loads nothing from anywhere."""
    placer = Placer(report)
    shown = stand_ins(placer.graph, placer.flow)
    name = safe(title or report.model or "model", 120)
    digest = base64.b64encode(hashlib.sha256(PAGE_SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    aside = "".join(
        (
            *_tools(),
            *_reasons(report, shown),
            *_copies(report),
            *_repeats(list(repeats(placer.graph)), placer.flow),
            *_legend(),
        )
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{name}: where it runs</title><style>{PAGE_STYLE}{drawing_style()}</style></head>"
        f'<body class="ort">{_header(report, name)}<main><div class="view">{draw_element(report, placer)}</div>'
        f"<aside>{aside}</aside></main>{_table(report, shown)}<script>{PAGE_SCRIPT}</script></body></html>"
    )


def render_frame(report: PlacementReport) -> str:
    """The page inside a frame, so that neither its style nor its script reaches the notebook around it."""
    return (
        f'<iframe srcdoc="{escape(render_page(report))}" sandbox="allow-scripts" width="100%" height="700" '
        'style="border:1px solid #8b949e"></iframe>'
    )


def _header(report: PlacementReport, name: str) -> str:
    parts = shares(report)
    total = len(report.nodes)
    lines = safe(headline(report)) + "".join(f' <span class="bad">{safe(line)}</span>' for line in troubles(report))
    lines += f' <span class="copies">{escape(copies_line(report))}</span>' if report.copied else ""
    bar = "".join(_bar_part(share, total) for share in parts if share.nodes)
    rows = "".join(_provider_row(share, total) for share in parts)
    return (
        f'<header><h1>{name}</h1><p class="headline">{lines}</p><div class="bar">{bar}</div>'
        f'<table class="providers">{rows}</table></header>'
    )


def _bar_part(share: Share, total: int) -> str:
    label = escape(f"{brief(share.provider)} {percent(share.nodes, total)}")
    return f'<span class="dot {share.kind}" style="flex:{share.nodes}" title="{label}">{label}</span>'


def _provider_row(share: Share, total: int) -> str:
    bad = " bad" if share.is_bad else ""
    return (
        f'<tr><td><span class="dot {share.kind}"></span><b>{safe(share.provider)}</b></td>'
        f"<td>{share.nodes} nodes</td><td>{percent(share.nodes, total)}</td>"
        f'<td class="status{bad}">{safe(share.status, 2 * LONGEST_NAME)}</td></tr>'
    )


def _tools() -> Iterator[str]:
    yield (
        '<div class="script" hidden><div class="tools"><input id="find" type="search" placeholder="find a node, operator, '
        'reason"><button id="out">&minus;</button><button id="fit">fit</button><button id="in">+</button></div>'
        '<div id="detail">Point at a node or a line to see names, types and reasons here.</div></div>'
    )


def _reasons(report: PlacementReport, shown: Mapping[int, int]) -> Iterator[str]:
    yield "<h2>Why not elsewhere</h2>"
    groups = reasons(report)
    if not groups:
        yield '<p class="muted">No provider declined a node.</p>'
    for provider in dict.fromkeys(group.provider for group in groups):
        yield f"<p>Not on <b>{safe(provider)}</b>:</p>"
        for group in groups:
            if group.provider == provider:
                items = [_link(report.nodes[n], shown.get(n, n)) for n in group.nodes[:MAX_LISTED]]
                yield (
                    f'<details><summary><span class="count">{len(group.nodes)}</span>'
                    f"{safe(group.text)}</summary>{_list(items, len(group.nodes))}</details>"
                )


def _copies(report: PlacementReport) -> Iterator[str]:
    yield "<h2>Copies in each run</h2>"
    if not report.copied:
        yield '<p class="muted">None: everything runs in one memory.</p>'
        return
    for route in routes(report):
        yield f'<p class="copies">⇄ {safe(route)}</p>'
    items = [
        safe(f"{copy.scope}{copy.value}")
        + f' <span class="muted">→ {safe(copy.target)}, '
        + ("size known when it runs" if copy.size_bytes is None else format_bytes(copy.size_bytes))
        + "</span>"
        for copy in report.copied[:MAX_LISTED]
    ]
    yield f"<details><summary>the tensors</summary>{_list(items, len(report.copied))}</details>"


def _repeats(found: Sequence[Frame | Block], flow: Flow) -> Iterator[str]:
    yield "<h2>Drawn once for several copies</h2>"
    if not found:
        yield '<p class="muted">Nothing: every node is drawn.</p>'
    for repeat in found:
        first = repeat.copies[0]
        copies = "".join(
            f"<details><summary>{_range(flow, copy)}</summary>{_list([_plain(flow.nodes[n]) for n in copy], len(copy))}"
            "</details>"
            for copy in repeat.copies
        )
        yield (
            f'<details><summary><span class="count">{TIMES} {len(repeat.copies)}</span> {len(first)} nodes each, '
            f'<a href="#n{first[0]}">{safe(flow.nodes[first[0]].op_type, 40)}</a> …</summary>{copies}</details>'
        )


def _range(flow: Flow, copy: Sequence[int]) -> str:
    first, last = (safe(flow.nodes[n].name, 60) for n in (copy[0], copy[-1]))
    return first if len(copy) == 1 else f"{first} … {last}"


def _legend() -> Iterator[str]:
    lines = (
        "Time runs down. A coloured region is a partition, run as a whole, in the column of its provider.",
        "A region with a dashed border fell back to a provider that was not asked for.",
        '<span class="copies">⇄ Dashed lines</span> are copies from device to device.',
        "⚠ marks a node that another provider declined.",
        "Nodes in one box feed each other in a line.",
        "&times; 12 stands for twelve equal parts that follow each other.",
    )
    yield f"<h2>How to read it</h2>{_list(lines, len(lines))}"


def _table(report: PlacementReport, shown: Mapping[int, int]) -> str:
    rows = "".join(_row(node, shown.get(index, index)) for index, node in enumerate(report.nodes))
    head = "".join(
        f"<th>{name}</th>" for name in ("node", "operator", "in the file", "provider", "partition", "declined by")
    )
    return (
        f'<section class="all"><details><summary>All {len(report.nodes)} nodes in the order in which they run</summary>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details></section>"
    )


def _row(node: NodePlacement, shown: int) -> str:
    declined = "; ".join(f"{brief(name)}: {shorten(reason, LONGEST_NAME)}" for name, reason in node.declined.items())
    cells = (f"{node.domain}::{node.op_type}", node.original, node.provider, node.partition, declined)
    return (
        f'<tr data-at="n{shown}"><td>{_link(node, shown)}</td>'
        + "".join(f"<td>{safe(cell, 2 * LONGEST_NAME)}</td>" for cell in cells)
        + "</tr>"
    )


def _link(node: NodePlacement, shown: int) -> str:
    name = safe(f"{node.scope}{node.name}") or "(no name)"
    return f'<a href="#n{shown}">{name}</a>'


def _plain(node: NodePlacement) -> str:
    return f'<b>{safe(node.op_type, 40)}</b> <span class="muted">{safe(node.name)}</span>'


def _list(items: Sequence[str], total: int) -> str:
    more = f"<li>… {total - len(items)} more</li>" if total > len(items) else ""
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}{more}</ul>"
