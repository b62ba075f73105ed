"""How operators compute the shapes of their outputs, on terms. Only what holds for every valid run is claimed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from ort_core.infer.shape_facts import ShapeFacts, Terms, dimensions, operand
from ort_core.infer.terms import Term, add, is_natural, quotient
from ort_core.ir.graph import Node, Value

Shapes: TypeAlias = "Sequence[Sequence[Term | None] | None] | None"
ShapeRule: TypeAlias = Callable[[ShapeFacts, Node], Shapes]


def _same(facts: ShapeFacts, node: Node) -> Shapes:
    return (facts.shape(operand(node, 0)),)


def broadcast(shapes: Sequence[Terms | None], output: Value | None) -> Sequence[Term | None] | None:
    """The shape of several broadcast together; None for a dimension that cannot be told."""
    if output is None or any(s is None for s in shapes):
        return None
    known = [s for s in shapes if s is not None]
    first = known[0]
    if all(s == first for s in known):
        return first
    rank = max(map(len, known))
    padded = [(1,) * (rank - len(s)) + s for s in known]
    return [functools.reduce(_broadcast_dim, column) for column in zip(*padded, strict=True)]


def _broadcast_dim(a: Term | None, b: Term | None) -> Term | None:
    if b in (a, 1):
        return a
    if a == 1:
        return b
    if isinstance(a, int):
        return a
    return b if isinstance(b, int) else None


def _broadcasting(facts: ShapeFacts, node: Node) -> Shapes:
    if "broadcast" in node.attributes or "axis" in node.attributes:
        return None
    return (broadcast([facts.shape(v) for v in node.inputs], node.outputs[0]),)


def normal_axes(axes: Sequence[int], rank: int) -> tuple[int, ...] | None:
    """Axes counted from the front and sorted; None if one is out of range or doubled."""
    found = sorted(a + rank if a < 0 else a for a in axes)
    if len(set(found)) != len(found) or (found and not 0 <= found[0] <= found[-1] < rank):
        return None
    return tuple(found)


def _transpose(facts: ShapeFacts, node: Node) -> Shapes:
    shape = facts.shape(operand(node, 0))
    if shape is None:
        return None
    permutation = node.attr("perm", tuple(reversed(range(len(shape)))))
    if sorted(permutation) != list(range(len(shape))):
        return None
    return ([shape[axis] for axis in permutation],)


def _unsqueeze(facts: ShapeFacts, node: Node) -> Shapes:
    shape, axes = facts.shape(operand(node, 0)), facts.integers(operand(node, 1))
    if shape is None or axes is None:
        return None
    normal = normal_axes(axes, len(shape) + len(axes))
    if normal is None:
        return None
    out = list(shape)
    for axis in normal:
        out.insert(axis, 1)
    return (out,)


def _squeeze(facts: ShapeFacts, node: Node) -> Shapes:
    shape = facts.shape(operand(node, 0))
    axes = facts.integers(operand(node, 1))
    if shape is None or axes is None:
        return None
    normal = normal_axes(axes, len(shape))
    if normal is None:
        return None
    return ([dim for axis, dim in enumerate(shape) if axis not in normal],)


def _reshape(facts: ShapeFacts, node: Node) -> Shapes:
    output = node.outputs[0]
    target = facts.elements(operand(node, 1))
    if output is None or target is None:
        return None
    return (resolve_reshape(facts.shape(operand(node, 0)), target, node.attr("allowzero", 0) == 1, output),)


def resolve_reshape(source: Terms | None, target: Terms, allow_zero: bool, output: Value) -> Terms:
    """The shape that Reshape gives; fresh symbols where it cannot be told.

    A target that might be 0 when the model runs copies the size of the source, so it is only believed if it is that size.
    """
    out: list[Term | None] = []
    for axis, term in enumerate(target):
        copied = source[axis] if source is not None and axis < len(source) else None
        if isinstance(term, int):
            out.append(term if term > 0 or (term == 0 and allow_zero) else copied if term == 0 else None)
        else:
            out.append(term if term == copied or (allow_zero and is_natural(term)) else None)
    if source is not None and target.count(-1) == 1 and out.count(None) == 1:
        out[target.index(-1)] = quotient(source, [t for t in out if t is not None])
    typed = dimensions(output, len(target))
    return tuple(t if s is None else s for s, t in zip(out, typed, strict=True))


def _flatten(facts: ShapeFacts, node: Node) -> Shapes:
    shape = facts.shape(operand(node, 0))
    if shape is None:
        return None
    axis = node.attr("axis", 1)
    axis = axis + len(shape) if axis < 0 else axis
    return ((quotient(shape[:axis], ()), quotient(shape[axis:], ())),)


def _expand(facts: ShapeFacts, node: Node) -> Shapes:
    return (broadcast([facts.shape(operand(node, 0)), facts.elements(operand(node, 1))], node.outputs[0]),)


def _concat(facts: ShapeFacts, node: Node) -> Shapes:
    shapes = [facts.shape(v) for v in node.inputs]
    first = shapes[0]
    known = [s for s in shapes if s is not None]
    if first is None or len(known) != len(shapes) or len({len(s) for s in known}) != 1:
        return None
    axis = node.attr("axis", 1)
    axis = axis + len(first) if axis < 0 else axis
    if not 0 <= axis < len(first):
        return None
    out: list[Term] = [
        next((d for d in column if isinstance(d, int)), column[0]) for column in zip(*known, strict=True)
    ]
    out[axis] = functools.reduce(add, [s[axis] for s in known])
    return (out,)


def _split(facts: ShapeFacts, node: Node) -> Shapes:
    shape = facts.shape(operand(node, 0))
    if shape is None:
        return None
    axis = node.attr("axis", 0)
    axis = axis + len(shape) if axis < 0 else axis
    if not 0 <= axis < len(shape):
        return None
    sizes = facts.integers(operand(node, 1))
    return [
        [*shape[:axis], sizes[i] if sizes is not None and i < len(sizes) else None, *shape[axis + 1 :]]
        for i in range(len(node.outputs))
    ]


def _matmul(facts: ShapeFacts, node: Node) -> Shapes:
    a, b = facts.shape(operand(node, 0)), facts.shape(operand(node, 1))
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return None
    batch = broadcast([a[:-2], b[:-2]], node.outputs[0])
    return None if batch is None else ([*batch, a[-2], b[-1]],)


def _gemm(facts: ShapeFacts, node: Node) -> Shapes:
    a, b = facts.shape(operand(node, 0)), facts.shape(operand(node, 1))
    if a is None or b is None or len(a) != 2 or len(b) != 2:
        return None
    return ((a[1 if node.attr("transA", 0) else 0], b[0 if node.attr("transB", 0) else 1]),)


def _gather(facts: ShapeFacts, node: Node) -> Shapes:
    data, indices = facts.shape(operand(node, 0)), facts.shape(operand(node, 1))
    if data is None or indices is None:
        return None
    axis = node.attr("axis", 0)
    axis = axis + len(data) if axis < 0 else axis
    return ([*data[:axis], *indices, *data[axis + 1 :]],)


def _slice(facts: ShapeFacts, node: Node) -> Shapes:
    shape = facts.shape(operand(node, 0))
    axes = sliced_axes(facts, node)
    if shape is None or axes is None:
        return None
    return ([None if axis in axes and not axes[axis] else dim for axis, dim in enumerate(shape)],)


def sliced_axes(facts: ShapeFacts, node: Node) -> dict[int, bool] | None:
    """For each axis that a Slice names, whether it keeps the whole of it; None if the axes are unknown."""
    shape = facts.shape(operand(node, 0))
    inputs = [operand(node, index) for index in range(5)]
    starts, ends = facts.elements(inputs[1]), facts.elements(inputs[2])
    if shape is None:
        return None
    given = facts.integers(inputs[3])
    if inputs[3] is None and starts is not None:
        given = tuple(range(len(starts)))
    if given is None or normal_axes(given, len(shape)) is None:
        return None
    steps = (1,) * len(given) if inputs[4] is None else facts.integers(inputs[4])
    whole = {}
    for index, axis in enumerate(a % len(shape) for a in given):
        whole[axis] = (
            starts is not None
            and ends is not None
            and steps is not None
            and len(starts) == len(ends) == len(steps) == len(given)
            and starts[index] == 0
            and steps[index] == 1
            and _covers(ends[index], shape[axis])
        )
    return whole


def _covers(end: Term, dim: Term) -> bool:
    if end == dim:
        return True
    return isinstance(end, int) and end >= (dim if isinstance(dim, int) else (1 << 63) - 1)


def _reduce(facts: ShapeFacts, node: Node) -> Shapes:
    shape = facts.shape(operand(node, 0))
    if shape is None:
        return None
    axes = facts.integers(operand(node, 1))
    return _reduced(shape, axes, node) if axes else None


def _reduced(shape: Terms, axes: Sequence[int], node: Node) -> Shapes:
    normal = normal_axes(axes, len(shape))
    if normal is None:
        return None
    if node.attr("keepdims", 1):
        return ([1 if axis in normal else dim for axis, dim in enumerate(shape)],)
    return ([dim for axis, dim in enumerate(shape) if axis not in normal],)


def _arg_reduce(facts: ShapeFacts, node: Node) -> Shapes:
    shape = facts.shape(operand(node, 0))
    return None if shape is None else _reduced(shape, (node.attr("axis", 0),), node)


def _shape_of(facts: ShapeFacts, node: Node) -> Shapes:
    shape = facts.shape(operand(node, 0))
    return None if shape is None else ((len(shape[slice(node.attr("start", 0), node.attr("end"))]),),)


def _range(facts: ShapeFacts, node: Node) -> Shapes:
    start, limit, delta = (facts.elements(operand(node, index)) for index in range(3))
    if start != (0,) or delta != (1,) or limit is None or len(limit) != 1 or not is_natural(limit[0]):
        return None
    return (limit,)


def _constant_of_shape(facts: ShapeFacts, node: Node) -> Shapes:
    return (facts.elements(operand(node, 0)),)


def _conv(facts: ShapeFacts, node: Node) -> Shapes:
    data, weight = facts.shape(operand(node, 0)), facts.shape(operand(node, 1))
    if data is None or weight is None or len(data) < 3:
        return None
    return ([data[0], weight[0], *[None] * (len(data) - 2)],)


def _keeps_batch_and_channel(facts: ShapeFacts, node: Node) -> Shapes:
    data = facts.shape(operand(node, 0))
    return None if data is None or len(data) < 3 else ([data[0], data[1], *[None] * (len(data) - 2)],)


_SAME = (
    "Abs Acos Acosh Asin Asinh Atan Atanh BatchNormalization BitwiseNot Cast CastLike Ceil Celu Clip Cos Cosh CumSum "
    "DequantizeLinear Dropout Elu Erf Exp Floor Gelu GroupNormalization HardSigmoid HardSwish Hardmax Identity "
    "InstanceNormalization IsInf IsNaN LayerNormalization LeakyRelu Log LogSoftmax LpNormalization LRN "
    "MeanVarianceNormalization Mish Neg Not PRelu QuantizeLinear RMSNormalization Reciprocal Relu Round ScatterElements "
    "ScatterND Selu Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh TensorScatter "
    "ThresholdedRelu Trilu"
)
_BROADCASTING = (
    "Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod "
    "Mul Or Pow Sub Sum Where Xor"
)

SHAPE_RULES: Mapping[str, ShapeRule] = {
    **dict.fromkeys(_SAME.split(), _same),
    **dict.fromkeys(_BROADCASTING.split(), _broadcasting),
    **dict.fromkeys(
        ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceL1", "ReduceL2"), _reduce
    ),
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg_reduce),
    **dict.fromkeys(("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool"), _keeps_batch_and_channel),
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Conv": _conv,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape_of,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
