"""Operators that put tensors together from pieces, cut pieces out of them, or repeat and pad them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    Output,
    Rule,
    Types,
    UndecidedError,
    UnknownRankError,
    check,
    distinct_axes,
    elements,
    has_elements,
    has_input,
    integers,
    known_shape,
    needed_shape,
    normal_axis,
    size,
    unify,
)
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Dim

_INDICES = ("int32", "int64")
_SLICE_INPUTS = ("starts", "ends", "axes", "steps")
_INT32_MAX = (1 << 31) - 1


def _concat(node: Node, types: Types) -> Sequence[Output]:
    shapes = [needed_shape(types, i) for i in range(len(types))]
    axis = normal_axis(node.attr("axis"), len(shapes[0]))
    check(all(len(s) == len(shapes[0]) for s in shapes))
    if len(shapes) == 1:
        return (shapes[0],)
    out: list[Dim] = [None] * len(shapes[0])
    for shape in shapes:
        out = [known if i == axis else unify(known, dim) for i, (known, dim) in enumerate(zip(out, shape, strict=True))]
    sizes = [s[axis] for s in shapes]
    known = [d for d in sizes if isinstance(d, int)]
    out[axis] = size(sum(known)) if len(known) == len(sizes) else None
    return (tuple(out),)


def _split(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    axis = normal_axis(node.attr("axis", 0), len(shape))
    total, count = shape[axis], len(node.outputs)
    if not isinstance(total, int):
        return [(*shape[:axis], None, *shape[axis + 1 :])] * count
    parts = node.attr("num_outputs")
    check(total <= _INT32_MAX and has_elements(node, 1, "split") == (parts is None))
    if parts is None:
        sizes = elements(node, 1, "split")
        if sizes is None:
            raise UnknownRankError
    else:
        check(parts == count > 0)
        part = -(-total // parts)
        sizes = [part] * (parts - 1) + [total - part * (parts - 1)]
    check(len(sizes) == count and sum(sizes) == total and min(sizes, default=0) >= 0)
    return [(*shape[:axis], part, *shape[axis + 1 :]) for part in sizes]


def _slice(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    check(bool(shape))
    for index in (3, 4):
        check(not has_input(node, index) or known_shape(types, index) is not None)
    starts, ends, axes, steps = (elements(node, i, name, _INDICES) for i, name in enumerate(_SLICE_INPUTS, 1))
    missing = [has_input(node, index) and items is None for index, items in ((3, axes), (4, steps))]
    if starts is None or ends is None or any(missing):
        return ((None,) * len(shape),)
    axes = distinct_axes(range(len(starts)) if axes is None else axes, len(shape))
    steps = [1] * len(starts) if steps is None else steps
    check(len(starts) == len(ends) == len(axes) == len(steps) and 0 not in steps)
    out = list(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        dim = shape[axis]
        out[axis] = _sliced(dim, start, end, step) if isinstance(dim, int) else None
    return (tuple(out),)


def _sliced(dim: int, start: int, end: int, step: int) -> int:
    """As many as ONNX counts: unlike in Python, a start before the first element means the first."""
    if dim == 0:
        return 0
    low, high = (0, dim) if step > 0 else (-1, dim - 1)
    start = min(max(start + dim if start < 0 else start, 0), high)
    end = min(max(end + dim if end < 0 else end, low), high)
    return len(range(start, end, step))


def _pad(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    axes = list(range(len(shape)))
    if has_input(node, 3):
        check(known_shape(types, 3) is not None)
        given = integers(node, 3)
        if given is None:
            raise UnknownRankError
        axes = distinct_axes(given, len(shape))
    pads = elements(node, 1, "pads")
    out: list[Dim] = [None] * len(shape)
    if pads is None or not axes:
        return (tuple(out),)
    check(len(pads) == 2 * len(axes) and (not has_input(node, 1) or known_shape(types, 1) == (len(pads),)))
    out = [d if isinstance(d, int) else None for d in shape]
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        dim = shape[axis]
        if isinstance(dim, int):
            out[axis] = size(dim + before + after)
        elif before + after == 0:
            out[axis] = dim
    return (tuple(out),)


def _tile(node: Node, types: Types) -> Sequence[Output]:
    shape, repeats = needed_shape(types, 0), integers(node, 1)
    if repeats is None or known_shape(types, 1) is None:
        return ((None,) * len(shape),)
    check(known_shape(types, 1) == (len(shape),) and min(repeats, default=0) >= 0)
    return (tuple(size(d * n) if isinstance(d, int) else None for d, n in zip(shape, repeats, strict=True)),)


def _center_crop_pad(node: Node, types: Types) -> Sequence[Output]:
    shape, sizes = list(needed_shape(types, 0)), integers(node, 1, _INDICES)
    if sizes is None:
        raise UnknownRankError
    axes = distinct_axes(node.attr("axes", range(len(shape))), len(shape))
    if len(sizes) != len(axes):
        raise UndecidedError
    for axis, given in zip(axes, sizes, strict=True):
        shape[axis] = size(given)
    return (tuple(shape),)


RULES: Mapping[str, Rule] = {
    "CenterCropPad": _center_crop_pad,
    "Concat": _concat,
    "Pad": _pad,
    "Slice": _slice,
    "Split": _split,
    "Tile": _tile,
}
