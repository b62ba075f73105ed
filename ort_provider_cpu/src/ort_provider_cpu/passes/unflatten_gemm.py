"""Gemm of a matrix into which leading dimensions were flattened, and from which they are restored."""

from __future__ import annotations

from typing import Any

import numpy as np

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, add_node, constant_array, replace_uses
from ort_core.ir.types import ElementType, TensorType
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._emit import remove_unused
from ort_provider_cpu.passes._match import made_by, nodes_of, rank_of
from ort_provider_cpu.passes._product import constant_matrix, product_of
from ort_provider_cpu.passes._sizes import Size, reshapes_to, size_of_dim


@graph_pass(Level.EXTENDED, order=6)
def unflatten_gemm(graph: Graph, ctx: PassContext) -> bool:
    """Reshape(Gemm(Reshape(x, [-1, K]), W, b), [..., N]) -> x W + b, so that what follows sees the product."""
    changed = False
    for node in nodes_of(graph, {"Gemm"}):
        changed |= _unflatten(graph, node)
    if changed:
        graph.sort()
    return changed


def _unflatten(graph: Graph, gemm: Node) -> bool:
    restored = only_user(gemm.outputs[0])
    product = product_of(gemm) if restored is not None and restored.op_type == "Reshape" else None
    if product is None or restored is None or restored.domain or restored.inputs[0] is not gemm.outputs[0]:
        return False
    flat = made_by(product.a, "Reshape")
    x = None if flat is None else flat.inputs[0]
    if flat is None or x is None or product.size is None or product.b.shape is None:
        return False
    depth, output = product.b.shape[product.transpose_b], restored.outputs[0]
    if product.transpose_a or product.alpha != 1 or not constant_matrix(product.b) or output is None:
        return False
    leading = _leading(x, depth)
    if leading is None or not reshapes_to(restored, [*map(size_of_dim, leading), Size(product.size)]):
        return False
    matrix = _matrix(graph, product.b, product.transpose_b)
    if matrix is None:
        return False
    if rank_of(x) != len(leading) + 1:
        shape = add_constant(graph, np.array([0] * len(leading) + [depth], np.int64), "joined")
        (x,) = add_node(graph, "Reshape", [x, shape], like=flat)
        x.type = TensorType(ElementType.FLOAT, (*leading, depth))
    kind = TensorType(ElementType.FLOAT, (*leading, product.size))
    (result,) = add_node(graph, "MatMul", [x, matrix], like=gemm)
    result.type = kind
    if product.bias is not None:
        (result,) = add_node(graph, "Add", [result, product.bias], like=gemm)
        result.type = kind
    replace_uses(output, result)
    remove_unused([restored])
    return True


def _leading(x: Value, depth: Any) -> tuple[Any, ...] | None:
    """The dimensions before the last one, or before the last two, whose size is `depth`."""
    if x.shape is None or len(x.shape) < 3:
        return None
    *leading, heads, last = x.shape
    if last == depth:
        return (*leading, heads)
    joined = isinstance(heads, int) and isinstance(last, int) and heads * last == depth and len(leading) > 1
    return tuple(leading) if joined else None


def _matrix(graph: Graph, value: Value, transposed: bool) -> Value | None:
    if not transposed:
        return value
    array = constant_array(value)
    return None if array is None else add_constant(graph, array.T.copy(), value.name)
