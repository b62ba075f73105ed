"""The same calls on onnxruntime and on ort_core, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name("values_parity_worker.py")

DEVIATIONS = {
    "ml_dtypes arrays": "onnxruntime has no ml_dtypes",
}


def answers(module):
    done = subprocess.run(
        [sys.executable, str(WORKER), module], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parity
def test_values_memory_and_bindings_answer_as_onnxruntime_does():
    theirs, ours = answers("onnxruntime"), answers("ort_core")
    assert theirs.keys() == ours.keys()
    assert len(theirs) > 250
    different = {label: (theirs[label], ours[label]) for label in theirs if theirs[label] != ours[label]}
    assert different.keys() == DEVIATIONS.keys(), different
