"""Operands of attention: how heads are split off, transposed and repeated before the products."""

from __future__ import annotations

from typing import NamedTuple

from ort_core.ir.graph import Node, Value
from ort_provider_cpu.passes._activation import only_user
from ort_provider_cpu.passes._match import integers, made_by, sizes_equal, small_constant

SWAP_HEADS = (0, 2, 1, 3)
"""[B, S, H, D] to [B, H, S, D] and back."""


class Operand(NamedTuple):
    """What attention reads: `bhsd` [B, H, S, D], `bhds` [B, H, D, S], or `bshd` [B, S, H, D] or [B, S, H * D]."""

    value: Value
    layout: str
    heads: int


def plain(value: Value) -> Operand | None:
    """`value` [B, H, S, D] as it is."""
    heads = value.shape[1] if value.shape is not None and len(value.shape) == 4 else None
    return Operand(value, "bhsd", heads) if isinstance(heads, int) and heads > 0 else None


def split_heads(operand: Operand, *, shared: bool = False) -> Operand:
    """The tensor [B, S, H, D] or [B, S, H * D] that was transposed to `operand`, or `operand`.

    Args:
        shared: whether `operand` may have other uses, all of which go.
    """
    inner = transposed(operand.value, SWAP_HEADS, shared=shared)
    return operand if inner is None else Operand(_before_split(inner), "bshd", operand.heads)


def key(value: Value) -> Operand | None:
    """The keys that were transposed to `value` [B, H, D, S]."""
    heads = value.shape[1] if value.shape is not None and len(value.shape) == 4 else None
    if not isinstance(heads, int) or heads <= 0:
        return None
    if (inner := transposed(value, (0, 1, 3, 2))) is not None:
        return plain(inner)
    if (inner := transposed(value, (0, 2, 3, 1))) is not None:
        return Operand(_before_split(inner), "bshd", heads)
    return Operand(value, "bhds", heads)


def without_repetition(operand: Operand) -> Operand:
    """The heads [B, K, S, D] that were each repeated H / K times to `operand` [B, H, S, D], or `operand`."""
    reshape = made_by(operand.value, "Reshape") if operand.layout == "bhsd" else None
    if reshape is None or only_user(operand.value) is None:
        return operand
    expand = made_by(reshape.inputs[0], "Expand")
    unsqueeze = None if expand is None else made_by(expand.inputs[0], "Unsqueeze")
    if expand is None or unsqueeze is None or only_user(reshape.inputs[0]) is None:
        return operand
    source, axes = unsqueeze.inputs[0], integers(unsqueeze.inputs[1])
    grown = reshape.inputs[0]
    if source is None or grown is None or axes not in {(2,), (-3,)} or source.shape is None or grown.shape is None:
        return operand
    if len(source.shape) != 4 or len(grown.shape) != 5 or operand.value.shape is None:
        return operand
    batch, heads, length, depth = source.shape
    times = grown.shape[2]
    if not isinstance(heads, int) or not isinstance(times, int) or heads * times != operand.heads:
        return operand
    kept = (batch, heads, length, depth)
    if not all(sizes_equal(x, y) for x, y in zip((*grown.shape[:2], *grown.shape[3:]), kept, strict=True)):
        return operand
    shape = operand.value.shape
    # Of batch, length and depth two suffice: the number of elements tells the third.
    if sum(sizes_equal(x, y) for x, y in zip((shape[0], *shape[2:]), (batch, length, depth), strict=True)) < 2:
        return operand
    return Operand(source, "bhsd", heads)


def transposed(value: Value, perm: tuple[int, ...], *, shared: bool = False) -> Value | None:
    """What the Transpose that computes `value`, for one user alone unless it is `shared`, has as its input."""
    node = made_by(value, "Transpose")
    if node is None or (not shared and only_user(value) is None) or tuple(node.attr("perm", (3, 2, 1, 0))) != perm:
        return None
    return node.inputs[0]


def _before_split(value: Value) -> Value:
    """[B, S, H * D] that a Reshape turned into `value` [B, S, H, D], or `value`."""
    node = made_by(value, "Reshape")
    source = None if node is None else node.inputs[0]
    if node is None or source is None or source.shape is None or value.shape is None or only_user(value) is None:
        return value
    if len(source.shape) != 3 or len(value.shape) != 4:
        return value
    *_, heads, depth = value.shape
    if not isinstance(heads, int) or not isinstance(depth, int) or source.shape[2] != heads * depth:
        return value
    if all(sizes_equal(x, y) for x, y in zip(source.shape[:2], value.shape[:2], strict=True)):
        return source
    target = small_constant(node.inputs[1])
    copied = target is not None and target.tolist()[:2] == [0, 0] and node.attr("allowzero", 0) == 0
    return source if copied else value


def joins_heads(reshape: Node | None, value: Value) -> bool:
    """Whether a Reshape turns `value` [B, S, H, D] into [B, S, H * D]."""
    if reshape is None or reshape.domain or reshape.op_type != "Reshape" or reshape.inputs[0] is not value:
        return False
    result = reshape.outputs[0]
    if result is None or result.shape is None or value.shape is None or len(result.shape) != 3:
        return False
    batch, rows, heads, depth = value.shape
    if not isinstance(heads, int) or not isinstance(depth, int) or result.shape[2] != heads * depth:
        return False
    return sizes_equal(result.shape[0], batch) and sizes_equal(result.shape[1], rows)
