"""The test cases that the `onnx` package ships: models with inputs and the outputs that every backend must give."""

import functools
import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

FILE_KINDS = ("simple", "pytorch-converted", "pytorch-operator")
KINDS = ("node", *FILE_KINDS)
"""All but `real`, whose models have to be downloaded."""


@dataclass(frozen=True)
class DataSet:
    """Inputs in the order of the model's inputs without initializer, and expected outputs."""

    inputs: Sequence[Any]
    outputs: Sequence[Any]


@dataclass(frozen=True, eq=False)
class Case:
    """A model with its data; values are arrays (strings as object arrays), lists of values, or None."""

    name: str
    kind: str
    model: bytes
    data: tuple[DataSet, ...]
    rtol: float
    atol: float


@functools.cache
def load_cases() -> dict[str, Case]:
    """Every case by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loader = importlib.import_module("onnx.backend.test.loader")
        found = [_from_node(item) for item in loader.load_model_tests(kind="node")]
        found += [_from_folder(item) for kind in FILE_KINDS for item in loader.load_model_tests(kind=kind)]
    cases = {case.name: case for case in found}
    assert len(cases) == len(found), "two cases have one name"
    return cases


def _from_node(item: Any) -> Case:
    data = tuple(DataSet(_values(inputs), _values(outputs)) for inputs, outputs in item.data_sets)
    return Case(item.name, "node", item.model.SerializeToString(), data, item.rtol, item.atol)


def _from_folder(item: Any) -> Case:
    folder = Path(item.model_dir)
    content = (folder / "model.onnx").read_bytes()
    graph = onnx.ModelProto.FromString(content).graph
    data = tuple(
        DataSet(_read(path, "input", graph.input), _read(path, "output", graph.output))
        for path in sorted(folder.glob("test_data_set_*"))
    )
    return Case(item.name, item.kind, content, data, item.rtol, item.atol)


def _read(folder: Path, prefix: str, declared: Any) -> list[Any]:
    count = len(list(folder.glob(f"{prefix}_*.pb")))
    return _values(
        _parse((folder / f"{prefix}_{i}.pb").read_bytes(), declared[i].type.WhichOneof("value")) for i in range(count)
    )


def _parse(content: bytes, kind: str) -> Any:
    if kind == "tensor_type":
        return onnx.TensorProto.FromString(content)
    if kind == "sequence_type":
        return numpy_helper.to_list(onnx.SequenceProto.FromString(content))
    if kind == "optional_type":
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(content))
    raise NotImplementedError(f"no case had a {kind} so far")


def _values(items: Any) -> list[Any]:
    return [_value(item) for item in items]


def _value(item: Any) -> Any:
    if item is None:
        return None
    if isinstance(item, list):
        return _values(item)
    array = numpy_helper.to_array(item) if isinstance(item, onnx.TensorProto) else np.asarray(item)
    array = array.astype(object) if array.dtype.kind in "US" else np.ascontiguousarray(array).reshape(array.shape)
    array.flags.writeable = False
    return array
