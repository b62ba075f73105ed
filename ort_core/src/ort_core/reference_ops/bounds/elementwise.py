"""Sizes of outputs that are as large as an input, or as the inputs broadcast together."""

from __future__ import annotations

import math

import numpy as np

from ort_core.ir.graph import Node
from ort_core.reference_ops.bounds.rules import broadcast_shape, counts, total_bytes
from ort_core.values import RuntimeValue


@counts(
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Bernoulli", "BitwiseNot", "Cast", "CastLike", "Ceil",
    "Celu", "Clip", "Cos", "Cosh", "CumProd", "CumSum", "DepthToSpace", "DequantizeLinear", "Elu", "Erf", "Exp",
    "EyeLike", "Flatten", "Floor", "Gelu", "GroupNormalization", "HardSigmoid", "HardSwish", "Hardmax", "Identity",
    "InstanceNormalization", "IsInf", "IsNaN", "LRN", "LeakyRelu", "Log", "LogSoftmax", "LpNormalization",
    "MeanVarianceNormalization", "Mish", "Neg", "Not", "QuantizeLinear", "RMSNormalization", "RandomNormalLike",
    "RandomUniformLike", "Reciprocal", "RegexFullMatch", "Relu", "Reshape", "ReverseSequence", "RotaryEmbedding",
    "Round", "ScatterElements", "ScatterND", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softmax", "Softplus",
    "Softsign", "SpaceToDepth", "Sqrt", "Squeeze", "SwiGLU", "Swish", "Tan", "Tanh", "TensorScatter", "ThresholdedRelu",
    "Transpose", "Trilu", "Unsqueeze",
)  # fmt: skip
def as_first_input(node: Node, x: RuntimeValue, *_: RuntimeValue) -> int:
    """Y is as large as X."""
    return int(x.size)


@counts("Dropout")
def as_first_input_twice(node: Node, x: np.ndarray, *_: RuntimeValue) -> tuple[int, int]:
    """Both outputs are as large as X."""
    return x.size, x.size


@counts(
    "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "Max", "Mean", "Min", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Sum",
    "Where", "Xor",
)  # fmt: skip
def broadcast(node: Node, *inputs: np.ndarray) -> int:
    """Y is as large as the inputs broadcast together."""
    return math.prod(broadcast_shape(*(x.shape for x in inputs)))


@total_bytes("StringConcat")
def string_concat(node: Node, *inputs: np.ndarray) -> int:
    """As many strings as the inputs broadcast together, each as long as the longest of every input."""
    longest = sum(max(map(len, x.reshape(-1).tolist()), default=0) for x in inputs)
    return broadcast(node, *inputs) * (np.dtype(object).itemsize + longest)


@counts("BatchNormalization")
def batch_normalization(node: Node, x: np.ndarray, scale: np.ndarray, *_: np.ndarray) -> tuple[int, int, int]:
    """Y [N, C, ...], running mean [C], running variance [C]."""
    return x.size, scale.size, scale.size


@counts("LayerNormalization")
def layer_normalization(node: Node, x: np.ndarray, *_: RuntimeValue) -> tuple[int, int, int]:
    """Y, and a mean and an inverse deviation for each row."""
    rows = math.prod(x.shape[: node.attr("axis", -1)])
    return x.size, rows, rows


@counts("DynamicQuantizeLinear")
def dynamic_quantize_linear(node: Node, x: np.ndarray) -> tuple[int, int, int]:
    """Y, its scale and its zero point."""
    return x.size, 1, 1
