"""What a process must not have to load, or look up twice, to create a small session."""

import os
import subprocess
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper

import ort_core as ort
from ort_core.providers import entry_points

SESSION = """
import sys
import numpy as np
import ort_core as ort
from ort_core.providers import registry
from ort_core.providers.spec import Claim, Executable, Plugin, Provider

class Whole(Executable):
    def run(self, ctx, inputs):
        return [np.maximum(inputs[0], 0)]
    def fast_run(self, feeds, fetches):
        return [np.maximum(feeds["x"], 0)] if fetches is None else NotImplemented

class Native(Provider):
    name = "NativeExecutionProvider"
    def claim(self, view):
        return [Claim(view.nodes)]
    def compile(self, partition, ctx):
        return Whole()

class NativePlugin(Plugin):
    name, api = Native.name, (1, 0)
    def create(self, options, env):
        return Native()

registry.register_plugin(NativePlugin())
before = set(sys.modules)
session = ort.InferenceSession(sys.argv[1], providers=[Native.name])
assert session.run(None, {"x": np.array([-1, 2], np.float32)})[0].tolist() == [0, 2]
unwanted = {
    "onnx", "google.protobuf", "ml_dtypes", "importlib.metadata", "pluggy", "logging", "json", "pathlib", "hashlib",
    "ort_core.plan.builder", "ort_core.run.executor", "ort_core.reference_ops", "ort_core.io_binding", "ort_core.ort_value",
}
print(*sorted(unwanted & (set(sys.modules) - before)))
assert session.run(["y"], {"x": np.array([-1, 2], np.float32)})[0].tolist() == [0, 2]
assert session.get_providers()[0] == Native.name
"""

LOGGER = """
import sys
from ort_core.log import logger_of, session_logger
early = logger_of("ort_core.early")
assert "logging" not in sys.modules
early.warning("told %s", "early")
import logging
assert early.isEnabledFor(logging.ERROR) and early.name == "ort_core.early"
assert isinstance(logger_of("ort_core.late"), logging.Logger)
assert isinstance(session_logger("", 2), logging.Logger)
"""


@pytest.fixture
def model_path(tmp_path):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    return str(tmp_path / "m.onnx")


def run(program: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)


def test_a_small_session_loads_neither_onnx_nor_what_it_does_not_use(model_path):
    assert run(SESSION, model_path).stdout.strip() == ""


def test_a_logger_imports_logging_when_it_is_used():
    assert run(LOGGER).stderr.strip() == "told early"


def test_a_session_looks_for_new_packages_once(model_path, monkeypatch):
    ort.InferenceSession(model_path, providers=["ReferenceExecutionProvider"])
    scans = []
    original = entry_points._scan_now
    monkeypatch.setattr(entry_points, "_scan_now", lambda: scans.append(1) or original())
    session = ort.InferenceSession(model_path, providers=["ReferenceExecutionProvider"])
    assert len(scans) == 1
    assert session.run(None, {"x": np.array([-1, 2], np.float32)})[0].tolist() == [0, 2]


def test_a_package_that_appears_within_a_scan_is_found_after_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))

    def names() -> set[str]:
        return {entry.name for entry in entry_points.entry_points(entry_points.PROVIDERS)}

    with entry_points.scanned_once(), entry_points.scanned_once():
        assert "NewExecutionProvider" not in names()
        folder = tmp_path / "new_provider-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Name: new-provider\nVersion: 1\n")
        (folder / "entry_points.txt").write_text("[ort_core.providers]\nNewExecutionProvider = new_provider:plugin\n")
        os.utime(tmp_path, ns=(1, 1))
        assert "NewExecutionProvider" not in names()
    assert "NewExecutionProvider" in names()
