"""Sparse constants made dense where nodes read them: in ONNX no operator takes a sparse tensor for a tensor."""

from __future__ import annotations

import numpy as np

from ort_core.errors import InvalidGraph, OutOfMemory
from ort_core.ir.attributes import Attribute, AttributeKind, SparseWeight
from ort_core.ir.graph import Model, Node
from ort_core.ir.tensors import ArrayWeight
from ort_core.ir.types import ElementType, TensorType, describe


def make_sparse_dense(model: Model) -> None:
    """Replaces sparse initializers that nodes read (one that is only a graph output stays sparse), and the sparse values
    of Constant nodes, whose outputs are dense.

    Raises:
        InvalidGraph: an index lies outside the dimensions.
        OutOfMemory: the dense tensor does not fit into memory.
    """
    for graph in model.graphs():
        for value in graph.initializers.values():
            const = value.const
            if (
                isinstance(const, SparseWeight)
                and isinstance(value.type, TensorType)
                and any(isinstance(use.user, Node) for use in value.uses)
            ):
                value.const = ArrayWeight(dense_array(const, f"'{value.name}'"), const.values.element)
        for node in graph.nodes:
            sparse = node.attributes.get("sparse_value") if node.op_type == "Constant" and node.domain == "" else None
            if sparse is not None and isinstance(sparse.value, SparseWeight):
                del node.attributes["sparse_value"]
                weight = ArrayWeight(dense_array(sparse.value, node.where()), sparse.value.values.element)
                node.attributes["value"] = Attribute(AttributeKind.TENSOR, weight)


def dense_array(weight: SparseWeight, name: str) -> np.ndarray:
    """The dense tensor of a sparse constant.

    Raises:
        InvalidGraph: an index lies outside the dimensions.
        OutOfMemory: the dense tensor does not fit into memory.
    """
    element, shape = weight.values.element, weight.shape
    indices = weight.indices.array()
    linear = indices.ndim == 1
    try:
        result = np.full(shape, "", object) if element is ElementType.STRING else np.zeros(shape, element.dtype)
    except (MemoryError, ValueError) as error:
        raise OutOfMemory(
            f"sparse constant {name} is {describe(TensorType(element, shape))} when it is made dense, which does not "
            "fit into memory. Split the tensor."
        ) from error
    limits = np.array(result.size if linear else shape, np.int64)
    if indices.size and ((indices < 0) | (indices >= limits)).any():
        raise InvalidGraph(
            f"sparse constant {name}: an index lies outside its dimensions {list(shape)}: got {indices.min()} to "
            f"{indices.max()}. The model file is damaged; export it again."
        )
    if linear:
        result.reshape(-1)[indices] = weight.values.array()
    else:
        result[tuple(indices.T)] = weight.values.array()
    return result
