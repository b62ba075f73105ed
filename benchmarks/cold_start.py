"""Cold start: what `import ort_core` adds to numpy's own import, in fresh processes taken in turn.

python -m benchmarks.cold_start [--runs N]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

_CODE = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def seconds(code: str) -> float:
    """How long `code` takes in a fresh interpreter, the interpreter's own start not counted."""
    result = subprocess.run([sys.executable, "-c", _CODE.format(code)], check=True, capture_output=True, text=True)
    return float(result.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    cases = {
        "numpy": "import numpy",
        "numpy, ort_core": "import numpy, ort_core",
        "numpy, ort_core, InferenceSession": "import numpy; from ort_core import InferenceSession",
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(runs):
        for name, code in cases.items():
            times[name].append(seconds(code))
    base = statistics.median(times["numpy"])
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:36} {median * 1e3:7.1f} ms   {(median - base) * 1e3:+6.1f} ms over numpy")
    return 0


if __name__ == "__main__":
    sys.exit(main())
