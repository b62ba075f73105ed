"""Operators that move a window over spatial dimensions: convolution and pooling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    Output,
    Rule,
    Types,
    UnknownRankError,
    check,
    family,
    needed_shape,
    size,
    times,
)
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Dim, Shape


def _conv_of(weights: int) -> Rule:
    def rule(node: Node, types: Types) -> Sequence[Output]:
        data, weight = needed_shape(types, 0), needed_shape(types, weights)
        check(len(data) >= 3 and len(weight) == len(data))
        return ((data[0], weight[0], *_windows(node, data[2:], _kernel(node, weight))),)

    return rule


def _kernel(node: Node, weight: Shape) -> Sequence[int]:
    given: Sequence[int] | None = node.attr("kernel_shape")
    kernel = [d for d in weight[2:] if isinstance(d, int)] if given is None else list(given)
    check(given is not None or len(kernel) == len(weight) - 2)
    return kernel


def _pool(node: Node, types: Types) -> Sequence[Output]:
    data, kernel = needed_shape(types, 0), node.attr("kernel_shape")
    check(len(data) >= 3 and kernel is not None)
    return ((data[0], data[1], *_windows(node, data[2:], kernel)),) * 2


def _windows(node: Node, sizes: Shape, kernel: Sequence[int]) -> Shape:
    """How many windows fit along each spatial dimension."""
    strides, dilations, pads = _steps(node, len(sizes), kernel)
    rank, ceil = len(sizes), node.attr("ceil_mode", 0)
    mode = node.attr("auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER") and "pads" not in node.attributes:
        pads = _same_pads(sizes, kernel, strides, dilations)
    check(ceil in (0, 1) and mode in _MODES)
    out: list[Dim] = []
    for axis, (dim, window) in enumerate(zip(sizes, kernel, strict=True)):
        if not isinstance(dim, int):
            out.append(None)
            continue
        stride = strides[axis]
        room = size(dim + pads[axis] + pads[rank + axis] - (window - 1) * dilations[axis] - 1)
        count = (room + (stride - 1) * ceil) // stride + 1
        if ceil and (count - 1) * stride >= dim + pads[axis]:
            count -= 1
        out.append(count)
    return tuple(out)


def _steps(node: Node, rank: int, kernel: Sequence[int]) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    strides, dilations = node.attr("strides", (1,) * rank), node.attr("dilations", (1,) * rank)
    pads = node.attr("pads", (0,) * 2 * rank)
    check((len(kernel), len(strides), len(dilations), len(pads)) == (rank, rank, rank, 2 * rank))
    check(min((*kernel, *strides, *dilations), default=1) >= 1 and min(pads, default=0) >= 0)
    check(max((*kernel, *strides, *dilations, *pads), default=0) <= _LARGEST)
    return strides, dilations, pads


def _same_pads(sizes: Shape, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """All the padding at one end: how it is divided does not matter to the count of windows."""
    pads = [0] * 2 * len(sizes)
    for axis, dim in enumerate(sizes):
        stride, window = strides[axis], (kernel[axis] - 1) * dilations[axis] + 1
        rest = dim % stride if isinstance(dim, int) else 0
        pads[len(sizes) + axis] = max(window - (rest or stride), 0)
    return pads


def _conv_transpose(node: Node, types: Types) -> Sequence[Output]:
    data, weight = needed_shape(types, 0), needed_shape(types, 1)
    rank, group = len(data) - 2, node.attr("group", 1)
    check(rank >= 1 and len(weight) == len(data) and 0 < group <= _LARGEST)
    check(not isinstance(data[1], int) or data[1] % group == 0)
    kernel = _kernel(node, weight)
    strides, dilations, pads = _steps(node, rank, kernel)
    mode = node.attr("auto_pad", "NOTSET")
    check(mode in _MODES and (mode == "NOTSET" or "pads" not in node.attributes))
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        ends = [max((k - 1) * d + 1 - s, 0) for k, d, s in zip(kernel, dilations, strides, strict=True)]
        pads = (*(0,) * rank, *ends)
    extra = node.attr("output_padding", (0,) * rank)
    check(len(extra) == rank and min(extra, default=0) >= 0)
    first: tuple[Dim, Dim] = (data[0], times(weight[1], group))
    given = node.attr("output_shape")
    if given is not None:
        check(len(given) == rank and min(given, default=0) >= 0)
        check(all(not isinstance(d, int) or d <= g for d, g in zip(data[2:], given, strict=True)))
        return ((*first, *given),)
    out: list[Dim] = []
    for axis, dim in enumerate(data[2:]):
        if not isinstance(dim, int):
            out.append(None)
            continue
        window = (kernel[axis] - 1) * dilations[axis] + 1
        out.append(size(strides[axis] * (dim - 1) + extra[axis] + window - pads[axis] - pads[rank + axis]))
    return ((*first, *out),)


def _global_pool(node: Node, types: Types) -> Sequence[Output]:
    shape = needed_shape(types, 0)
    if len(shape) < 2:
        raise UnknownRankError
    return ((*shape[:2], *(1,) * (len(shape) - 2)),)


_LARGEST = (1 << 31) - 1
_MODES = ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER")

RULES: Mapping[str, Rule] = {
    **family("AveragePool LpPool MaxPool", _pool),
    **family("GlobalAveragePool GlobalLpPool GlobalMaxPool", _global_pool),
    **family("Conv ConvInteger DeformConv", _conv_of(1)),
    "ConvTranspose": _conv_transpose,
    "QLinearConv": _conv_of(3),
}
