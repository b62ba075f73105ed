"""Upgrades of operators that move, cut and reshape: what were attributes became inputs."""

from __future__ import annotations

from ort_core.ir.graph import Node
from ort_core.ir.types import ElementType
from ort_core.load.opset_rules.edit import (
    attribute_to_input,
    constant,
    emit,
    first_element_unknown,
    input_at,
    look,
    ones,
    put,
    rank_value,
    scalar_like,
    set_input,
    take,
)
from ort_core.load.opset_rules.registry import upgrade


@upgrade("Concat", to=4)
def concat_default_axis(node: Node) -> None:
    """`axis` was optional, with default 1."""
    put(node, axis=look(node, "axis", 1))


@upgrade("Reshape", to=5)
def reshape_shape_to_input(node: Node) -> None:
    """`shape` becomes an input."""
    attribute_to_input(node, "shape", 1)


@upgrade("Split", to=2)
def split_sizes_are_integers(node: Node) -> None:
    """The sizes could be an input of the element type of the data."""
    sizes = input_at(node, 1)
    if sizes is not None:
        node.set_input(1, emit(node, "Cast", sizes, to=int(ElementType.INT64)))


@upgrade("Split", to=13)
def split_sizes_to_input(node: Node) -> None:
    """`split` becomes an input."""
    attribute_to_input(node, "split", 1)


@upgrade("Split", to=18)
def split_needs_a_count(node: Node) -> None:
    """Without sizes the number of equal parts must be said."""
    if input_at(node, 1) is None:
        put(node, num_outputs=len(node.outputs))


@upgrade("Squeeze", "Unsqueeze", "ReduceSum", to=13)
@upgrade(
    *("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd"),
    "ReduceSumSquare",
    to=18,
)
def axes_to_input(node: Node) -> None:
    """`axes` becomes an input."""
    attribute_to_input(node, "axes", 1)


@upgrade("Slice", to=10)
def slice_bounds_to_inputs(node: Node) -> None:
    """`starts`, `ends` and `axes` become inputs."""
    for index, name in enumerate(("starts", "ends", "axes"), 1):
        attribute_to_input(node, name, index)


@upgrade("Pad", to=2)
def rename_paddings(node: Node) -> None:
    """`paddings` is called `pads`."""
    put(node, pads=take(node, "paddings", ()))


@upgrade("Pad", to=11, wants=lambda node: bool(node.attr("value")) and first_element_unknown(node))
def pads_to_inputs(node: Node) -> None:
    """`pads` and `value` become inputs."""
    attribute_to_input(node, "pads", 1)
    value = take(node, "value", 0.0)
    if value and node.inputs[0] is not None and look(node, "mode", "constant") == "constant":
        set_input(node, 2, scalar_like(node, value, node.inputs[0], "value"))


@upgrade("Tile", to=6)
def tile_one_axis(node: Node) -> None:
    """Inputs were the count and the axis, of the element type of the data; now there is a count for each axis."""
    x, tiles, axis = node.inputs
    if x is None or tiles is None or axis is None:
        return
    one = constant(node, [1], "one")
    where, count = (emit(node, "Reshape", emit(node, "Cast", v, to=int(ElementType.INT64)), one) for v in (axis, tiles))
    repeats = emit(node, "ScatterElements", ones(node, rank_value(node, x)), where, count)
    node.set_inputs((x, repeats))


@upgrade("TopK", to=10)
def k_to_input(node: Node) -> None:
    """`k` becomes an input."""
    k = take(node, "k")
    if k is not None:
        set_input(node, 1, constant(node, [k], "k"))


@upgrade("Scatter", to=11)
def rename_scatter(node: Node) -> None:
    """Scatter is called ScatterElements."""
    node.op_type = "ScatterElements"


@upgrade("DFT", to=20)
def dft_axis_to_input(node: Node) -> None:
    """`axis` becomes an input, whose default is another one."""
    set_input(node, 2, constant(node, take(node, "axis", 1), "axis"))
