"""Which blocked tensors have the same batch and spatial sizes, where inference does not know these."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from ort_core.ir.graph import Node, Value
from ort_provider_cpu.passes._blocked import BLOCK, DOMAIN

# fmt: off
_ELEMENTWISE = frozenset((
    "Abs", "Celu", "Clip", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "Neg",
    "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt", "Swish", "Tanh", "ThresholdedRelu",
    "Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu",
))
# fmt: on
_WINDOWED = frozenset(["BlockedConv", "StemConv", "BlockedMaxPool", "BlockedAveragePool"])


class Extent(NamedTuple):
    """Equal extents mean equal sizes. `batch` is the value that it was found in, `spatial` how the sizes came about."""

    batch: Hashable
    spatial: Hashable


_PIXEL = "one pixel"


class Extents:
    """Finds extents of blocked and plain `[N, C, spatial...]` values; knows those that it has met."""

    def __init__(self) -> None:
        self._known: dict[Value, Extent] = {}
        self._numbers: dict[Hashable, int] = {}

    def of(self, value: Value) -> Extent:
        """The extent of a value, without recursion, as graphs are deep."""
        pending = [value]
        while pending:
            top = pending[-1]
            if top in self._known:
                pending.pop()
                continue
            missing = [v for v in _sources(top) if v not in self._known]
            if missing:
                pending += missing
            else:
                self._known[pending.pop()] = self._derive(top)
        return self._known[value]

    def _derive(self, value: Value) -> Extent:
        node, sources = value.producer, [self._known[v] for v in _sources(value)]
        if node is None or not sources:
            return Extent(value, value)
        if node.op_type == "BlockedGlobalAveragePool":
            return Extent(sources[0].batch, _PIXEL)
        maps = {s.spatial for s in sources if s.spatial != _PIXEL} or {_PIXEL}
        if len({s.batch for s in sources}) != 1 or len(maps) != 1:
            return Extent(value, value)
        (spatial,) = maps
        if (change := _change(node)) is not None and spatial != _PIXEL:
            spatial = self._numbers.setdefault((change, spatial), len(self._numbers))
        elif change is not None:
            return Extent(sources[0].batch, value)
        return Extent(sources[0].batch, spatial)


def _sources(value: Value) -> list[Value]:
    """The values that the extent follows from; none if it does not follow from others."""
    node = value.producer
    if node is None:
        return []
    first = [v for v in node.inputs[:1] if v is not None]
    if node.domain == DOMAIN:
        if node.op_type in _WINDOWED:
            return first if _is_plain_window(node) else []
        return first if node.op_type in {"FromBlocked", "ToBlocked", "BlockedGlobalAveragePool"} else []
    if node.op_type == "Clip" or (node.op_type == "Split" and node.attr("axis", 0) == 1):
        return first
    if node.op_type in _ELEMENTWISE or (node.op_type == "Concat" and node.attr("axis") == 1):
        variable = [v for v in node.inputs if v is not None and not v.is_constant]
        constant = [v for v in node.inputs if v is not None and v.is_constant]
        return variable if all(_keeps_sizes(c, v) for c in constant for v in variable) else []
    return []


def _keeps_sizes(constant: Value, value: Value) -> bool:
    """Whether the constant is one number or varies over the channels of the blocked value only."""
    shape, other = constant.shape, value.shape
    if shape is None or other is None:
        return False
    full = (1,) * (len(other) - len(shape)) + shape
    if len(full) != len(other) or len(full) < 4:
        return False
    return all(d == 1 for d in shape) or (other[-1] == BLOCK and full[0] == 1 and all(d == 1 for d in full[2:-1]))


def _is_plain_window(node: Node) -> bool:
    has_kernel = node.attr("kernel_shape") is not None or (node.inputs[1:2] and node.inputs[1] is not None)
    return bool(has_kernel and node.attr("auto_pad", "NOTSET") == "NOTSET" and not node.attr("ceil_mode", 0))


def _change(node: Node) -> Hashable:
    """What a node does to spatial sizes; None if it keeps them."""
    if node.domain != DOMAIN or node.op_type not in _WINDOWED:
        return None
    kernel = node.attr("kernel_shape")
    if kernel is None:
        weight = node.inputs[1].shape if len(node.inputs) > 1 and node.inputs[1] is not None else None
        kernel = () if weight is None else weight[2:]
    rank = len(kernel)
    strides = node.attr("strides") or (1,) * rank
    dilations = node.attr("dilations") or (1,) * rank
    pads = node.attr("pads") or (0,) * 2 * rank
    grown = tuple(pads[i] + pads[rank + i] - dilations[i] * (kernel[i] - 1) for i in range(rank))
    return None if all(s == 1 for s in strides) and not any(grown) and rank else (tuple(strides), grown)
