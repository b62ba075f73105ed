"""Operators that sample images, and those on boxes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    Output,
    Rule,
    Types,
    check,
    constant,
    distinct_axes,
    has_input,
    known_shape,
    needed_shape,
    size,
    unify,
)
from ort_core.infer.direct_rules.reshaping import shape_input
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Dim, Shape


def _resize(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    scales = constant(node, 2)
    check(scales is None or scales.dtype.name == "float32")
    scaled = has_input(node, 2) and (scales is None or scales.size > 0)
    sizes = None
    if has_input(node, 3) and (given_sizes := known_shape(types, 3)) != (0,):
        check(given_sizes is not None and len(given_sizes) == 1 and isinstance(given_sizes[0], int))
        sizes = shape_input(node, types, 3)
    policy = node.attr("keep_aspect_ratio_policy", "stretch")
    check(scaled != (sizes is not None) and policy in _POLICIES and (policy == "stretch" or not scaled))
    given = node.attr("axes")
    axes = distinct_axes(range(len(shape)) if given is None else given, len(shape))
    check(given is None or bool(given))
    if sizes is not None:
        check(len(sizes) == len(axes))
        return (_resized(shape, axes, sizes, policy, others_kept=given is not None),)
    if scales is None:
        return ((None,) * len(shape),)
    factors = [1.0] * len(shape)
    check(scales.size == len(axes))
    for axis, factor in zip(axes, scales.reshape(-1).tolist(), strict=True):
        check(math.isfinite(factor))
        factors[axis] = factor
    return (
        tuple(size(math.floor(d * f)) if isinstance(d, int) else None for d, f in zip(shape, factors, strict=True)),
    )


def _resized(
    shape: Shape, axes: Sequence[int], sizes: Sequence[int | None], policy: str, *, others_kept: bool
) -> tuple[Dim, ...]:
    wanted = dict(zip(axes, sizes, strict=True))
    if policy != "stretch":
        wanted = dict.fromkeys(axes)
        dims = [d for axis in axes if isinstance(d := shape[axis], int)]
        known = [s for s in sizes if s is not None]
        if len(dims) == len(axes):
            check(len(known) == len(sizes) and 0 not in dims)
            ratios = [s / d for s, d in zip(known, dims, strict=True)]
            ratio = min(ratios) if policy == "not_larger" else max(ratios)
            wanted = {axis: _rounded(ratio * d) for axis, d in zip(axes, dims, strict=True)}
    out: list[Dim] = []
    for axis, dim in enumerate(shape):
        target = wanted[axis] if axis in wanted else dim if others_kept and isinstance(dim, int) else None
        out.append(target if target is not None and target > 0 else None)
    return tuple(out)


def _rounded(value: float) -> int:
    """To the nearest integer, halves upwards."""
    check(0 <= value < 1 << 52)
    whole = math.floor(value)
    return whole + 1 if value - whole >= 0.5 else whole


def _grid_sample(node: Node, types: Types) -> Sequence[Output]:
    data, grid = needed_shape(types, 0), needed_shape(types, 1)
    check(len(data) == len(grid) >= 3)
    unify(len(data) - 2, grid[-1])
    return ((unify(data[0], grid[0]), data[1], *grid[1:-1]),)


def _affine_grid(node: Node, types: Types) -> Sequence[Output]:
    needed_shape(types, 0)
    sizes = shape_input(node, types, 1)
    check(len(sizes) in (4, 5) and min((s for s in sizes if s is not None), default=0) >= 0)
    return ((sizes[0], *sizes[2:], len(sizes) - 2),)


def _roi_align(node: Node, types: Types) -> Sequence[Output]:
    data, rois, indices = (known_shape(types, index) for index in range(3))
    check(data is None or len(data) == 4)
    check(rois is None or (len(rois) == 2 and unify(4, rois[1]) == 4))
    check(indices is None or len(indices) == 1)
    count = None if rois is None else rois[0]
    if indices is not None:
        count = unify(count, indices[0])
    height, width = node.attr("output_height", 1), node.attr("output_width", 1)
    return ((count, None if data is None else data[1], size(height), size(width)),)


def _max_roi_pool(node: Node, types: Types) -> Sequence[Output]:
    data, rois = needed_shape(types, 0), needed_shape(types, 1)
    pooled = node.attr("pooled_shape", ())
    check(len(data) == 4 and len(rois) == 2 and len(pooled) == 2 and min(pooled) > 0)
    unify(5, rois[1])
    return ((rois[0], data[1], *pooled),)


def _non_max_suppression(node: Node, types: Types) -> Sequence[Output]:
    return ((None, 3),)


def _image_decoder(node: Node, types: Types) -> Sequence[Output]:
    shape = known_shape(types, 0)
    check(shape is None or len(shape) == 1)
    return ((None, None, None),)


_POLICIES = ("stretch", "not_larger", "not_smaller")

RULES: Mapping[str, Rule] = {
    "AffineGrid": _affine_grid,
    "GridSample": _grid_sample,
    "ImageDecoder": _image_decoder,
    "MaxRoiPool": _max_roi_pool,
    "NonMaxSuppression": _non_max_suppression,
    "Resize": _resize,
    "RoiAlign": _roi_align,
}
