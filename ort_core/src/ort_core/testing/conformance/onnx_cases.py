"""The test cases that the `onnx` package ships: models with inputs and the outputs that every backend must give."""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import onnx

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
    """A model with its data; values are arrays (strings as object arrays), lists of values, or None.

    Attributes:
        operator: what the model is made of, such as `ai.onnx::Add`, if that is a single node.
    """

    name: str
    kind: str
    model: bytes
    operator: str | None
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
    return {case.name: case for case in found}


def operator_name(node: onnx.NodeProto) -> str:
    """Domain and operator as reports print them."""
    return f"{node.domain or 'ai.onnx'}::{node.op_type}"


def _from_node(item: Any) -> Case:
    data = tuple(DataSet(_values(inputs), _values(outputs)) for inputs, outputs in item.data_sets)
    operator = _single_operator(item.model)
    return Case(item.name, "node", item.model.SerializeToString(), operator, data, item.rtol, item.atol)


def _from_folder(item: Any) -> Case:
    import onnx

    folder = Path(item.model_dir)
    content = (folder / "model.onnx").read_bytes()
    model = onnx.ModelProto.FromString(content)
    data = tuple(
        DataSet(_read(path, "input", model.graph.input), _read(path, "output", model.graph.output))
        for path in sorted(folder.glob("test_data_set_*"))
    )
    return Case(item.name, item.kind, content, _single_operator(model), data, item.rtol, item.atol)


def _single_operator(model: onnx.ModelProto) -> str | None:
    nodes = model.graph.node
    return operator_name(nodes[0]) if len(nodes) == 1 else None


def _read(folder: Path, prefix: str, declared: Sequence[onnx.ValueInfoProto]) -> list[Any]:
    count = len(list(folder.glob(f"{prefix}_*.pb")))
    return _values(
        _parse((folder / f"{prefix}_{i}.pb").read_bytes(), declared[i].type.WhichOneof("value")) for i in range(count)
    )


def _parse(content: bytes, kind: str | None) -> Any:
    import onnx
    from onnx import numpy_helper

    if kind == "sequence_type":
        return numpy_helper.to_list(onnx.SequenceProto.FromString(content))
    if kind == "optional_type":
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(content))
    return onnx.TensorProto.FromString(content)


def _values(items: Iterable[Any]) -> list[Any]:
    return [_value(item) for item in items]


def _value(item: Any) -> Any:
    import onnx
    from onnx import numpy_helper

    if item is None:
        return None
    if isinstance(item, list):
        return _values(item)
    array = numpy_helper.to_array(item) if isinstance(item, onnx.TensorProto) else np.asarray(item)
    array = array.astype(object) if array.dtype.kind in "US" else np.ascontiguousarray(array).reshape(array.shape)
    array.flags.writeable = False
    return array
