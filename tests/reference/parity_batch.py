"""Runs many one-node models with onnxruntime in one process of its own."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any, NamedTuple

import numpy as np
from onnx import TensorProto, helper

_WORKER = """
import pickle, sys
import onnxruntime as ort
ort.set_default_logger_severity(4)
options = ort.SessionOptions()
options.intra_op_num_threads = 1
answers = []
for model, feeds in pickle.load(sys.stdin.buffer):
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        answers.append(session.run(None, feeds))
    except Exception as error:
        answers.append(str(error))
sys.stdout.buffer.write(pickle.dumps(answers))
"""


class EdgeCase(NamedTuple):
    """One node with inputs (None for absent ones) and the element types of its outputs (0 for absent ones)."""

    op_type: str
    inputs: tuple[Any, ...]
    types: tuple[int, ...]
    opset: int
    domain: str
    attributes: dict[str, Any]

    def __str__(self) -> str:
        return "-".join([self.op_type, *(f"{k}={str(v)[:24]}" for k, v in self.attributes.items())])

    def model(self) -> bytes:
        names = [f"x{i}" if v is not None else "" for i, v in enumerate(self.inputs)]
        results = [f"y{i}" if t else "" for i, t in enumerate(self.types)]
        node = helper.make_node(self.op_type, names, results, domain=self.domain, **self.attributes)
        infos = [
            helper.make_tensor_value_info(name, element(v), v.shape)
            for name, v in zip(names, self.inputs, strict=True)
            if v is not None
        ]
        outputs = [helper.make_tensor_value_info(n, t, None) for n, t in zip(results, self.types, strict=True) if n]
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid("ai.onnx.ml", 3)]
        graph = helper.make_graph([node], "g", infos, outputs)
        return helper.make_model(graph, opset_imports=imports, ir_version=10).SerializeToString()

    def feeds(self) -> dict[str, Any]:
        return {f"x{i}": v for i, v in enumerate(self.inputs) if v is not None}


def element(value: np.ndarray) -> int:
    return TensorProto.STRING if value.dtype == object else helper.np_dtype_to_tensor_dtype(value.dtype)


def edge(
    op_type: str,
    *inputs: Any,
    types: tuple[int, ...] | None = None,
    opset: int = 22,
    domain: str = "",
    **attributes: Any,
) -> EdgeCase:
    """A case whose one output has by default the type of the first input."""
    first = next((v for v in inputs if v is not None), None)
    given = types or (TensorProto.FLOAT if first is None else element(first),)
    return EdgeCase(op_type, inputs, given, opset, domain, attributes)


def onnxruntime_answers(cases: list[EdgeCase]) -> list[Any]:
    """For each case the outputs, or the text of the error."""
    data = pickle.dumps([(c.model(), c.feeds()) for c in cases])
    done = subprocess.run([sys.executable, "-c", _WORKER], input=data, capture_output=True, check=True)
    answers: list[Any] = pickle.loads(done.stdout)
    return answers
