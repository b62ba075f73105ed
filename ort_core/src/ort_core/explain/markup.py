"""Text from a model on its way into markup: escaped, cut to size, measured."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST_NAME = 300
TIMES = "\u00d7"
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u202a-\u202e\u2066-\u2069]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})


def escape(text: str) -> str:
    """`text` for element content and quoted attributes of HTML and SVG; what XML does not allow becomes U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text).translate(_ESCAPES)


def shorten(text: str, limit: int) -> str:
    """`text` on one line, its middle left out where it is longer than `limit`."""
    line = " ".join(text[: 4 * LONGEST_NAME].split()) if len(text) > limit or not text.isprintable() else text
    if len(line) <= limit and len(text) <= 4 * LONGEST_NAME:
        return line
    head = (limit - 1) // 2
    return f"{line[:head]}…{text[-(limit - 1 - head) :].strip()}"


def safe(text: str, limit: int = LONGEST_NAME) -> str:
    """`text` cut to `limit` and escaped."""
    return escape(shorten(text, limit))


def short_name(name: str, op_type: str, limit: int = 24) -> str:
    """The part of a node's name that tells most: the last folders, without the operator."""
    parts = [part for part in name[: 4 * LONGEST_NAME].split("/") if part]
    if len(parts) > 2 and re.fullmatch(rf"{re.escape(op_type)}(_?\d+)?", parts[-1]):
        parts.pop()
    text = "/".join(parts[-2:]) if len(parts) > 2 else "".join(parts[-1:])
    return "" if text == op_type else shorten(text if len(text) <= limit else parts[-1], limit)


def common_folder(names: Sequence[str]) -> str:
    """The leading folders that all names share, up to and with the last `/`."""
    low, high = min(names), max(names)
    same = next((at for at, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), min(len(low), len(high)))
    return low[: low.rfind("/", 0, same) + 1]


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Roughly how wide a sans-serif text is."""
    narrow = sum(text.count(c) for c in "iljtf.,:;'|!/ ()[]")
    wide = sum(1 for c in text if c.isupper() or c in "mw%…")
    return size * (0.61 * len(text) - 0.25 * narrow + 0.13 * wide) * (1.1 if bold else 1.0)


def format_bytes(size: int) -> str:
    """`512 B`, `12 KiB`, `3.4 MiB`."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        del units[0]
    unit = units[0]
    return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"


def percent(part: int, whole: int) -> str:
    """A share that is 0 % or 100 % only where it is exact."""
    share = 100 * part / whole if whole else 0.0
    if 0 < share < 1:
        return "<1 %"
    return ">99 %" if 99 < share < 100 else f"{share:.0f} %"
