"""How common operators compute the shapes of their outputs, with every check that ONNX's inference makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from ort_core.infer.constants import known_array
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Dim, Shape
from ort_core.ir.types import ElementType, TensorType

Types: TypeAlias = "Sequence[TensorType | None]"


class UndecidedError(Exception):
    """The rules do not tell, or the node might be wrong."""


class DirectRule(NamedTuple):
    """What is inferred of an operator.

    Attributes:
        shapes: the shapes of the outputs from the node and its input types, whose ranks are known.
        element: the element type of the outputs, where the schema does not tell it.
    """

    shapes: Callable[[Node, Types], Sequence[Shape | None]]
    element: Callable[[Node], ElementType] | None = None


def _shape(types: Types, index: int) -> Shape:
    type_ = types[index] if index < len(types) else None
    if type_ is None or type_.shape is None:
        raise UndecidedError
    return type_.shape


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise UndecidedError
    return axis % rank


def _integers(node: Node, index: int) -> list[int]:
    array = known_array(node.inputs[index]) if index < len(node.inputs) else None
    if array is None or array.ndim != 1 or array.size > _MAX_ITEMS or array.dtype.kind != "i":
        raise UndecidedError
    items: list[int] = array.tolist()
    return items


def _axes(node: Node, index: int, rank: int) -> list[int]:
    axes = sorted(_axis(a, rank) for a in _integers(node, index))
    if len(set(axes)) != len(axes):
        raise UndecidedError
    return axes


def _product(dims: Sequence[Dim]) -> Dim:
    rest = [d for d in dims if d != 1]
    if len(rest) == 1:
        return rest[0]
    sizes = [d for d in rest if isinstance(d, int)]
    return math.prod(sizes) if len(sizes) == len(rest) else None


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape of several broadcast together; None for a dimension that may be one of several."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    return tuple(_broadcast_dims(column) for column in zip(*padded, strict=True))


def _broadcast_dims(dims: Sequence[Dim]) -> Dim:
    sizes = {d for d in dims if isinstance(d, int) and d != 1}
    if len(sizes) > 1:
        raise UndecidedError
    if sizes:
        return sizes.pop()
    names = {d for d in dims if not isinstance(d, int)}
    return 1 if not names else names.pop() if len(names) == 1 else None


def _agree(a: Dim, b: Dim) -> Dim:
    """Of two dimensions that must be equal, the one that says more."""
    if a == b or b is None:
        return a
    if a is None:
        return b
    if isinstance(a, int) and isinstance(b, int):
        raise UndecidedError
    return a if isinstance(a, int) else b if isinstance(b, int) else a


def _same(node: Node, types: Types) -> Sequence[Shape]:
    return (_shape(types, 0),)


def _same_with_axis(node: Node, types: Types) -> Sequence[Shape]:
    shape = _shape(types, 0)
    _axis(node.attr("axis", -1), len(shape))
    return (shape,)


def _broadcasting(node: Node, types: Types) -> Sequence[Shape]:
    return (broadcast([_shape(types, i) for i in range(len(types))]),)


def _gemm(node: Node, types: Types) -> Sequence[Shape]:
    a, b = _shape(types, 0), _shape(types, 1)
    if len(a) != 2 or len(b) != 2:
        raise UndecidedError
    rows, inner = reversed(a) if node.attr("transA", 0) else a
    other, columns = reversed(b) if node.attr("transB", 0) else b
    _agree(inner, other)
    return ((rows, columns),)


def _matmul(node: Node, types: Types) -> Sequence[Shape]:
    a, b = _shape(types, 0), _shape(types, 1)
    if len(a) < 2 or len(b) < 2:
        raise UndecidedError
    _agree(a[-1], b[-2])
    return ((*broadcast([a[:-2], b[:-2]]), a[-2], b[-1]),)


def _transpose(node: Node, types: Types) -> Sequence[Shape]:
    shape = _shape(types, 0)
    permutation = node.attr("perm", tuple(reversed(range(len(shape)))))
    if sorted(permutation) != list(range(len(shape))):
        raise UndecidedError
    return (tuple(shape[axis] for axis in permutation),)


def _flatten(node: Node, types: Types) -> Sequence[Shape]:
    shape = _shape(types, 0)
    axis = node.attr("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise UndecidedError
    axis = axis + len(shape) if axis < 0 else axis
    return ((_product(shape[:axis]), _product(shape[axis:])),)


def _concat(node: Node, types: Types) -> Sequence[Shape]:
    shapes = [_shape(types, i) for i in range(len(types))]
    axis = _axis(node.attr("axis"), len(shapes[0]))
    if any(len(s) != len(shapes[0]) for s in shapes):
        raise UndecidedError
    out: list[Dim] = list(shapes[0])
    for shape in shapes[1:]:
        out = [_agree(a, b) for a, b in zip(out, shape, strict=True)]
    sizes = [s[axis] for s in shapes]
    known = [d for d in sizes if isinstance(d, int)]
    out[axis] = sum(known) if len(known) == len(sizes) else sizes[0] if len(sizes) == 1 else None
    return (tuple(out),)


def _unsqueeze(node: Node, types: Types) -> Sequence[Shape]:
    shape = list(_shape(types, 0))
    for axis in _axes(node, 1, len(shape) + len(_integers(node, 1))):
        shape.insert(axis, 1)
    return (tuple(shape),)


def _squeeze(node: Node, types: Types) -> Sequence[Shape]:
    shape = _shape(types, 0)
    axes = _axes(node, 1, len(shape))
    if any(shape[axis] != 1 for axis in axes):
        raise UndecidedError
    return (tuple(d for axis, d in enumerate(shape) if axis not in axes),)


def _reshape(node: Node, types: Types) -> Sequence[Shape]:
    source, target = _shape(types, 0), _integers(node, 1)
    if node.attr("allowzero", 0) or target.count(-1) > 1 or min(target, default=0) < -1:
        raise UndecidedError
    if any(size == 0 and axis >= len(source) for axis, size in enumerate(target)):
        raise UndecidedError
    out: list[Dim] = [source[axis] if size == 0 else size for axis, size in enumerate(target)]
    left, right = _product(source), _product([d for d, size in zip(out, target, strict=True) if size != -1])
    if -1 in target:
        if not isinstance(left, int) or not isinstance(right, int):
            out[target.index(-1)] = None
        elif right == 0 or left % right:
            raise UndecidedError
        else:
            out[target.index(-1)] = left // right
    elif isinstance(left, int) and isinstance(right, int) and left != right:
        raise UndecidedError
    return (tuple(out),)


def _gather(node: Node, types: Types) -> Sequence[Shape]:
    data, indices = _shape(types, 0), _shape(types, 1)
    axis = _axis(node.attr("axis", 0), len(data))
    return ((*data[:axis], *indices, *data[axis + 1 :]),)


def _shape_of(node: Node, types: Types) -> Sequence[Shape]:
    return ((len(_shape(types, 0)[slice(node.attr("start", 0), node.attr("end"))]),),)


def _reduce(node: Node, types: Types) -> Sequence[Shape]:
    shape = _shape(types, 0)
    axes = _axes(node, 1, len(shape))
    if not axes:
        raise UndecidedError
    return (_reduced(shape, axes, node),)


def _arg_reduce(node: Node, types: Types) -> Sequence[Shape]:
    shape = _shape(types, 0)
    return (_reduced(shape, [_axis(node.attr("axis", 0), len(shape))], node),)


def _reduced(shape: Shape, axes: Sequence[int], node: Node) -> Shape:
    if node.attr("keepdims", 1):
        return tuple(1 if axis in axes else d for axis, d in enumerate(shape))
    return tuple(d for axis, d in enumerate(shape) if axis not in axes)


def _global_pool(node: Node, types: Types) -> Sequence[Shape]:
    shape = _shape(types, 0)
    if len(shape) < 3:
        raise UndecidedError
    return ((*shape[:2], *(1,) * (len(shape) - 2)),)


def _batch_normalization(node: Node, types: Types) -> Sequence[Shape]:
    shape = _shape(types, 0)
    if len(shape) < 2 or node.attr("training_mode", 0):
        raise UndecidedError
    channels = shape[1]
    for index in range(1, 5):
        statistics = _shape(types, index)
        if len(statistics) != 1:
            raise UndecidedError
        channels = _agree(channels, statistics[0])
    return (shape,)


def _conv(node: Node, types: Types) -> Sequence[Shape]:
    data, weight = _shape(types, 0), _shape(types, 1)
    if len(data) < 3 or len(weight) != len(data):
        raise UndecidedError
    kernel = weight[2:]
    given = node.attr("kernel_shape")
    if given is not None and tuple(given) != kernel:
        raise UndecidedError
    return ((data[0], weight[0], *_windows(node, data[2:], kernel)),)


def _pool(node: Node, types: Types) -> Sequence[Shape]:
    data, kernel = _shape(types, 0), node.attr("kernel_shape")
    if len(data) < 3 or len(kernel) != len(data) - 2 or node.attr("ceil_mode", 0):
        raise UndecidedError
    return ((data[0], data[1], *_windows(node, data[2:], kernel)),)


def _windows(node: Node, sizes: Shape, kernel: Sequence[Dim]) -> Shape:
    """How many windows fit along each spatial dimension."""
    rank = len(sizes)
    strides, dilations = node.attr("strides", (1,) * rank), node.attr("dilations", (1,) * rank)
    pads = node.attr("pads", (0,) * 2 * rank)
    if node.attr("auto_pad", "NOTSET") != "NOTSET" or (len(strides), len(dilations), len(pads)) != (
        rank,
        rank,
        2 * rank,
    ):
        raise UndecidedError
    if min((*strides, *dilations), default=1) < 1 or min(pads, default=0) < 0:
        raise UndecidedError
    out: list[Dim] = []
    for axis, (size, window) in enumerate(zip(sizes, kernel, strict=True)):
        if not isinstance(window, int) or window < 1:
            raise UndecidedError
        if not isinstance(size, int):
            out.append(None)
            continue
        room = size + pads[axis] + pads[rank + axis] - (window - 1) * dilations[axis] - 1
        if room < 0:
            raise UndecidedError
        out.append(room // strides[axis] + 1)
    return tuple(out)


def _target(node: Node) -> ElementType:
    try:
        return ElementType(node.attr("to"))
    except ValueError as error:
        raise UndecidedError from error


_MAX_ITEMS = 64
_SAME = (
    "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Clip Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid HardSwish "
    "Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign "
    "Sqrt Swish Tan Tanh ThresholdedRelu"
)
_BROADCASTING = (
    "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod "
    "Mul Or Pow Sub Sum Where Xor"
)
_REDUCTIONS = "ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare"
_ONNX: Mapping[str, DirectRule] = {
    **dict.fromkeys(_SAME.split(), DirectRule(_same)),
    **dict.fromkeys(_BROADCASTING.split(), DirectRule(_broadcasting)),
    **dict.fromkeys(_REDUCTIONS.split(), DirectRule(_reduce)),
    **dict.fromkeys(("Hardmax", "LogSoftmax", "Softmax"), DirectRule(_same_with_axis)),
    **dict.fromkeys(("ArgMax", "ArgMin"), DirectRule(_arg_reduce)),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), DirectRule(_global_pool)),
    **dict.fromkeys(("AveragePool", "MaxPool"), DirectRule(_pool)),
    "BatchNormalization": DirectRule(_batch_normalization),
    "Cast": DirectRule(_same, _target),
    "Concat": DirectRule(_concat),
    "Conv": DirectRule(_conv),
    "Flatten": DirectRule(_flatten),
    "Gather": DirectRule(_gather),
    "Gemm": DirectRule(_gemm),
    "MatMul": DirectRule(_matmul),
    "Reshape": DirectRule(_reshape),
    "Shape": DirectRule(_shape_of),
    "Squeeze": DirectRule(_squeeze),
    "Transpose": DirectRule(_transpose),
    "Unsqueeze": DirectRule(_unsqueeze),
}
DIRECT_RULES: Mapping[tuple[str, str], DirectRule] = {("", name): rule for name, rule in _ONNX.items()}
"""Rules by domain and operator, for the newest opset."""
