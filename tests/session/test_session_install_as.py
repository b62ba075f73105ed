from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
PREFIX = f"""
import sys
sys.path.insert(0, {HERE!r})
import numpy as np
from session_models import ADD
import ort_core
"""


def run(code, *, install=True):
    start = "ort_core.install_as_onnxruntime()\n" if install else ""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREFIX + start + code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_gives_this_package_under_the_version_that_it_follows():
    assert run(
        "import onnxruntime as rt\n"
        "print(rt.__version__, rt.version, rt.get_version_string(), rt.InferenceSession is ort_core.InferenceSession)"
    ) == ["1.31.1", "1.31.1", "1.31.1", "True"]


def test_program_written_for_onnxruntime_runs_unchanged():
    code = """
import onnxruntime as rt
from onnxruntime import GraphOptimizationLevel, InferenceSession, RunOptions, SessionOptions, get_available_providers
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, NoSuchFile, NotImplemented, RuntimeException
options = SessionOptions()
options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
session = InferenceSession(ADD, options, providers=rt.get_available_providers())
names = [i.name for i in session.get_inputs()]
print(session.run([session.get_outputs()[0].name], {names[0]: np.ones((1, 2), np.float32)})[0].tolist())
try:
    session.run(None, {"x": np.ones((1, 2))})
except InvalidArgument as error:
    print("tensor(double)" in str(error))
try:
    rt.InferenceSession("missing.onnx")
except NoSuchFile:
    print("missing")
"""
    assert run(code) == ["[[2.0,", "3.0]]", "True", "missing"]


def test_submodules_that_programs_use():
    code = """
import onnxruntime.capi._pybind_state as C
from onnxruntime.capi import _pybind_state, onnxruntime_pybind11_state as state
from onnxruntime.capi.onnxruntime_inference_collection import InferenceSession, OrtValue
import onnxruntime, onnxruntime.capi
print(C is _pybind_state, onnxruntime.capi._pybind_state is C, C.get_available_providers() != [])
print(state.EPFail is ort_core.errors.EPFail, issubclass(state.RuntimeException, RuntimeError))
print(OrtValue is onnxruntime.OrtValue, "InferenceSession" in dir(onnxruntime))
"""
    assert run(code) == ["True", "True", "True", "True", "True", "True", "True"]


def test_every_exception_of_onnxruntime_is_there():
    code = """
from onnxruntime.capi import onnxruntime_pybind11_state as state
names = ["DeviceReset", "EPFail", "EngineError", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf",
         "ModelLoadCanceled", "ModelLoaded", "ModelRequiresCompilation", "NoModel", "NoSuchFile", "NotFound",
         "NotImplemented", "RuntimeException"]
print(all(issubclass(getattr(state, n), Exception) for n in names))
"""
    assert run(code) == ["True"]


def test_backend_is_ours():
    code = """
import onnxruntime.backend as backend
import ort_core.backend
from onnxruntime.backend import prepare
import onnxruntime
print(backend is ort_core.backend, onnxruntime.backend is backend, ort_core.backend.__spec__.name, callable(prepare))
"""
    assert run(code) == ["True", "True", "ort_core.backend", "True"]


def test_what_is_missing_is_reported_as_missing():
    code = """
import importlib.util
import onnxruntime
print(importlib.util.find_spec("onnxruntime") is not None, importlib.util.find_spec("onnxruntime.training"))
for statement in ("import onnxruntime.quantization", "from onnxruntime import no_such_name"):
    try:
        exec(statement)
    except ImportError as error:
        print(type(error).__name__)
try:
    onnxruntime.no_such_name
except AttributeError as error:
    print("ort-core" in str(error))
"""
    assert run(code) == ["True", "None", "ModuleNotFoundError", "ImportError", "True"]


def test_it_may_be_installed_twice():
    assert run(
        "import onnxruntime as a\nort_core.install_as_onnxruntime()\nimport onnxruntime as b\nprint(a is b)"
    ) == ["True"]


@pytest.mark.parity
def test_it_is_refused_after_the_real_one_was_imported():
    code = """
import onnxruntime
try:
    ort_core.install_as_onnxruntime()
except ort_core.errors.Fail as error:
    print("already" in str(error), "ort_core" not in onnxruntime.__doc__)
"""
    code = "import ort_core.errors\n" + code
    assert run(code, install=False) == ["True", "True"]


def test_sessions_pickle_under_the_name_of_this_package():
    code = """
import pickle, onnxruntime
data = pickle.dumps(onnxruntime.InferenceSession(ADD))
print(b"onnxruntime" in data, pickle.loads(data).get_inputs()[0].name)
"""
    assert run(code) == ["False", "x"]
