"""What all tests share: the repository on the path, and onnxruntime in a process of its own."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

_WORKER = """
import pickle, sys
import onnxruntime as ort
ort.set_default_logger_severity(3)
model, feeds, names, optimize = pickle.load(sys.stdin.buffer)
options = ort.SessionOptions()
options.intra_op_num_threads = 1
if not optimize:
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
sys.stdout.buffer.write(pickle.dumps([session.run(names, feed) for feed in feeds]))
"""


def run_onnxruntime(model, feeds, names=None, *, optimize=True):
    """Results of real onnxruntime for each feed; `model` is a path or bytes."""
    data = pickle.dumps((str(model) if isinstance(model, Path) else model, feeds, names, optimize))
    result = subprocess.run([sys.executable, "-c", _WORKER], input=data, capture_output=True, check=False)
    if result.returncode:
        pytest.fail(f"onnxruntime failed: {result.stderr.decode()[-2000:]}")
    return pickle.loads(result.stdout)


@pytest.fixture(scope="session")
def onnxruntime_results():
    """`run_onnxruntime`, for tests that compare with it."""
    return run_onnxruntime


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """Where filled benchmark models are kept during the test session."""
    return tmp_path_factory.mktemp("models")
