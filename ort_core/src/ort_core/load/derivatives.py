"""Derivatives of operators: how the gradient of a node's output becomes the gradients of its inputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ort_core.errors import NotImplemented as NotDifferentiable
from ort_core.ir.graph import Node, Value
from ort_core.ir.shapes import is_static
from ort_core.load.opset_rules.edit import constant, emit


class Emitter:
    """Adds nodes on behalf of a Gradient node.

    Args:
        owner: the Gradient node.
    """

    def __init__(self, owner: Node) -> None:
        self._owner = owner

    def __call__(self, op_type: str, *inputs: Value | None, **attributes: Any) -> Value:
        """A new node's output."""
        return emit(self._owner, op_type, *inputs, **attributes)

    def ints(self, *values: int) -> Value:
        """A vector of int64."""
        return constant(self._owner, values, "ints")

    def scalar(self, value: float, like: Value) -> Value:
        """A scalar of the type of `like`."""
        return self("CastLike", constant(self._owner, value, "scalar", np.float64), like)

    def fill(self, value: float, like: Value) -> Value:
        """A tensor of the type and shape of `like`."""
        filled = self("ConstantOfShape", self("Shape", like), value=np.array([value], np.float32))
        return self("CastLike", filled, like)

    def sum_to(self, gradient: Value, like: Value) -> Value:
        """Undoes broadcasting: the sum of `gradient` over the axes along which `like` was repeated."""
        if is_static(like.shape) and gradient.shape == like.shape:
            return gradient
        shape, wanted = self("Shape", gradient), self("Shape", like)
        missing = self("Sub", self("Shape", shape), self("Shape", wanted))
        padded = self("Concat", self("Expand", self.ints(1), missing), wanted, axis=0)
        repeated = self("NonZero", self("Not", self("Equal", shape, padded)))
        axes = self("Squeeze", repeated, self.ints(0))
        total = self("ReduceSum", gradient, axes, keepdims=1, noop_with_empty_axes=1)
        return self("Reshape", total, wanted, allowzero=1)


Derivative = Callable[[], Value]
Rule = Callable[[Emitter, Node, Any], Sequence[Derivative | None]]
"""Takes the gradient of the only output; returns for each input how to compute its gradient, or None if it has none."""

RULES: dict[str, Rule] = {}


def _rule(*operators: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(operators, function))
        return function

    return register


_UNARY: dict[str, Callable[[Emitter, Any, Any, Any], Value]] = {
    "Abs": lambda e, x, y, dy: e("Mul", dy, e("Sign", x)),
    "Cast": lambda e, x, y, dy: e("CastLike", dy, x),
    "CastLike": lambda e, x, y, dy: e("CastLike", dy, x),
    "Cos": lambda e, x, y, dy: e("Neg", e("Mul", dy, e("Sin", x))),
    "Erf": lambda e, x, y, dy: e(
        "Mul", dy, e("Mul", e.scalar(2 / math.sqrt(math.pi), x), e("Exp", e("Neg", e("Mul", x, x))))
    ),
    "Exp": lambda e, x, y, dy: e("Mul", dy, y),
    "Expand": lambda e, x, y, dy: e.sum_to(dy, x),
    "Flatten": lambda e, x, y, dy: e("Reshape", dy, e("Shape", x), allowzero=1),
    "Identity": lambda e, x, y, dy: dy,
    "Log": lambda e, x, y, dy: e("Div", dy, x),
    "Neg": lambda e, x, y, dy: e("Neg", dy),
    "Reciprocal": lambda e, x, y, dy: e("Neg", e("Mul", dy, e("Mul", y, y))),
    "Relu": lambda e, x, y, dy: e("Mul", dy, e("Sign", y)),
    "Reshape": lambda e, x, y, dy: e("Reshape", dy, e("Shape", x), allowzero=1),
    "Sigmoid": lambda e, x, y, dy: e("Mul", dy, e("Sub", y, e("Mul", y, y))),
    "Sin": lambda e, x, y, dy: e("Mul", dy, e("Cos", x)),
    "Softplus": lambda e, x, y, dy: e("Mul", dy, e("Sigmoid", x)),
    "Sqrt": lambda e, x, y, dy: e("Div", dy, e("Add", y, y)),
    "Squeeze": lambda e, x, y, dy: e("Reshape", dy, e("Shape", x), allowzero=1),
    "Tanh": lambda e, x, y, dy: e("Sub", dy, e("Mul", dy, e("Mul", y, y))),
    "Unsqueeze": lambda e, x, y, dy: e("Reshape", dy, e("Shape", x), allowzero=1),
}
"""From emitter, first input, output and the gradient of the output to the gradient of the first input."""

_CONSTANT = (
    "And", "ArgMax", "ArgMin", "Ceil", "ConstantOfShape", "Equal", "Floor", "Greater", "GreaterOrEqual", "IsInf", "IsNaN",
    "Less", "LessOrEqual", "NonZero", "Not", "Or", "Round", "Shape", "Sign", "Size", "Xor",
)  # fmt: skip
"""Operators whose derivative is zero wherever they have one."""


@_rule(*_UNARY)
def _unary(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    x, y = node.inputs[0], node.outputs[0]
    return [lambda: _UNARY[node.op_type](e, x, y, dy)]


@_rule(*_CONSTANT)
def _constant(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    return []


@_rule("Add", "Sum")
def _add(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    return [None if v is None else partial(e.sum_to, dy, v) for v in node.inputs]


@_rule("Sub")
def _sub(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    a, b = _pair(node)
    return [lambda: e.sum_to(dy, a), lambda: e.sum_to(e("Neg", dy), b)]


@_rule("Mul")
def _mul(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    a, b = _pair(node)
    return [lambda: e.sum_to(e("Mul", dy, b), a), lambda: e.sum_to(e("Mul", dy, a), b)]


@_rule("Div")
def _div(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    a, b = _pair(node)
    y = node.outputs[0]
    return [
        lambda: e.sum_to(e("Div", dy, b), a),
        lambda: e.sum_to(e("Neg", e("Div", e("Mul", dy, y), b)), b),
    ]


@_rule("Pow")
def _pow(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    a, b = _pair(node)
    y = node.outputs[0]

    def base() -> Value:
        exponent = e("CastLike", b, a)
        lower = e("Pow", a, e("Sub", exponent, e.scalar(1, a)))
        return e.sum_to(e("Mul", dy, e("Mul", exponent, lower)), a)

    return [base, lambda: e("CastLike", e.sum_to(e("Mul", dy, e("Mul", y, e("Log", a))), b), b)]


@_rule("Where")
def _where(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    condition, a, b = node.inputs
    zero = partial(e.scalar, 0, dy)
    return [
        None,
        lambda: e.sum_to(e("Where", condition, dy, zero()), _present(a)),
        lambda: e.sum_to(e("Where", condition, zero(), dy), _present(b)),
    ]


@_rule("ReduceSum", "ReduceMean")
def _reduce(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    x, y = node.inputs[0], node.outputs[0]
    axes = node.inputs[1] if len(node.inputs) > 1 else None

    def gradient() -> Value:
        part = dy
        if node.op_type == "ReduceMean":
            part = e("Mul", dy, e("Div", e("CastLike", e("Size", y), dy), e("CastLike", e("Size", x), dy)))
        if axes is not None and not node.attr("keepdims", 1):
            part = e("Unsqueeze", part, axes)
        return e("Expand", part, e("Shape", x))

    return [gradient]


@_rule("Softmax", "LogSoftmax")
def _softmax(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    y = node.outputs[0]
    axes = e.ints(node.attr("axis", -1))
    if node.op_type == "Softmax":
        return [lambda: e("Mul", y, e("Sub", dy, e("ReduceSum", e("Mul", dy, y), axes)))]
    return [lambda: e("Sub", dy, e("Mul", e("Exp", y), e("ReduceSum", dy, axes)))]


@_rule("Transpose")
def _transpose(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    perm = node.attr("perm")
    inverse = {} if perm is None else {"perm": np.argsort(perm).tolist()}
    return [lambda: e("Transpose", dy, **inverse)]


@_rule("Gemm")
def _gemm(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    a, b = node.inputs[:2]
    c = node.inputs[2] if len(node.inputs) > 2 else None
    alpha, beta = node.attr("alpha", 1.0), node.attr("beta", 1.0)
    trans_a, trans_b = node.attr("transA", 0), node.attr("transB", 0)

    def of_a() -> Value:
        if trans_a:
            return e("Gemm", b, dy, alpha=alpha, transA=trans_b, transB=1)
        return e("Gemm", dy, b, alpha=alpha, transB=1 - trans_b)

    def of_b() -> Value:
        if trans_b:
            return e("Gemm", dy, a, alpha=alpha, transA=1, transB=trans_a)
        return e("Gemm", a, dy, alpha=alpha, transA=1 - trans_a)

    return [of_a, of_b, lambda: e.sum_to(e("Mul", dy, e.scalar(beta, dy)), _present(c))]


@_rule("MatMul")
def _matmul(e: Emitter, node: Node, dy: Any) -> Sequence[Derivative | None]:
    a, b = _pair(node)
    if a.shape is None or b.shape is None:
        raise NotDifferentiable(
            f"{node.where()} cannot be differentiated: the rank of an input is unknown. Declare it."
        )
    row, column = len(a.shape) == 1, len(b.shape) == 1

    def flip(value: Value, rank: int) -> Value:
        return e("Transpose", value, perm=[*range(rank - 2), rank - 1, rank - 2])

    left = e("Unsqueeze", a, e.ints(0)) if row else a
    right = e("Unsqueeze", b, e.ints(1)) if column else b
    full = e("Unsqueeze", dy, e.ints(-1)) if column else dy
    full = e("Unsqueeze", full, e.ints(-2)) if row else full
    return [
        lambda: _like(e, e.sum_to(e("MatMul", full, flip(right, max(len(b.shape or ()), 2))), left), a),
        lambda: _like(e, e.sum_to(e("MatMul", flip(left, max(len(a.shape or ()), 2)), full), right), b),
    ]


def _like(e: Emitter, gradient: Value, value: Value) -> Value:
    return e("Reshape", gradient, e("Shape", value), allowzero=1)


def _pair(node: Node) -> tuple[Value, Value]:
    first, second = node.inputs
    return _present(first), _present(second)


def _present(value: Value | None) -> Value:
    if value is None:
        raise ValueError("an input that has to be present is absent")
    return value
