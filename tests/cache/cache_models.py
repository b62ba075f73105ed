"""Models for the tests of the cache."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.models import GRAPHS
from benchmarks.models import NAMES as BENCHMARKS
from ort_core.cache.decode import StoredModel
from ort_core.cache.lookup import prepare_cached

__all__ = [
    "BENCHMARKS",
    "MODEL",
    "REFERENCE",
    "benchmark",
    "chain",
    "entries",
    "external",
    "is_hit",
    "large",
    "posix",
    "saved",
]

REFERENCE = ["ReferenceExecutionProvider"]
posix = pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")


def large(name: str, seed: int = 0) -> onnx.TensorProto:
    return numpy_helper.from_array(np.random.default_rng(seed).standard_normal((20, 20)).astype(np.float32), name)


def chain(seed: int = 0, width: int = 20) -> onnx.ModelProto:
    """x @ (a + a) + relu(b), where the constants fold and c is a large weight that stays."""
    nodes = [
        helper.make_node("Add", ["a", "a"], ["aa"], name="double"),
        helper.make_node("MatMul", ["x", "aa"], ["p"], name="first"),
        helper.make_node("MatMul", ["p", "c"], ["q"], name="second"),
        helper.make_node("Dropout", ["q"], ["r"], name="drop"),
        helper.make_node("Relu", ["r"], ["y"], name="last"),
    ]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 20])],
        [large("a", seed), large("c", seed + 1)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


MODEL = chain().SerializeToString()


def is_hit(source, options, **keywords) -> bool:
    return isinstance(prepare_cached(source, options, **keywords).model, StoredModel)


def entries(cache: Path, suffix: str = ".model") -> list[Path]:
    return sorted(f for f in cache.iterdir() if f.suffix == suffix) if cache.exists() else []


def saved(model: onnx.ModelProto, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def external(folder: Path, seed: int = 0, threshold: int = 0) -> Path:
    """`chain` whose constants are in a file of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    onnx.save_model(chain(seed), path, save_as_external_data=True, location="weights.bin", size_threshold=threshold)
    return path


def benchmark(name: str, folder: Path) -> Path:
    """A benchmark model whose large weights are zeros in a file that takes no space."""
    model = onnx.load(GRAPHS / f"{name}.onnx")
    offset = 0
    for tensor in _placeholders(model.graph):
        size = int(np.prod(tensor.dims)) * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        tensor.ClearField("doc_string")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in {"location": "zeros.bin", "offset": offset, "length": size}.items():
            tensor.external_data.add(key=key, value=str(value))
        offset += size
    with (folder / "zeros.bin").open("wb") as file:
        file.truncate(offset)
    return saved(model, folder / f"{name}.onnx")


def _placeholders(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    found = [tensor for tensor in graph.initializer if tensor.doc_string.startswith('{"refill"')]
    for node in graph.node:
        for attribute in node.attribute:
            found += _placeholders(attribute.g)
    return found
