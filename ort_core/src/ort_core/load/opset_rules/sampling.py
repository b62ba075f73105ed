"""Upgrades of operators that resample: Upsample and Resize, GridSample, RoiAlign, and Lp pooling."""

from __future__ import annotations

import numpy as np

from ort_core.ir.graph import Node
from ort_core.load.opset_rules.edit import (
    attribute_to_input,
    constant,
    detach_output,
    emit,
    emit_as,
    fixed,
    input_at,
    look,
    put,
    refuse,
    set_input,
    take,
)
from ort_core.load.opset_rules.registry import upgrade


@upgrade("Upsample", to=7)
def upsample_scales(node: Node) -> None:
    """There was one scale for the height and one for the width."""
    put(node, scales=(1.0, 1.0, float(take(node, "height_scale", 1.0)), float(take(node, "width_scale", 1.0))))


@upgrade("Upsample", to=9)
def upsample_scales_to_input(node: Node) -> None:
    """`scales` becomes an input."""
    attribute_to_input(node, "scales", 1, np.float32)


@upgrade("Upsample", to=10)
def upsample_to_resize(node: Node) -> None:
    """Upsample is called Resize; its scales are at least 1."""
    node.op_type = "Resize"
    put(node, mode="nearest" if look(node, "mode", "nearest") == "nearest" else "linear", nearest_mode="floor")


@upgrade("Resize", to=11)
def resize_legacy_coordinates(node: Node) -> None:
    """Coordinates were asymmetric; the nearest one lay below when scaling up and above when scaling down."""
    x, scales = node.inputs
    node.set_inputs((x, None, scales))
    put(node, coordinate_transformation_mode="asymmetric")
    if look(node, "mode", "nearest") != "nearest" or "nearest_mode" in node.attributes:
        return
    known = fixed(scales)
    if known is not None and not (known < 1).any():
        put(node, nearest_mode="floor")
    elif known is not None and not (known > 1).any():
        put(node, nearest_mode="ceil")
    else:
        one = constant(node, 1, "one", np.float32)
        node.set_input(2, emit(node, "Max", scales, one))
        put(node, nearest_mode="floor")
        inner, outer = detach_output(node)
        down = {name: a for name, a in node.attributes.items() if name != "nearest_mode"}
        emit_as(node, outer, "Resize", inner, None, emit(node, "Min", scales, one), nearest_mode="ceil", **down)


@upgrade("Resize", to=13)
def resize_optional_inputs(node: Node) -> None:
    """Inputs without effect were given as empty tensors; a coordinate mode for nearest neighbours was removed."""
    mode = look(node, "coordinate_transformation_mode", "half_pixel")
    if mode != "tf_crop_and_resize" and input_at(node, 1) is not None:
        node.set_input(1, None)
    if input_at(node, 3) is not None:
        set_input(node, 2, None)
    if mode == "tf_half_pixel_for_nn":
        rounding = look(node, "nearest_mode", "round_prefer_floor")
        replacement = {"floor": "round_prefer_ceil", "round_prefer_floor": "ceil"}.get(rounding)
        if look(node, "mode", "nearest") != "nearest" or replacement is None:
            raise refuse(node, f"there is no equal of coordinate mode '{mode}' with nearest mode '{rounding}'.")
        put(node, coordinate_transformation_mode="half_pixel", nearest_mode=replacement)


@upgrade("GridSample", to=20)
def grid_sample_mode_names(node: Node) -> None:
    """The modes were named after two dimensions."""
    mode = look(node, "mode", "bilinear")
    put(node, mode={"bilinear": "linear", "bicubic": "cubic"}.get(mode, mode))


@upgrade("RoiAlign", to=16)
def roi_align_default_coordinates(node: Node) -> None:
    """Coordinates were not shifted by half a pixel; now that is the default."""
    put(node, coordinate_transformation_mode="output_half_pixel")


@upgrade("LpPool", "GlobalLpPool", to=2)
def integer_norm(node: Node) -> None:
    """`p` was a float."""
    p = take(node, "p", 2.0)
    if not float(p).is_integer():
        raise refuse(node, f"its norm p={p} is not an integer.")
    put(node, p=int(p))
