"""Nodes whose inputs are all constant are computed once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ort_core.errors import OrtError
from ort_core.ir.attributes import SparseWeight
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.passes import Level, PassContext, graph_pass
from ort_core.ir.rewrite import add_constant, make_constant, replace_node
from ort_core.ir.tensors import WeightRef
from ort_core.ir.types import ElementType, TensorType
from ort_core.log import logger_of
from ort_core.optimize.determinism import is_deterministic
from ort_core.optimize.fold_rules import fold_quickly
from ort_core.optimize.weights import FoldedWeight, ReshapedWeight, TransposedWeight

logger = logger_of("ort_core.optimize")

_STRING_BYTES = 64
_INPUT_FACTOR = 16
_TOTAL_FACTOR = 64
_RESHAPES = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
_KEPT = frozenset({"Constant", "DequantizeLinear"})
"""DequantizeLinear of a constant is how quantised weights are written; providers look for it."""
_SLOW = frozenset(
    {"Conv", "ConvTranspose", "GRU", "GridSample", "LSTM", "NonMaxSuppression", "RNN", "Resize", "RoiAlign"}
)
_SLOW_BYTES = 1 << 14


@graph_pass(Level.BASIC, order=30)
def fold_constants(graph: Graph, ctx: PassContext) -> bool:
    """Computes deterministic nodes on constants, in topological order, so that chains fold in one go.

    An output must have a known size within `ctx.max_fold_bytes`, and all of a graph's are within 64 times that; but a
    constant is reshaped or transposed whatever its size, without reading it. Overridable initializers are no constants.
    Outputs whose shape is still unknown are left for the next round, after inference.
    """
    changed = False
    weights = (value.const for value in graph.initializers.values())
    budget = ctx.max_fold_bytes * _TOTAL_FACTOR - sum(w.nbytes for w in weights if isinstance(w, FoldedWeight))
    for node in graph.nodes:
        ctx.progress.advance()
        if not _has_constant_inputs(node) or node.op_type in _KEPT or not is_deterministic(node):
            continue
        if any(a.ref for a in node.attributes.values()):
            continue
        made = _relayout(node) or _compute(node, ctx, budget)
        if made is None:
            continue
        budget -= sum(weight.nbytes for weight in made if isinstance(weight, FoldedWeight))
        _replace(graph, node, made)
        changed = True
    return changed


def _has_constant_inputs(node: Node) -> bool:
    found = False
    for value in node.inputs:
        if value is not None:
            if value.const is None or isinstance(value.const, SparseWeight) or not value.is_constant:
                return False
            found = True
    return found


def _replace(graph: Graph, node: Node, weights: Sequence[WeightRef]) -> None:
    value = node.outputs[0]
    if len(node.outputs) == 1 and value is not None:
        make_constant(value, weights[0])
        return
    name = node.name or node.op_type
    values = [
        add_constant(graph, weight, name) if value is not None and value.is_used else None
        for value, weight in zip(node.outputs, weights, strict=True)
    ]
    replace_node(node, values)


def _relayout(node: Node) -> list[WeightRef] | None:
    """The constant under its new shape or permutation, read later."""
    source, output = node.inputs[0], node.outputs[0]
    if node.domain or source is None or output is None or output.shape is None:
        return None
    weight, shape = source.const, tuple(d for d in output.shape if isinstance(d, int))
    if weight is None or isinstance(weight, SparseWeight) or len(shape) != len(output.shape):
        return None
    if node.op_type in _RESHAPES and math.prod(shape) == math.prod(weight.shape):
        return [ReshapedWeight(weight, shape)]
    if node.op_type == "Transpose" and weight.nbytes > 1024:
        permutation = node.attr("perm", tuple(reversed(range(len(shape)))))
        return [TransposedWeight(weight, permutation)]
    return None


def _compute(node: Node, ctx: PassContext, budget: int) -> list[WeightRef] | None:
    sizes = [_size_bytes(value.type) for value in node.outputs if value is not None]
    known = [size for size in sizes if size is not None]
    if len(known) != len(sizes) or sum(known) > min(ctx.max_fold_bytes, budget):
        return None
    weights = [None if v is None else v.const for v in node.inputs]
    limit = _SLOW_BYTES if node.op_type in _SLOW else ctx.max_fold_bytes * _INPUT_FACTOR
    dense = [None if w is None or isinstance(w, SparseWeight) else w for w in weights]
    if sum(_weight_bytes(w) for w in dense if w is not None) > limit:
        return None
    arrays = [None if w is None else w.array() for w in dense]
    try:
        with np.errstate(all="ignore"):
            results = fold_quickly(node, arrays)
            if results is None:
                results = ctx.evaluate(node, arrays)
    except (
        OrtError,
        ArithmeticError,
        AttributeError,
        LookupError,
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        logger.debug("%s is not folded: %s", node.where(), error)
        return None
    if results is None or len(results) < len(node.outputs):
        return None
    made = [_as_weight(value, result) for value, result in zip(node.outputs, results, strict=False)]
    present = [weight for weight in made if weight is not None]
    return present if len(present) == len(made) else None


def _as_weight(value: Value | None, result: np.ndarray) -> WeightRef | None:
    """The result as a constant, if it is of the type that was inferred."""
    if value is None:
        return FoldedWeight(np.empty(0, np.uint8))
    type_ = value.type
    if not isinstance(type_, TensorType) or not isinstance(result, np.ndarray | np.generic):
        return None
    array = np.asarray(result)
    is_string = type_.element is ElementType.STRING
    if tuple(array.shape) != type_.shape or (
        array.dtype.kind not in "OUS" if is_string else array.dtype != type_.element.dtype
    ):
        logger.debug("'%s' is not folded: got %s %s, inferred %s", value.name, array.dtype, array.shape, type_)
        return None
    if is_string:
        array = array.astype(object)
    elif array.base is not None:
        array = array.copy()
    return FoldedWeight(array, type_.element)


def _size_bytes(type_: object) -> int | None:
    if not isinstance(type_, TensorType) or type_.shape is None:
        return None
    count = 1
    for dim in type_.shape:
        if not isinstance(dim, int):
            return None
        count *= dim
    return count * (_STRING_BYTES if type_.element is ElementType.STRING else type_.element.dtype.itemsize)


def _weight_bytes(weight: WeightRef) -> int:
    return math.prod(weight.shape) * _STRING_BYTES if weight.element is ElementType.STRING else weight.nbytes
