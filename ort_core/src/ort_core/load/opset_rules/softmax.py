"""Upgrades of Softmax, LogSoftmax and Hardmax, which used to work on a matrix: everything from `axis` on was one row."""

from __future__ import annotations

from ort_core.errors import InvalidGraph
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Shape
from ort_core.load.opset_rules.edit import emit, first_rank_unknown, look, put, rank_of, restore_shape
from ort_core.load.opset_rules.registry import upgrade


@upgrade(
    *("Softmax", "LogSoftmax", "Hardmax"),
    to=13,
    wants=lambda node: node.attr("axis", 1) != -1 and first_rank_unknown(node),
)
def softmax_along_one_axis(node: Node) -> None:
    """Keeps the old rows: directly where they lie along one axis, through a matrix otherwise."""
    axis, x = look(node, "axis", 1), node.inputs[0]
    if x is None:
        return
    rank = rank_of(x)
    if rank and not -rank <= axis < rank:
        raise InvalidGraph(
            f"{node.where()}: got axis {axis} for an input of rank {rank}, expected -{rank} to {rank - 1}. Set the axis."
        )
    single = _single_axis(axis, x.shape)
    put(node, axis=-1 if single is None else single)
    if single is None:
        node.set_input(0, emit(node, "Flatten", x, axis=axis))
        restore_shape(node, x)


def _single_axis(axis: int, shape: Shape | None) -> int | None:
    """The one axis along which a row lies, or None where it spans several or that is unknown."""
    if axis == -1 or shape is None:
        return -1 if axis == -1 else None
    if axis < 0:
        axis += len(shape)
    if axis == len(shape) - 1:
        return -1
    long = [i for i in range(max(axis, 0), len(shape)) if shape[i] != 1]
    if len(long) > 1:
        return None
    return long[0] if long else -1
