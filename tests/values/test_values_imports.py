from __future__ import annotations

import subprocess
import sys

HEAVY = ["onnx", "ml_dtypes", "importlib.metadata", "ort_core.providers", "ort_core.session", "onnxruntime"]


def test_values_and_memory_load_nothing_heavy():
    code = (
        "import sys, ort_core.io_binding, ort_core.dlpack, ort_core.sparse, ort_core.memory.registry\n"
        "import numpy as np\n"
        "ort_core.io_binding.OrtValue.ortvalue_from_numpy(np.ones(3)).__dlpack__()\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
