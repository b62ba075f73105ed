"""The tensors that Constant nodes stand for, in each of their attribute forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ort_core.errors import InvalidGraph
from ort_core.ir.attributes import Attribute, SparseWeight
from ort_core.ir.graph import Node, Value
from ort_core.ir.rewrite import constant_array
from ort_core.ir.tensors import ArrayWeight, WeightRef
from ort_core.ir.types import ElementType, TensorType


def _strings(items: tuple[bytes, ...]) -> np.ndarray:
    array = np.empty(len(items), object)
    array[:] = [item.decode("utf-8", "surrogateescape") for item in items]
    return array


_SCALARS: dict[str, Callable[[Any], np.ndarray]] = {
    "value_int": lambda v: np.array(v, np.int64),
    "value_ints": lambda v: np.array(v, np.int64),
    "value_float": lambda v: np.array(v, np.float32),
    "value_floats": lambda v: np.array(v, np.float32),
    "value_string": lambda v: _strings((v,)).reshape(()),
    "value_strings": _strings,
}
_TENSORS: dict[str, type[WeightRef] | type[SparseWeight]] = {"value": WeightRef, "sparse_value": SparseWeight}


def check_constant(node: Node) -> None:
    """Raises InvalidGraph if a Constant node sets none of its attributes, or several."""
    if len(node.attributes) != 1:
        raise InvalidGraph(
            f"{node.where()}: got {len(node.attributes)} attributes ({', '.join(node.attributes) or 'none'}), expected "
            "one of value, sparse_value, value_int(s), value_float(s), value_string(s). Keep one."
        )


def constant_weight(node: Node) -> WeightRef | SparseWeight | None:
    """The constant of a Constant node; None while it refers to a function's attribute.

    Raises:
        InvalidGraph: the node sets none of its attributes, or several.
    """
    check_constant(node)
    ((name, attribute),) = node.attributes.items()
    if attribute.ref:
        return None
    expected = _TENSORS.get(name)
    if expected is not None and isinstance(attribute.value, expected):
        weight: WeightRef | SparseWeight = attribute.value
        return weight
    if expected is not None:
        raise InvalidGraph(_misfit(node, name, attribute))
    make = _SCALARS.get(name)
    if make is None:
        raise InvalidGraph(
            f"{node.where()}: it has no attribute '{name}'. Use one of value, sparse_value, {', '.join(_SCALARS)}."
        )
    try:
        return ArrayWeight(make(attribute.value))
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise InvalidGraph(_misfit(node, name, attribute)) from error


def _misfit(node: Node, name: str, attribute: Attribute) -> str:
    return (
        f"{node.where()}: attribute '{name}' is of type {attribute.kind.name}, which does not fit. "
        "The model file is damaged; export it again."
    )


def known_array(value: Value | None) -> np.ndarray | None:
    """The array of a dense initializer that no feed can override, or of a Constant node; else None.

    For inference functions of custom operators, which run before Constant nodes become initializers.
    """
    producer = None if value is None else value.producer
    if producer is None or producer.op_type != "Constant" or producer.domain:
        return constant_array(value)
    weight = constant_weight(producer)
    return None if weight is None or isinstance(weight, SparseWeight) else weight.array()


def constant_type(weight: WeightRef | SparseWeight) -> TensorType:
    """The exact dense type of a constant."""
    if isinstance(weight, SparseWeight):
        return TensorType(weight.values.element, tuple(weight.shape))
    return TensorType(weight.element, tuple(weight.shape))


def dense_size_bytes(weight: SparseWeight) -> int:
    """Bytes of the dense form in memory."""
    return math.prod(weight.shape) * weight.values.element.dtype.itemsize


def densify(weight: SparseWeight, where: str) -> np.ndarray:
    """The dense form of a sparse constant; the caller checks `dense_size_bytes`.

    Raises:
        InvalidGraph: an index is out of bounds.
    """
    element = weight.values.element
    values, indices = weight.values.array(), weight.indices.array()
    fill = "" if element is ElementType.STRING else 0
    dense = np.full(math.prod(weight.shape), fill, element.dtype)
    limits = np.array([dense.size] if indices.ndim == 1 else weight.shape, np.int64)
    if indices.size and ((indices < 0) | (indices >= limits)).any():
        raise InvalidGraph(
            f"{where}: a sparse index is outside the shape {list(weight.shape)}. The model file is damaged."
        )
    flat = indices if indices.ndim == 1 else np.ravel_multi_index(tuple(indices.T), weight.shape)
    dense[flat] = values
    return dense.reshape(weight.shape)
