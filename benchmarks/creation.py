"""Session creation: time, and anonymous memory while it lasts, each model in a process of its own.

    python -m benchmarks.creation FOLDER [NAME ...] [--runs N] [--json]

Memory is the peak of RssAnon over its value before the model is loaded, as a ratio to the model file's size (Linux). `hit s`
is the time with the optimised-model cache switched on, when it has the model already.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.models import NAMES, materialize

PROVIDERS = ["ReferenceExecutionProvider"]
SKIPPED = {"llama_step_int4"}
"""Has operators of a domain that no installed provider implements."""


def anonymous_bytes() -> int:
    """RssAnon of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    return 0


def measure(path: str) -> dict[str, float]:
    """Creates one session on the reference provider."""
    import ort_core as ort

    before = anonymous_bytes()
    peak = before
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.002):
            peak = max(peak, anonymous_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    session = ort.InferenceSession(path, providers=PROVIDERS)
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    peak = max(peak, anonymous_bytes())
    session.close()
    return {"seconds": seconds, "anonymous_ratio": (peak - before) / Path(path).stat().st_size}


def repeat(path: Path, runs: int, cache: str = "") -> list[dict[str, float]]:
    """Measures in new processes, with a cache folder if one is given."""
    command = [sys.executable, "-m", "benchmarks.creation", "--measure", str(path)]
    environment = {**os.environ, "ORT_CORE_CACHE_DIR": cache}
    return [
        json.loads(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)
        for _ in range(runs)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="where the filled models are kept")
    parser.add_argument("names", nargs="*", default=[n for n in NAMES if n not in SKIPPED])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.folder)))
        return 0
    table: dict[str, Any] = {}
    for name in arguments.names:
        path = materialize(name, arguments.folder)
        runs = repeat(path, arguments.runs)
        with tempfile.TemporaryDirectory() as cache:
            repeat(path, 1, cache)
            hits = repeat(path, arguments.runs, cache)
        table[name] = {
            "megabytes": path.stat().st_size / 1e6,
            "seconds": statistics.median(r["seconds"] for r in runs),
            "hit_seconds": statistics.median(r["seconds"] for r in hits),
            "anonymous_ratio": max(r["anonymous_ratio"] for r in runs),
        }
    if arguments.json:
        print(json.dumps(table, indent=2))
        return 0
    print(f"{'model':16} {'MB':>8} {'create s':>9} {'hit s':>7} {'RssAnon/file':>13}")
    for name, row in table.items():
        print(
            f"{name:16} {row['megabytes']:8.1f} {row['seconds']:9.3f} {row['hit_seconds']:7.3f} {row['anonymous_ratio']:13.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
