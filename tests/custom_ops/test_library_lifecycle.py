"""onnxruntime-extensions over time: beside onnxruntime in one process, from many threads, in a thousand sessions."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tests.custom_ops import extensions_parity as parity
from tests.custom_ops.extensions_parity_bpe import GPT2
from tests.custom_ops.extensions_parity_wordpiece import BERT

pytest.importorskip("ort_custom_ops")
if not parity.library_path():
    pytest.skip("onnxruntime-extensions is not installed", allow_module_level=True)

_TEXT = parity.strings("The cats, sitting!")
_NODES = [
    parity.Node("BertTokenizer", [[_TEXT]], outputs=3, attributes=BERT),
    parity.Node("GPT2Tokenizer", [[parity.TEXTS]], outputs=2, attributes=GPT2),
    parity.Node("StringUpper", [[parity.TEXTS]]),
    parity.Node("Inverse", [[np.array([[2, 1], [1, 3]], np.float32)]]),
    parity.Node("StringRegexReplace", [[parity.TEXTS, parity.strings("[aeiou]"), parity.strings("<\\0>")]]),
]
TASKS = [(node.model(node.runs[0]), {f"input_{i}": x for i, x in enumerate(node.runs[0])}) for node in _NODES]

_PRELUDE = """
import importlib, os, pickle, sys
path, tasks = pickle.load(sys.stdin.buffer)

def open_sessions(name):
    runtime = importlib.import_module(name)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.register_custom_ops_library(path)
    return [runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"]) for model, _ in tasks]

def run(sessions):
    return [[x.tolist() for x in session.run(None, feed)] for session, (_, feed) in zip(sessions, tasks)]
"""


def start(code: str) -> Any:
    """What the code prints as a pickle, in a process of its own that must end well."""
    data = pickle.dumps((parity.library_path(), TASKS))
    done = subprocess.run([sys.executable, "-c", _PRELUDE + code], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    return pickle.loads(done.stdout)


@pytest.fixture(scope="module")
def expected() -> Any:
    return start("sys.stdout.buffer.write(pickle.dumps(run(open_sessions('ort_core'))))")


@pytest.mark.parity
@pytest.mark.parametrize("order", [("onnxruntime", "ort_core"), ("ort_core", "onnxruntime")])
def test_both_runtimes_in_one_process(order, expected):
    code = """
first = open_sessions({0!r})
before = run(first)
second = open_sessions({1!r})
results = [before, run(second), run(first), run(open_sessions({0!r})), run(second)]
sys.stdout.buffer.write(pickle.dumps(results))
"""
    for results in start(code.format(*order)):
        assert results == expected


@pytest.mark.parity
@pytest.mark.parametrize("order", [("onnxruntime", "ort_core"), ("ort_core", "onnxruntime")])
def test_errors_of_both_runtimes_in_one_process(order):
    code = """
from collections import Counter
sessions = {{name: open_sessions(name) for name in {0!r}}}
kinds = Counter()
for _ in range(20):
    for name, (_, _, _, inverse, _) in sessions.items():
        try:
            inverse.run(None, {{"input_0": __import__("numpy").zeros(3, "float32")}})
        except Exception as error:
            kinds[name, type(error).__name__, "Only 2-d matrix supported." in str(error)] += 1
sys.stdout.buffer.write(pickle.dumps(kinds))
"""
    assert start(code.format(order)) == {(name, "InvalidArgument", True): 20 for name in order}


def test_threads_share_a_session(expected):
    code = """
from concurrent.futures import ThreadPoolExecutor
sessions = open_sessions("ort_core")
with ThreadPoolExecutor(8) as pool:
    results = list(pool.map(lambda _: run(sessions), range(400)))
wanted = results[0]
sys.stdout.buffer.write(pickle.dumps((wanted, sum(result != wanted for result in results))))
"""
    first, different = start(code)
    assert first == expected
    assert different == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_thousand_sessions_leave_nothing_behind(expected):
    code = """
import gc

def usage():
    gc.collect()
    with open("/proc/self/status") as status:
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return resident, len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

points = []
for step in range(200):
    result = run(open_sessions("ort_core"))
    if step in (39, 199):
        points.append(usage())
sys.stdout.buffer.write(pickle.dumps((result, points)))
"""
    result, ((resident_before, *others_before), (resident_after, *others_after)) = start(code)
    assert result == expected
    assert others_after == others_before
    assert resident_after - resident_before < 2048, "KiB more after 800 more sessions"
