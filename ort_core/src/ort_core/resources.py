"""What this process may use of the machine: cores and memory, by affinity and by the limits of its container."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator

_CGROUP = "/sys/fs/cgroup"
_UNLIMITED_BYTES = 1 << 60
_QUOTA_AGE_S = 1.0

_quota: tuple[float, float | None] | None = None


def default_threads() -> int:
    """Threads that suit this process: as many as it may use cores, rounded up."""
    quota = _recent_quota()
    return usable_cores() if quota is None else max(1, min(usable_cores(), math.ceil(quota)))


def _recent_quota() -> float | None:
    """`cpu_quota`, which takes longer than the rest of creating a small session, read again after `_QUOTA_AGE_S`."""
    global _quota  # noqa: PLW0603
    now = time.monotonic()
    if _quota is None or now - _quota[0] > _QUOTA_AGE_S:
        _quota = (now, cpu_quota())
    return _quota[1]


def usable_cores() -> int:
    """Cores that the process may be scheduled on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota() -> float | None:
    """Cores' worth of time that the container may use, or None without a limit."""
    quotas = []
    for folder in _cgroup_folders("cpu"):
        words = read_text(f"{folder}/cpu.max").split() or [
            read_text(f"{folder}/cpu.cfs_quota_us"),
            read_text(f"{folder}/cpu.cfs_period_us"),
        ]
        with contextlib.suppress(ValueError):
            quota, period = map(int, words)
            if quota > 0 and period > 0:
                quotas.append(quota / period)
    return min(quotas, default=None)


def memory_limit() -> int | None:
    """Bytes that the container may use, or None without a limit."""
    limits = []
    for folder in _cgroup_folders("memory"):
        for name in ("memory.max", "memory.high", "memory.limit_in_bytes"):
            text = read_text(f"{folder}/{name}")
            if text.isdecimal() and int(text) < _UNLIMITED_BYTES:
                limits.append(int(text))
    return min(limits, default=None)


def _cgroup_folders(controller: str) -> Iterator[str]:
    """The folders of this process and its parents, in version 2 of cgroups and in version 1."""
    for line in read_text("/proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            roots = [_CGROUP, f"{_CGROUP}/unified"]
        elif controller in controllers.split(","):
            roots = [f"{_CGROUP}/{controllers}", f"{_CGROUP}/{controller}"]
        else:
            continue
        for root in roots:
            parts = [part for part in path.split("/") if part]
            for count in range(len(parts), -1, -1):
                yield "/".join([root, *parts[:count]])


def read_text(path: str | os.PathLike[str]) -> str:
    """The text of a file of the system; empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
