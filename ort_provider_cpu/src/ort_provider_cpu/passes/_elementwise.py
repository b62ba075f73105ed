"""The element-wise operators that several passes reason about."""

from __future__ import annotations

# fmt: off
PLAIN_UNARY = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf", "Exp", "Floor", "Log", "Mish",
    "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh",
)
"""Functions of one float tensor without parameters."""

PARAMETRIC_UNARY = (
    "Celu", "Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Selu", "Shrink", "Swish", "ThresholdedRelu",
)
"""Functions of one float tensor with attributes or scalar parameters."""

POINTWISE = frozenset((
    *PLAIN_UNARY, *PARAMETRIC_UNARY, "Cast", "Not", "IsNaN", "IsInf",
    "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean",
    "And", "Or", "Xor", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Where",
))
"""Operators whose results depend on the elements at the same place only, after broadcasting."""
# fmt: on
