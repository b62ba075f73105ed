"""Scales and shifts of columns that follow a product with a constant matrix, in that matrix."""

from __future__ import annotations

import numpy as np

from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, constant_array
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._emit import fuse
from ort_provider_cpu.passes._match import as_row, operands, rank_of
from ort_provider_cpu.passes._product import Product, constant_matrix, product_of


@graph_pass(Level.EXTENDED, order=36)
def fold_matmul_scale(graph: Graph, ctx: PassContext) -> bool:
    """`s * (x W + b) + t` by column, also as BatchNormalization of a matrix -> FusedMatMul(x, s * W, s * b + t)."""
    changed = False
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            product = product_of(node) if node.graph is graph else None
            if product is not None and product.residual is None and product.activation.name == "none":
                changed |= _fold(graph, product)
    if changed:
        graph.sort()
    return changed


def _fold(graph: Graph, product: Product) -> bool:
    size = product.size
    if size is None or not constant_matrix(product.b) or len(product.b.uses) > 1:
        return False
    if product.bias is not None and not product.bias.is_constant:
        return False
    scale, shift, scaled = np.ones(size), np.zeros(size), False
    if product.bias is not None:
        shift = _row(product.bias, size)
    while (found := _affine(only_user(product.result), product.result, size)) is not None:
        user, factor, offset = found
        scaled = scaled or factor is not None
        factor = np.ones(size) if factor is None else factor
        scale, shift = scale * factor, shift * factor + offset
        product.root = user
    if not scaled or not (np.isfinite(scale).all() and np.isfinite(shift).all()):
        return False
    matrix = constant_array(product.b)
    if matrix is None:
        return False
    folded = matrix * (scale[:, None] if product.transpose_b else scale)
    weight = add_constant(graph, folded.astype(np.float32), product.b.name)
    bias = add_constant(graph, shift.astype(np.float32), "bias")
    return fuse(product.root, "FusedMatMul", [product.a, weight, bias], product.attributes())


def _row(value: Value | None, size: int) -> np.ndarray:
    array = constant_array(value)
    assert array is not None
    return array.reshape(size).astype(np.float64)


def _affine(user: Node | None, result: Value, size: int) -> tuple[Node, np.ndarray | None, np.ndarray] | None:
    """What `user` multiplies each column of `result` with (None for 1) and adds to it."""
    if user is None or user.domain:
        return None
    if user.op_type == "BatchNormalization":
        if rank_of(result) != 2 or user.inputs[0] is not result or user.attr("training_mode", 0):
            return None
        if any(v is None or not v.is_constant or v.shape != (size,) for v in user.inputs[1:]) or len(user.outputs) > 1:
            return None
        weight, bias, mean, variance = (_row(v, size) for v in user.inputs[1:5])
        factor = weight / np.sqrt(variance + user.attr("epsilon", 1e-5))
        return user, factor, bias - mean * factor
    other = operands(user, result) if user.op_type in {"Mul", "Add", "Div", "Sub"} else None
    if other is None or not other.is_constant or not as_row(other, size, rank_of(result)):
        return None
    vector = _row(other, size)
    if user.op_type == "Mul":
        return user, vector, np.zeros(size)
    if user.op_type == "Add":
        return user, None, vector
    if user.inputs[0] is not result:
        return None
    if user.op_type == "Sub":
        return user, None, -vector
    return user, 1 / vector, np.zeros(size)
