"""Groups of convolutions with few channels as fewer, wider ones, whose weights between the old groups are zeros."""

from __future__ import annotations

import numpy as np

MAX_MERGED = 4
"""Groups that may become one: the products with zeros cost as many times the work."""


def groups_to_merge(group: int, in_channels: int, out_channels: int, block: int) -> int | None:
    """How many groups become one, so that those have whole blocks of channels, or all of them.

    Args:
        group: number of groups.
        in_channels, out_channels: of one group.

    Returns:
        None if that took more than `MAX_MERGED`.
    """
    for count in range(1, min(group, MAX_MERGED) + 1):
        is_aligned = count * in_channels % block == 0 and count * out_channels % block == 0
        if group % count == 0 and (is_aligned or count == group):
            return count
    return None


def merge_groups(weight: np.ndarray, group: int, count: int) -> np.ndarray:
    """Weights `[OC, C / group, kernel...]` for `group / count` groups: `[OC, count * C / group, kernel...]`."""
    out_channels, in_channels, *kernel = weight.shape
    rows = weight.reshape(group // count, count, out_channels // group, in_channels, *kernel)
    merged = np.zeros((*rows.shape[:3], count, *rows.shape[3:]), weight.dtype)
    for i in range(count):
        merged[:, i, :, i] = rows[:, i]
    return merged.reshape(out_channels, count * in_channels, *kernel)
