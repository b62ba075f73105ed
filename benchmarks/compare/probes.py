"""How fast the machine is right now: multiply-adds and memory bandwidth, in a process of their own.

With `ort_provider_cpu` installed its native probes are used; otherwise numpy's matrix product and copy stand for them.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.compare.process import Floor, Process
from benchmarks.compare.results import Probe
from benchmarks.compare.worker import serve

_SECONDS = 0.05
_BYTES = 128 << 20
_SIDE = 1024


def main(arguments: Sequence[str]) -> None:
    """Serves probes with so many threads."""
    serve(Probes(int(arguments[0])))


def start_probes(floor: Floor, threads: int) -> Process:
    """The process that measures."""
    return Process(floor, "probe", "benchmarks.compare.probes", str(threads), threads=threads)


def read_probe(process: Process) -> Probe:
    """One measurement.

    Raises:
        WorkerError: it failed.
    """
    return Probe(**process.ask("read"))


class Probes:
    """The probes; `read` is a request."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    def read(self) -> dict[str, Any]:
        """GFLOP/s of float32 multiply-adds, and GB/s of reading (native) or copying (numpy)."""
        native = self._native()
        if native is not None:
            gflops, bandwidth = native
            return {"gflops": gflops, "gbytes_per_s": bandwidth, "method": "native FMA and read"}
        return {"gflops": _sgemm(), "gbytes_per_s": _copy(), "method": "numpy sgemm and one-thread copy"}

    def _native(self) -> tuple[float, float] | None:
        try:
            native = importlib.import_module("ort_provider_cpu._native")
        except ImportError:
            return None
        if not hasattr(native, "probe_fma_gflops") or not hasattr(native, "probe_read_bandwidth"):
            return None
        gflops = native.probe_fma_gflops(_SECONDS, self._threads)
        return float(gflops), float(native.probe_read_bandwidth(_BYTES, self._threads))


def _sgemm() -> float:
    a = np.ones((_SIDE, _SIDE), np.float32)
    out = np.empty_like(a)
    return 2 * _SIDE**3 / _least(lambda: np.matmul(a, a, out=out)) / 1e9


def _copy() -> float:
    source = np.ones(_BYTES // 8, np.float32)
    target = np.empty_like(source)
    return 2 * source.nbytes / _least(lambda: np.copyto(target, source)) / 1e9


def _least(action: Callable[[], object]) -> float:
    action()
    times = []
    for _ in range(3):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)
