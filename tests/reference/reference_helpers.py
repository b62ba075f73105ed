"""Builds single nodes from arrays and runs them, with our kernel or with the class of `onnx.reference`."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from ort_core.ir.graph import Node, Value
from ort_core.ir.rewrite import make_attribute, tensor_type
from ort_core.ir.types import ElementType, MapType, SequenceType, TensorType, ValueType
from ort_core.reference_ops import bind
from ort_core.reference_ops.onnx_ops import find_class, make_run

OPSETS = {"": 28, "ai.onnx.ml": 5, "ai.onnx.preview.training": 1}
ML = "ai.onnx.ml"


def value_type(value: Any) -> ValueType | None:
    if isinstance(value, np.ndarray):
        return tensor_type(value)
    if isinstance(value, list):
        return SequenceType(TensorType(tensor_type(value[0]).element)) if value else None
    if isinstance(value, dict):
        key = ElementType.STRING if isinstance(next(iter(value)), str) else ElementType.INT64
        return MapType(key, TensorType(ElementType.FLOAT))
    return None


def make_node(
    op_type: str,
    *inputs: Any,
    outputs: int = 1,
    types: tuple[Any, ...] = (),
    domain: str = "",
    name: str = "",
    **attributes: Any,
) -> Node:
    """A node over values of the types of `inputs`; `types` are the outputs' dtypes or value types, unknown by default."""
    given = [None if v is None else Value(f"in{i}", value_type(v)) for i, v in enumerate(inputs)]
    wanted = [*types, *[None] * (outputs - len(types))]
    results = [Value(f"out{i}", t if t is None or not is_dtype(t) else output_type(t)) for i, t in enumerate(wanted)]
    kept = {k: make_attribute(v) for k, v in attributes.items() if v is not None}
    return Node(op_type, given, results, kept, domain=domain, name=name)


def is_dtype(item: Any) -> bool:
    return isinstance(item, np.dtype | type | str)


def output_type(dtype: Any) -> TensorType:
    return TensorType(ElementType.from_dtype(dtype))


def run_all(op_type: str, *inputs: Any, **settings: Any) -> tuple[Any, ...]:
    call = bind(make_node(op_type, *inputs, **settings), OPSETS)
    with np.errstate(all="ignore"):
        return call(*map(read_only, inputs))


def run(op_type: str, *inputs: Any, **settings: Any) -> Any:
    return run_all(op_type, *inputs, **settings)[0]


def run_onnx_reference(op_type: str, *inputs: Any, **settings: Any) -> tuple[Any, ...]:
    """What the class of `onnx.reference` computes, whether or not we have a kernel of our own."""
    node = make_node(op_type, *inputs, **settings)
    op_class = find_class(op_type, node.domain, OPSETS[node.domain])
    assert op_class is not None
    with np.errstate(all="ignore"):
        return make_run(node, op_class, OPSETS)(*inputs)


def read_only(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        view = value.view()
        view.flags.writeable = False
        return view
    return [read_only(v) for v in value] if isinstance(value, list) else value


def as_value(item: Any) -> Any:
    """An input or output of one of ONNX's own cases as a run-time value."""
    if isinstance(item, onnx.TensorProto):
        item = numpy_helper.to_array(item)
    if isinstance(item, list):
        return [as_value(i) for i in item]
    if item is None or isinstance(item, dict):
        return item
    array = np.asarray(item)
    return array.astype(object) if array.dtype.kind in "US" else array


def f32(*values: Any) -> np.ndarray:
    return np.array(values, np.float32)


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def strings(*values: str) -> np.ndarray:
    return np.array(values, object)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
