"""Cold start: what imports of this package add to numpy's own, in fresh processes taken in turn.

python -m benchmarks.cold_start [--runs N]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

_CODE = "import time, numpy; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def seconds(code: str) -> float:
    """How long `code` takes in a fresh interpreter that has imported numpy."""
    result = subprocess.run([sys.executable, "-c", _CODE.format(code)], check=True, capture_output=True, text=True)
    return float(result.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    cases = {
        "import ort_core": "import ort_core",
        "from ort_core import InferenceSession": "from ort_core import InferenceSession",
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(runs):
        for name, code in cases.items():
            times[name].append(seconds(code))
    for name, values in times.items():
        print(f"{name:40} {statistics.median(values) * 1e3:7.1f} ms over numpy")
    return 0


if __name__ == "__main__":
    sys.exit(main())
