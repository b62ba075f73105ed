"""Sizes, durations and counts as people read them."""

from __future__ import annotations


def format_bytes(size: int) -> str:
    """`812 B`, `4.0 KiB`, `415.1 MiB`."""
    if size < 1024:
        return f"{size} B"
    value = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"


def format_seconds(seconds: float) -> str:
    """Three significant digits: `12.3 us`, `4.56 ms`, `1.20 s`."""
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= scale or unit == "us":
            value = seconds / scale
            return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"
    return "0 s"


def format_count(count: int, one: str, many: str = "") -> str:
    """`1 node`, `2 nodes`, `1,061 nodes`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
