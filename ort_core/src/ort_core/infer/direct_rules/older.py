"""For which older versions of operators the rules hold, which are made for the newest ones."""

from __future__ import annotations

from collections.abc import Mapping

from ort_core.infer.direct_rules.common import Types, constant, elements, has_elements, known_shape
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Dim

_SINCE = {
    1: "ArgMax ArgMin AveragePool Conv ConvTranspose DepthToSpace Flatten Gather GlobalAveragePool GlobalMaxPool Hardmax "
    "Identity LRN LogSoftmax LpNormalization MatMul MaxPool ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax "
    "ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Shape Size Slice Softmax Softplus Softsign SpaceToDepth "
    "Squeeze Transpose Unsqueeze",
    2: "Pad Split",
    4: "Concat",
    5: "Reshape",
    6: "Abs Cast Ceil Clip Elu Exp Floor HardSigmoid InstanceNormalization LeakyRelu Log Neg Reciprocal Relu Selu Sigmoid "
    "Sqrt Tanh Tile",
    7: "Acos Add And Asin Atan BatchNormalization Cos Div Dropout Equal GRU Gemm Greater LSTM Less Mul Or PRelu "
    "Pow RNN Sin Sub Tan Xor",
    8: "Max Mean Min Sum",
    9: "Acosh Asinh Atanh ConstantOfShape Cosh Erf EyeLike IsNaN NonZero Sign Sinh Where",
    10: "DequantizeLinear IsInf Mod QLinearMatMul QuantizeLinear ReverseSequence RoiAlign ThresholdedRelu",
    11: "BitShift CumSum Det GatherElements GatherND LpPool OneHot Range Round ScatterElements ScatterND TopK Unique",
    12: "Celu Einsum GreaterOrEqual LessOrEqual",
}
_SINCE_OF_ML = {3: "TreeEnsembleClassifier TreeEnsembleRegressor"}
_INDICES = ("int32", "int64")
_ON_FLATTENED = ("Hardmax", "LogSoftmax", "Softmax")

FIRST_VERSIONS: Mapping[tuple[str, str], int] = {
    ("" if table is _SINCE else "ai.onnx.ml", name): version
    for table in (_SINCE, _SINCE_OF_ML)
    for version, names in table.items()
    for name in names.split()
}
"""Since which version of its operator a rule holds, where that is not the newest one."""


def is_as_today(node: Node, types: Types) -> bool:
    """Whether nothing about a node of an older version is of what inference came to treat otherwise.

    That is negative axes, `ceil_mode`, masks of Dropout, slices and shapes that are not constant, and unknown ranks.
    """
    if any(type_ is not None and type_.shape is None for type_ in types):
        return False
    axes = (node.attr("axis", 0), *node.attr("axes", ()))
    if min(axes) < 0 or node.attr("ceil_mode", 0) or (node.op_type == "Dropout" and len(node.outputs) > 1):
        return False
    if node.op_type in _ON_FLATTENED and "axis" not in node.attributes:
        return types[0] is not None and types[0].shape is not None and len(types[0].shape) > 1
    if node.op_type == "Slice":
        return _cuts_known_sizes(node, types)
    return node.op_type != "Reshape" or constant(node, 1) is not None


def _cuts_known_sizes(node: Node, types: Types) -> bool:
    shape = known_shape(types, 0) or ()
    starts, ends = (elements(node, i, name, _INDICES) for i, name in ((1, "starts"), (2, "ends")))
    if starts is None or ends is None or len(node.inputs) > 4:
        return False
    axes = elements(node, 3, "axes", _INDICES) if has_elements(node, 3, "axes") else list(range(len(starts)))
    if axes is None or axes != sorted(axes) or len({len(starts), len(ends), len(axes)}) > 1:
        return False
    return all(
        0 <= axis < len(shape) and _cuts(shape[axis], a, b) for axis, a, b in zip(axes, starts, ends, strict=True)
    )


def _cuts(dim: Dim, start: int, end: int) -> bool:
    if not isinstance(dim, int):
        return False
    start, end = (x + dim if x < 0 else x for x in (start, end))
    return 0 <= start <= min(end, dim)
