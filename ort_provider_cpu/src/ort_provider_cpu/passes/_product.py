"""Matrix products with what comes before and after them, as one description."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ort_core.ir.graph import Node, Value
from ort_core.ir.rewrite import add_constant, constant_array, graph_of
from ort_core.ir.types import ElementType
from ort_provider_cpu.passes._activation import FusedActivation, activation_attributes, fused_activation, only_user
from ort_provider_cpu.passes._emit import DOMAIN, row
from ort_provider_cpu.passes._match import (
    as_row,
    last_size,
    likely_same_shape,
    made_by,
    operands,
    rank_of,
    same_shape,
    scaled,
)


@dataclass(slots=True)
class Product:
    """act(alpha * A' B' + bias + residual); `root` is the node that ends it.

    Attributes:
        size: N, the size of the last dimension of the result.
        total: the sum with a residual that is not known to have the shape of the product.
        view: a Reshape among what it takes in, which keeps the last dimension and follows the product once that is fused.
        grown: whether it takes in more than the node that it began with.
    """

    root: Node
    a: Value
    b: Value
    size: int | None
    transpose_a: bool = False
    transpose_b: bool = False
    alpha: float = 1.0
    bias: Value | None = None
    residual: Value | None = None
    total: Value | None = None
    view: Node | None = None
    activation: FusedActivation = field(default_factory=lambda: FusedActivation("none"))
    grown: bool = False

    @property
    def result(self) -> Value:
        """What the product computes."""
        value = self.root.outputs[0]
        assert value is not None
        return value

    def attributes(self) -> dict[str, Any]:
        """The attributes of FusedMatMul."""
        return {
            "transA": int(self.transpose_a),
            "transB": int(self.transpose_b),
            "alpha": self.alpha,
            **activation_attributes(self.activation, "activation_"),
        }

    def is_plain(self) -> bool:
        """Whether it is A B + bias, without anything else."""
        return (
            self.alpha == 1
            and not (self.transpose_a or self.transpose_b)
            and self.residual is None
            and self.activation.name == "none"
        )


def product_of(node: Node | None) -> Product | None:
    """The float32 product of matrices that `node` computes; None for vectors and for a Gemm whose C is no bias."""
    if node is None or node.outputs[0] is None or node.outputs[0].element is not ElementType.FLOAT:
        return None
    a, b = node.inputs[:2] if len(node.inputs) > 1 else (None, None)
    if a is None or b is None or (rank_of(a) or 0) < 2 or (rank_of(b) or 0) < 2:
        return None
    assert b.shape is not None
    if node.op_type == "MatMul" and not node.domain:
        return Product(node, a, b, _known(b.shape[-1]))
    if node.op_type == "FusedMatMul" and node.domain == DOMAIN:
        transposed = node.attr("transB", 0) != 0
        bias, residual = (*node.inputs[2:], None, None)[:2]
        alpha, beta = node.attr("activation_alpha", 0.0), node.attr("activation_beta", 0.0)
        return Product(
            node,
            a,
            b,
            _known(b.shape[-2 if transposed else -1]),
            transpose_a=node.attr("transA", 0) != 0,
            transpose_b=transposed,
            alpha=node.attr("alpha", 1.0),
            bias=bias,
            residual=residual,
            activation=FusedActivation(node.attr("activation", "none"), alpha, beta),
        )
    return _gemm(node, a, b) if node.op_type == "Gemm" and not node.domain else None


def _gemm(node: Node, a: Value, b: Value) -> Product | None:
    assert b.shape is not None
    transposed = node.attr("transB", 0) != 0
    size = _known(b.shape[0 if transposed else 1])
    product = Product(
        node,
        a,
        b,
        size,
        transpose_a=node.attr("transA", 0) != 0,
        transpose_b=transposed,
        alpha=node.attr("alpha", 1.0),
    )
    addend, beta = node.inputs[2] if len(node.inputs) > 2 else None, node.attr("beta", 1.0)
    if addend is None or beta == 0:
        return product
    if size is None or not as_row(addend, size, 2):
        return None
    if beta == 1:
        product.bias = addend
        return product if addend.shape == (size,) or addend.is_constant else None
    array = constant_array(addend)
    if array is None:
        return None
    product.bias = add_constant(graph_of(node), (array * np.float32(beta)).reshape(size), addend.name)
    return product


def _known(size: Any) -> int | None:
    return size if isinstance(size, int) else None


def absorb_transposes(product: Product) -> None:
    """Takes in transpositions of the last two dimensions of the operands."""
    if (inner := _untransposed(product.a)) is not None:
        product.a, product.transpose_a, product.grown = inner, not product.transpose_a, True
    if (inner := _untransposed(product.b)) is not None:
        product.b, product.transpose_b, product.grown = inner, not product.transpose_b, True


def _untransposed(value: Value) -> Value | None:
    node = made_by(value, "Transpose")
    if node is None or only_user(value) is None or value.shape is None:
        return None
    rank = len(value.shape)
    swapped = (*range(rank - 2), rank - 1, rank - 2)
    perm = node.attr("perm", tuple(reversed(range(rank))))
    return node.inputs[0] if rank >= 2 and tuple(perm) == swapped else None


def absorb_users(product: Product) -> None:
    """Takes in scales, bias, residual and activation that follow, as far as the intermediate results have no other use."""
    while product.activation.name == "none":
        user = only_user(product.result)
        if user is None or user.domain or user.outputs[0] is None or user.outputs[0].element is not ElementType.FLOAT:
            return
        if product.view is None and _keeps_rows(user, product) and (later := only_user(user.outputs[0])) is not None:
            before, product.root, product.view = product.root, user, user
            if not _absorb(product, later):
                product.root, product.view = before, None
                return
            user = later
        elif not _absorb(product, user):
            return
        product.root, product.grown = user, True


def _keeps_rows(user: Node, product: Product) -> bool:
    """Whether `user` gives the result another shape of the same last dimension."""
    size = product.size
    return user.op_type == "Reshape" and size is not None and last_size(user.outputs[0]) == size != 0


def _absorb(product: Product, user: Node) -> bool:
    if user.domain or user.outputs[0] is None or user.outputs[0].element is not ElementType.FLOAT:
        return False
    return _absorb_scale(product, user) or _absorb_sum(product, user) or _absorb_activation(product, user)


def _absorb_scale(product: Product, user: Node) -> bool:
    found = scaled(user)
    if found is None or found[0] is not product.result or product.bias is not None or product.residual is not None:
        return False
    product.alpha *= found[1]
    return True


def _absorb_sum(product: Product, user: Node) -> bool:
    other = operands(user, product.result) if user.op_type == "Add" else None
    size = product.size
    if other is None or size is None or product.residual is not None or other.element is not ElementType.FLOAT:
        return False
    if as_row(other, size, rank_of(product.result)) and (other.is_constant or other.shape == (size,)):
        if product.bias is not None:
            return False
        product.bias = row(user, other, size)
        return product.bias is not None
    if other.is_constant or product.view is not None or not likely_same_shape(product.result, other):
        return False
    if not same_shape(product.result, other):
        if product.transpose_a or rank_of(product.b) != 2:
            return False
        product.total = user.outputs[0]
    product.residual = other
    return True


def _absorb_activation(product: Product, user: Node) -> bool:
    activation = fused_activation(user)
    if activation is None or user.inputs[0] is not product.result:
        return False
    product.activation = activation
    return True


def constant_matrix(value: Value) -> bool:
    """Whether the value is a constant of two dimensions."""
    return value.is_constant and value.shape is not None and len(value.shape) == 2
