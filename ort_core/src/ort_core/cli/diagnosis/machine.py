"""What the machine gives this process: cores, instruction sets, memory, and the limits of its container."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator

from ort_core.cli.diagnosis.check import Check
from ort_core.cli.units import format_bytes
from ort_core.resources import cpu_quota, default_threads, memory_limit, read_text, usable_cores

_ISA_FLAGS = (
    "sse4_1", "sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni",
    "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve",
    "sve2", "sme",
)  # fmt: skip


def check_machine() -> Iterator[Check]:
    """Cores, threads, instruction sets, memory."""
    affinity, quota = usable_cores(), cpu_quota()
    detail = f"{os.cpu_count() or 1} in the machine, {affinity} usable by this process"
    if quota is not None:
        detail += f", limited by the container to {quota:g}"
    yield Check("machine", "cores", "ok", detail)
    threads = default_threads()
    yield Check("machine", "threads", "ok", f"{threads} unless SessionOptions.intra_op_num_threads says otherwise")
    if quota is not None and quota < 1:
        yield Check(
            "machine", "quota", "note", f"{quota:g} of a core: runs pause when it is used up", "Raise the limit."
        )
    yield Check("machine", "instructions", "ok", f"{platform.machine()}: {' '.join(isa_flags()) or 'not known here'}")
    yield _memory()


def isa_flags() -> list[str]:
    """The instruction sets that matter for inference, where the system tells."""
    for line in read_text("/proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            have = set(value.split())
            return [flag for flag in _ISA_FLAGS if flag in have]
    return []


def _memory() -> Check:
    fields: dict[str, int] = {}
    for line in read_text("/proc/meminfo").splitlines():
        key, _, value = line.partition(":")
        if value.endswith("kB"):
            fields[key] = int(value.split()[0]) * 1024
    limit = memory_limit()
    parts = []
    if "MemTotal" in fields:
        parts.append(f"{format_bytes(fields['MemTotal'])} in the machine")
    if "MemAvailable" in fields:
        parts.append(f"{format_bytes(fields['MemAvailable'])} available")
    if limit is not None:
        parts.append(f"limited by the container to {format_bytes(limit)}")
    return Check("machine", "memory", "ok", ", ".join(parts) or "not known here")
