"""One-node models of the operators of onnxruntime-extensions, run by a runtime in a process of its own."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper

CONTRIB = "ai.onnx.contrib"
MICROSOFT = "com.microsoft.extensions"
_ELEMENT_TYPES = {np.dtype(object): TensorProto.STRING}


@dataclass(frozen=True)
class Node:
    """An operator with attributes, and the inputs to run it with; None is an input that is left out."""

    op: str
    runs: Sequence[Sequence[np.ndarray | None]]
    outputs: int = 1
    attributes: dict[str, Any] = field(default_factory=dict)
    domain: str = CONTRIB

    def model(self, inputs: Sequence[np.ndarray | None]) -> bytes:
        """The one-node model; types of outputs are left to inference."""
        names = [f"input_{i}" if x is not None else "" for i, x in enumerate(inputs)]
        outputs = [f"output_{i}" for i in range(self.outputs)]
        node: NodeProto = helper.make_node(self.op, names, outputs, name="node", domain=self.domain, **self.attributes)
        described = [
            helper.make_tensor_value_info(name, _element_type(x), None)
            for name, x in zip(names, inputs, strict=True)
            if x is not None
        ]
        graph = helper.make_graph([node], self.op, described, [helper.make_empty_tensor_value_info(o) for o in outputs])
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid(self.domain, 1)]
        serialized: bytes = helper.make_model(graph, ir_version=10, opset_imports=opsets).SerializeToString()
        return serialized


@dataclass(frozen=True)
class Failure:
    """An exception of a runtime."""

    stage: str
    kind: str
    message: str


def _element_type(x: np.ndarray) -> int:
    return _ELEMENT_TYPES.get(x.dtype) or helper.np_dtype_to_tensor_dtype(x.dtype)


def strings(*values: Any) -> np.ndarray:
    """A string tensor: of one dimension, or of the nesting of the lists given."""
    return np.array(values, dtype=object)


def scalar(value: Any, dtype: Any = np.int64) -> np.ndarray:
    return np.array(value, dtype=object if isinstance(value, str) else dtype)


TEXTS = strings("the cat sat on the mat", "The cats, sitting!", "", "naïve café 日本語 😀", "  two  spaces ")


def library_path() -> str | None:
    """The library inside the installed package, which is not imported: it would import onnxruntime."""
    spec = importlib.util.find_spec("onnxruntime_extensions")
    folder = spec.submodule_search_locations[0] if spec and spec.submodule_search_locations else None
    return next((str(path) for path in sorted(Path(folder).glob("_extensions_pydll*"))), None) if folder else None


_WORKER = """
import importlib, pickle, sys
names, path, tasks = pickle.load(sys.stdin.buffer)
if "onnxruntime" not in names:
    sys.modules["onnxruntime"] = None
import onnxruntime_extensions._cuops  # registers ArgSort, an operator in Python

def attempt(stage, call):
    try:
        return call(), None
    except Exception as error:
        return None, (stage, type(error).__name__, str(error))

def session_of(runtime, model):
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.register_custom_ops_library(path)
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

def run_all(runtime):
    sessions = {}
    for model, feed in tasks:
        if model not in sessions:
            sessions[model] = attempt("create", lambda: session_of(runtime, model))
        session, failure = sessions[model]
        yield attempt("run", lambda: session.run(None, feed)) if session else (None, failure)

results = [list(run_all(importlib.import_module(name))) for name in names]
sys.stdout.buffer.write(b"RESULTS" + pickle.dumps(results))
"""


def evaluate(tasks: Sequence[tuple[bytes, dict[str, np.ndarray]]], *runtimes: str) -> list[list[list[Any] | Failure]]:
    """For each runtime the outputs of each task, or its failure; the runtimes come one after the other in one process.

    Args:
        tasks: serialized models, each with its inputs by name.
        runtimes: the modules of the runtimes' Python API.
    """
    data = pickle.dumps((runtimes, library_path(), tasks))
    done = subprocess.run([sys.executable, "-c", _WORKER], input=data, capture_output=True, check=False)
    head, found, results = done.stdout.partition(b"RESULTS")
    if done.returncode or not found:
        raise RuntimeError(f"{runtimes} ended with status {done.returncode}: {head + done.stderr[-3000:]!r}")
    return [
        [Failure(*failure) if failure else outputs for outputs, failure in of_runtime]
        for of_runtime in pickle.loads(results)
    ]
