"""Operators that arrange the same elements in another shape, and those that tell the shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    MAX_RANK,
    Output,
    Rule,
    Types,
    UndecidedError,
    UnknownRankError,
    check,
    distinct_axes,
    elements,
    has_elements,
    integers,
    known_shape,
    needed_shape,
    normal_axis,
    over,
    product,
    times,
)
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Dim, Shape


def shape_input(node: Node, types: Types, index: int) -> list[int | None]:
    """The shape that an input gives: its elements, or as many unknown ones as it has.

    Raises:
        UnknownRankError: not even their count is known.
    """
    items = integers(node, index)
    if items is not None:
        return list(items)
    shape = needed_shape(types, index)
    check(len(shape) == 1)
    count = shape[0]
    if not isinstance(count, int):
        raise UnknownRankError
    check(count <= MAX_RANK)
    return [None] * count


def _reshape(node: Node, types: Types) -> Sequence[Output]:
    target, source = shape_input(node, types, 1), known_shape(types, 0)
    sizes = [d for d in target if d is not None]
    check(sizes.count(-1) <= 1 and min(sizes, default=0) >= -1)
    copies = not node.attr("allowzero", 0)
    out: list[Dim] = []
    for axis, size in enumerate(target):
        if size == 0 and copies:
            check(source is None or axis < len(source))
            out.append(None if source is None else source[axis])
        else:
            out.append(None if size == -1 else size)
    if -1 in target and None not in target:
        out[target.index(-1)] = _rest(source, target, out, copies)
    elif source is not None and len(sizes) == len(target):
        left, right = product(source), product(out)
        check(not isinstance(left, int) or not isinstance(right, int) or left == right)
    return (tuple(out),)


def _rest(source: Shape | None, target: Sequence[int | None], out: Sequence[Dim], copies: bool) -> Dim:
    """The size that -1 stands for; unknown dimensions that are copied cancel out."""
    kept = [d for d, size in zip(out, target, strict=True) if isinstance(d, int) and size != -1]
    right = product(kept)
    check(right != 0)
    if source is None or right is None:
        return None
    left: list[Dim] = []
    for axis, dim in enumerate(source):
        if isinstance(dim, int):
            left.append(dim)
        elif not (copies and axis < len(target) and target[axis] == 0):
            return None
    total = product(left)
    if not isinstance(total, int) or not isinstance(right, int) or total % right:
        raise UndecidedError
    return total // right


def _flatten(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    axis = node.attr("axis", 1)
    check(-len(shape) <= axis <= len(shape))
    axis = axis + len(shape) if axis < 0 else axis
    return ((product(shape[:axis]), product(shape[axis:])),)


def _transpose(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    permutation = node.attr("perm", tuple(reversed(range(len(shape)))))
    check(sorted(permutation) == list(range(len(shape))))
    return (tuple(shape[axis] for axis in permutation),)


def _unsqueeze(node: Node, types: Types) -> Sequence[Output]:
    shape, axes = list(needed_shape(types, 0)), elements(node, 1, "axes")
    if axes is None:
        raise UnknownRankError
    for axis in sorted(distinct_axes(axes, len(shape) + len(axes))):
        shape.insert(axis, 1)
    return (tuple(shape),)


def _squeeze(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    if not has_elements(node, 1, "axes"):
        if not all(isinstance(d, int) for d in shape):
            raise UnknownRankError
        return (tuple(d for d in shape if d != 1),)
    given = elements(node, 1, "axes")
    if given is None:
        raise UnknownRankError
    axes = {normal_axis(axis, len(shape)) for axis in given}
    check(all(shape[axis] == 1 or not isinstance(shape[axis], int) for axis in axes))
    return (tuple(d for axis, d in enumerate(shape) if axis not in axes),)


def _shape_of(node: Node, types: Types) -> Sequence[Output]:
    shape = known_shape(types, 0)
    return ((None if shape is None else len(shape[slice(node.attr("start", 0), node.attr("end"))]),),)


def _size_of(node: Node, types: Types) -> Sequence[Output]:
    return ((),)


def _depth_to_space(node: Node, types: Types) -> Sequence[Output]:
    shape, block = _blocks(node, types)
    batch, channels, height, width = shape
    return ((batch, over(channels, block * block), times(height, block), times(width, block)),)


def _space_to_depth(node: Node, types: Types) -> Sequence[Output]:
    shape, block = _blocks(node, types)
    batch, channels, height, width = shape
    return ((batch, times(channels, block * block), over(height, block), over(width, block)),)


def _blocks(node: Node, types: Types) -> tuple[Shape, int]:
    block: int = node.attr("blocksize", 0)
    check(0 < block < 1 << 31)
    shape = needed_shape(types, 0)
    check(len(shape) == 4)
    return shape, block


RULES: Mapping[str, Rule] = {
    "DepthToSpace": _depth_to_space,
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Shape": _shape_of,
    "Size": _size_of,
    "SpaceToDepth": _space_to_depth,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
