"""Small models for the tests of the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

SaveModel = Callable[..., str]


@pytest.fixture
def save_identity(tmp_path: Path) -> SaveModel:
    """Saves a model whose every input `x` is copied to an output `x_copy`; arguments are name=(type, shape)."""

    def save(**inputs: tuple[int, list[int | str | None] | None]) -> str:
        values = [helper.make_tensor_value_info(name, *declared) for name, declared in inputs.items()]
        outputs = [helper.make_tensor_value_info(f"{name}_copy", *declared) for name, declared in inputs.items()]
        nodes = [helper.make_node("Identity", [name], [f"{name}_copy"]) for name in inputs]
        return _save(helper.make_graph(nodes, "g", values, outputs), tmp_path)

    return save


@pytest.fixture
def add_model(tmp_path: Path) -> str:
    """sum = a + b, both float [N, 2]; product = a * scale, scale an initializer that may be fed."""
    pair = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 2]) for name in ("a", "b", "sum", "product")]
    scale = helper.make_tensor_value_info("scale", TensorProto.FLOAT, [1])
    nodes = [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("Mul", ["a", "scale"], ["product"])]
    default = numpy_helper.from_array(np.array([10], np.float32), "scale")
    return _save(helper.make_graph(nodes, "g", [*pair[:2], scale], pair[2:], [default]), tmp_path)


@pytest.fixture
def digits_folder() -> Path:
    """The folder of the digits example."""
    return Path(__file__).parents[2] / "examples" / "digits"


def _save(graph: onnx.GraphProto, folder: Path) -> str:
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    path = folder / "model.onnx"
    onnx.save(model, path)
    return str(path)
