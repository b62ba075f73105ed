"""Several processes and threads at once, and what a hit costs them."""

import hashlib
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cache_compare
import numpy as np
import pytest
from cache_models import MODEL, REFERENCE, chain, entries, saved

import ort_core as ort
from ort_core.cache.lookup import prepare_cached
from ort_core.ir.tensors import ArrayWeight
from ort_core.prepare import prepare
from tests.conftest import ROOT

WORKER = """
import os, sys, hashlib
sys.path[:0] = sys.argv[3].split(os.pathsep)
import numpy as np
import ort_core as ort
from ort_core.cache import digests
digests._FINE_TICK_NS = digests._COARSE_TICK_NS = -10**9
options = ort.SessionOptions()
options.add_session_config_entry("session.optimized_model_cache_dir", sys.argv[1])
options.add_session_config_entry("session.optimized_model_cache_max_bytes", sys.argv[4])
names = sorted(os.listdir(sys.argv[2]))
sys.stdin.readline()
for _ in range(2):
    for name in names:
        session = ort.InferenceSession(os.path.join(sys.argv[2], name), options, ["ReferenceExecutionProvider"])
        result = session.run(None, {"x": np.ones((2, 20), np.float32)})[0]
        print(name, hashlib.sha256(result.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("max_bytes", [1 << 30, 9_000])
def test_eight_processes_at_once(max_bytes, cache, tmp_path):
    for seed in range(4):
        saved(chain(seed), tmp_path / "models" / f"{seed}.onnx")
    command = [
        sys.executable,
        "-W",
        "error",
        "-c",
        WORKER,
        str(cache),
        str(tmp_path / "models"),
        str(ROOT),
        str(max_bytes),
    ]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    workers = [subprocess.Popen(command, text=True, **pipes) for _ in range(8)]
    outputs = []
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        out, err = worker.communicate(timeout=240)
        assert worker.returncode == 0, err
        assert not err
        outputs += out.splitlines()
    assert len(outputs) == 8 * 2 * 4
    assert len(set(outputs)) == 4
    for line in set(outputs):
        name, _ = line.split()
        session = ort.InferenceSession(tmp_path / "models" / name, providers=REFERENCE)
        result = session.run(None, {"x": np.ones((2, 20), np.float32)})[0]
        assert hashlib.sha256(result.tobytes()).hexdigest() in line
    assert not [f for f in cache.iterdir() if f.suffix == ".tmp"]


def test_threads_at_once(options):
    models = [chain(seed).SerializeToString() for seed in range(4)] * 8
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda m: prepare_cached(m, options), models))
    for model, prepared in zip(models, found, strict=True):
        cache_compare.assert_same(prepare(model, ort.SessionOptions()), prepared)


QUICK = """
import sys
import numpy
import ort_core as ort
from ort_core.cache.decode import StoredModel
from ort_core.cache.lookup import prepare_cached
options = ort.SessionOptions()
options.add_session_config_entry("session.optimized_model_cache_dir", sys.argv[1])
assert isinstance(prepare_cached(sys.stdin.buffer.read(), options).model, StoredModel)
unwanted = {"onnx", "ml_dtypes", "google.protobuf", "ort_core.infer.shapes", "ort_core.optimize.pipeline", "importlib.metadata"}
print(sorted(unwanted & sys.modules.keys()))
"""


def test_a_hit_imports_neither_onnx_nor_inference_nor_passes(options, cache):
    prepare_cached(MODEL, options)
    done = subprocess.run([sys.executable, "-c", QUICK, cache], input=MODEL, capture_output=True, check=False)
    assert done.stdout.strip() == b"[]", done.stderr


def test_sessions_without_a_cache_do_not_import_it():
    code = (
        "import sys, ort_core as ort; ort.InferenceSession(sys.stdin.buffer.read(), providers=['ReferenceExecutionProvider']);"
        "print(sorted(m for m in sys.modules if m.startswith('ort_core.cache.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=MODEL, capture_output=True, check=False)
    assert done.stdout.strip() == b"['ort_core.cache.lookup', 'ort_core.cache.settings']", done.stderr


def test_a_model_that_has_no_form_is_not_cached(options, cache, monkeypatch):
    class Odd(ArrayWeight):
        pass

    def odd(*args, **keywords):
        prepared = prepare(*args, **keywords)
        prepared.model.graph.initializers["c"].const = Odd(np.ones((20, 20), np.float32))
        return prepared

    monkeypatch.setattr("ort_core.cache.lookup.prepare", odd)
    prepare_cached(MODEL, options)
    assert not entries(cache)


def test_a_pickled_session_finds_the_cache_again(options, tmp_path):
    path = saved(chain(), tmp_path / "m.onnx")
    session = ort.InferenceSession(path, options, REFERENCE)
    again = pickle.loads(pickle.dumps(session))
    feeds = {"x": np.ones((2, 20), np.float32)}
    assert cache_compare.same_results(session.run(None, feeds), again.run(None, feeds))
