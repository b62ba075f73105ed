"""onnxruntime_extensions' own Python API on this runtime under the name onnxruntime, against real onnxruntime."""

from __future__ import annotations

import importlib.util
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ort_custom_ops._native")
pytestmark = [
    pytest.mark.parity,
    # Looked up and not imported: real onnxruntime stays out of this process.
    *(
        pytest.mark.skipif(importlib.util.find_spec(name) is None, reason=f"{name} is not installed")
        for name in ("onnxruntime", "onnxruntime_extensions")
    ),
]

WORKER = Path(__file__).parent / "extensions_api_worker.py"
NAMES = re.findall(r"^@case\ndef (\w+)", WORKER.read_text(encoding="utf-8"), re.MULTILINE)
KINDS = re.findall(r'^    "(\w+)": TensorProto', WORKER.read_text(encoding="utf-8"), re.MULTILINE)


def _outcomes(runtime, folder):
    path = folder / f"{runtime}.pickle"
    done = subprocess.run(
        [sys.executable, str(WORKER), runtime, str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{runtime}: {done.stderr[-3000:]}"
    return pickle.loads(path.read_bytes())


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extensions")
    return {runtime: _outcomes(runtime, folder) for runtime in ("real", "ours")}


@pytest.mark.parametrize("name", [*NAMES, *(f"element_{kind}" for kind in KINDS)])
def test_same_result_as_on_onnxruntime(outcomes, name):
    (kind, real), ours = outcomes["real"][name], outcomes["ours"][name]
    assert kind == "result", real
    assert ours[0] == "result", ours[1]
    _same(real, ours[1])


def _same(real, ours):
    if isinstance(real, np.ndarray):
        assert (ours.dtype, ours.shape) == (real.dtype, real.shape)
        assert ours.tolist() == real.tolist()
    elif isinstance(real, list | tuple):
        assert (type(ours), len(ours)) == (type(real), len(real))
        for one, other in zip(real, ours, strict=True):
            _same(one, other)
    else:
        assert ours == real
