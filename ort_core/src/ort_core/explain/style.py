"""Colours and style of the picture; the palette is that of Okabe and Ito, which colour-blind readers can tell apart."""

from __future__ import annotations

PALETTE = {
    "p0": "#0072b2",
    "p1": "#007f5f",
    "p2": "#cc79a7",
    "p3": "#56b4e9",
    "p4": "#b8a800",
    "p5": "#e69f00",
    "fallback": "#c24e00",
    "core": "#6b6b6b",
}
DARK_TEXT = ("p2", "p3", "p4", "p5")
"""Styles whose colour is too light for white text."""

COLOURS = """
.ort{--fg:#1b1f24;--muted:#59636e;--bg:#fff;--card:#fff;--line:#8b949e;--copy:#a3009b;--warn:#b54708;--frame:#57606a}
@media (prefers-color-scheme:dark){
.ort{--fg:#e8eaed;--muted:#a3acb5;--bg:#15181c;--card:#1f2329;--line:#6e7681;--copy:#f08bec;--warn:#ffa657;--frame:#9aa4ae}}
"""

DRAWING = """
.ort text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;font-size:12px;fill:var(--fg)}
.ort .back{fill:var(--bg)}
.ort .band>rect{fill-opacity:.1;stroke-width:1.5}
.ort .band>.head{fill-opacity:1;stroke:none}
.ort .band>.title{font-weight:600;fill:#fff}
.ort .fallback>rect{stroke-dasharray:7 4;stroke-width:2.5}
.ort .why{font-size:11px;fill:var(--warn)}
.ort text.copies{font-size:11px}.ort .copies{font-weight:600;fill:var(--copy);color:var(--copy)}
.ort .box>rect{fill:var(--card);stroke-width:1.2}
.ort .op{font-weight:600}
.ort .name{font-size:10.5px;font-weight:400;fill:var(--muted)}
.ort .declined .op{fill:var(--warn)}
.ort .flow>rect{fill-opacity:.06;stroke-width:1.5;stroke-dasharray:none}
.ort .block>rect{fill:none;stroke:var(--frame);stroke-width:1.5}
.ort .block>.sheet,.ort .frame>.sheet{stroke-opacity:.45}
.ort .times{font-size:14px;font-weight:700;fill:var(--frame)}
.ort .frame>rect{fill:none;stroke:var(--frame);stroke-width:1.5;stroke-dasharray:2 3}
.ort .body>rect{fill:var(--bg);stroke:var(--line);stroke-width:1}
.ort .pill>rect{fill:var(--card);stroke:var(--line)}
.ort .pill>text,.ort .small{font-size:11px}
.ort path{fill:none;stroke:var(--line);stroke-width:1.3}
.ort .edge:hover path{stroke-width:3;stroke:var(--fg)}
.ort .copy>path{stroke:var(--copy);stroke-width:2.2;stroke-dasharray:6 3}
.ort .copy>rect{fill:var(--card);stroke:var(--copy)}
.ort .copy>text{fill:var(--copy);font-size:11px;font-weight:600}
.ort .node:target>.mark,.ort .hit>.mark{fill:#ffd33d;fill-opacity:.55}
.ort .mark{fill:transparent}
"""


def drawing_style() -> str:
    """The style sheet of a drawing."""
    providers = "".join(
        f".ort .{kind}>rect,.ort .{kind}>.head{{fill:{colour};stroke:{colour}}}"
        f".ort .in-{kind} .box>rect{{stroke:{colour}}}.ort .dot.{kind}{{fill:{colour};background:{colour}}}"
        for kind, colour in PALETTE.items()
    )
    dark = "".join(f".ort .band.{kind}>.title{{fill:#111}}.bar .{kind}{{color:#111}}" for kind in DARK_TEXT)
    return COLOURS + providers + DRAWING + dark
