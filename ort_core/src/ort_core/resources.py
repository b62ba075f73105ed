"""What this process may use of the machine: cores and memory, by affinity and by the limits of its container."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_UNLIMITED_BYTES = 1 << 60


def default_threads() -> int:
    """Threads that suit this process: as many as it may use cores, rounded up."""
    quota = cpu_quota()
    return usable_cores() if quota is None else max(1, min(usable_cores(), math.ceil(quota)))


def usable_cores() -> int:
    """Cores that the process may be scheduled on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota() -> float | None:
    """Cores' worth of time that the container may use, or None without a limit."""
    quotas = []
    for folder in _cgroup_folders("cpu"):
        words = read_text(folder / "cpu.max").split() or [
            read_text(folder / "cpu.cfs_quota_us"),
            read_text(folder / "cpu.cfs_period_us"),
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
            text = read_text(folder / name)
            if text.isdecimal() and int(text) < _UNLIMITED_BYTES:
                limits.append(int(text))
    return min(limits, default=None)


def _cgroup_folders(controller: str) -> Iterator[Path]:
    """The folders of this process and its parents, in version 2 of cgroups and in version 1."""
    for line in read_text(Path("/proc/self/cgroup")).splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            roots = [_CGROUP, _CGROUP / "unified"]
        elif controller in controllers.split(","):
            roots = [_CGROUP / controllers, _CGROUP / controller]
        else:
            continue
        for root in roots:
            folder = root / path.lstrip("/")
            while folder not in (root.parent, folder.parent):
                yield folder
                folder = folder.parent


def read_text(path: Path) -> str:
    """The text of a file of the system; empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
