"""Type inference of the operators for which that of `onnx.shape_inference` is unsafe or refuses types that the schema allows.

Expand there takes time and memory in proportion to the declared length of its shape input, LayerNormalization reads out of
bounds when its axis is outside the rank (onnx 1.23.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ort_core.errors import Fail, InvalidGraph
from ort_core.infer.constants import known_array
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Dim, Shape
from ort_core.ir.types import ElementType, TensorType, ValueType, describe

if TYPE_CHECKING:
    from ort_core.infer.custom import InferenceFunction

_MAX_RANK = 64
_FLOATS = (ElementType.FLOAT, ElementType.DOUBLE, ElementType.FLOAT16, ElementType.BFLOAT16)


def infer_expand(node: Node, types: Sequence[ValueType | None]) -> Sequence[ValueType | None]:
    """The element type of the data, and as much of the broadcast shape as is known.

    Raises:
        Fail: the shape input is no vector of int64, or does not broadcast with the data.
    """
    data, shape = types
    if isinstance(shape, TensorType) and (
        shape.element is not ElementType.INT64 or (shape.shape is not None and len(shape.shape) != 1)
    ):
        raise Fail(
            f"{node.where()}: its input 'shape' is {describe(shape)}, expected a vector of int64. Insert a Cast."
        )
    if not isinstance(data, TensorType):
        return [None]
    return [TensorType(data.element, None if data.shape is None else _expanded(node, data.shape, shape))]


def _expanded(node: Node, source: Shape, shape: ValueType | None) -> Shape | None:
    target: Shape
    given = known_array(node.inputs[1])
    if given is not None and given.size <= _MAX_RANK:
        target = tuple(given.tolist())
    else:
        count = shape.shape[0] if isinstance(shape, TensorType) and shape.shape else None
        if not isinstance(count, int) or count > _MAX_RANK:
            return None
        target = (None,) * count
    rank = max(len(source), len(target))
    pairs = zip((1,) * (rank - len(source)) + source, (1,) * (rank - len(target)) + target, strict=True)
    return tuple(_dim(node, a, b, source, target) for a, b in pairs)


def _dim(node: Node, a: Dim, b: Dim, source: Shape, target: Shape) -> Dim:
    if isinstance(a, int) and isinstance(b, int) and a != b and 1 not in (a, b):
        raise Fail(
            f"{node.where()}: Incompatible dimensions: {list(source)} cannot be expanded to {list(target)}. "
            "Correct the shape that it is given."
        )
    if b in (1, a):
        return a
    if a == 1 or (isinstance(b, int) and not isinstance(a, int)):
        return b
    return a if isinstance(a, int) else None


def infer_layer_normalization(node: Node, types: Sequence[ValueType | None]) -> Sequence[ValueType | None]:
    """Y is like X; Mean and InvStdDev have size 1 from `axis` on and the element type `stash_type`.

    Raises:
        InvalidGraph: X is no float tensor.
        Fail: the inputs differ in type, or `axis` is not one of X.
    """
    data = types[0]
    if isinstance(data, TensorType) and data.element not in _FLOATS:
        raise InvalidGraph(f"{node.where()}: its input 'X' does not take {data}. Insert a Cast to float.")
    known = [t for t in types if t is not None]
    if any(str(t) != str(known[0]) for t in known):
        raise Fail(f"{node.where()}: its inputs {', '.join(map(describe, known))} differ in type. Insert a Cast.")
    if not isinstance(data, TensorType):
        return [None]
    shape, axis, code = data.shape, node.attr("axis", -1), node.attr("stash_type", 1)
    if code not in ElementType.__members__.values():
        raise Fail(f"{node.where()}: attribute 'stash_type' is {code}, which is no element type. Set 1 for float.")
    stash = ElementType(code)
    if shape is None:
        return [data, *[TensorType(stash)] * 2]
    if not -len(shape) <= axis < len(shape):
        raise Fail(
            f"{node.where()}: attribute 'axis' is {axis}, expected {-len(shape)} to {len(shape) - 1} for an input of "
            f"type {describe(data)}. Correct the axis."
        )
    kept = len(shape) + axis if axis < 0 else axis
    return [data, *[TensorType(stash, (*shape[:kept], *(1,) * (len(shape) - kept)))] * 2]


def infer_mean_variance_normalization(node: Node, types: Sequence[ValueType | None]) -> Sequence[ValueType | None]:
    """Y is like X.

    Raises:
        InvalidGraph: X is no float tensor.
    """
    _check_float(node, "X", types[0])
    return [types[0]]


def infer_rms_normalization(node: Node, types: Sequence[ValueType | None]) -> Sequence[ValueType | None]:
    """Y has the shape of X and the element type of the scale.

    Raises:
        InvalidGraph: an input is no float tensor.
    """
    data, scale = types
    _check_float(node, "X", data)
    _check_float(node, "scale", scale)
    if not isinstance(scale, TensorType):
        return [None]
    return [TensorType(scale.element, data.shape if isinstance(data, TensorType) else None)]


def _check_float(node: Node, name: str, type_: ValueType | None) -> None:
    if type_ is not None and (not isinstance(type_, TensorType) or type_.element not in _FLOATS):
        raise InvalidGraph(f"{node.where()}: its input '{name}' does not take {type_}. Insert a Cast to float.")


REPLACEMENTS: Mapping[tuple[str, str], InferenceFunction] = {
    ("", "Expand"): infer_expand,
    ("", "LayerNormalization"): infer_layer_normalization,
    ("", "MeanVarianceNormalization"): infer_mean_variance_normalization,
    ("", "RMSNormalization"): infer_rms_normalization,
}
"""Inference functions in place of ONNX's own."""
