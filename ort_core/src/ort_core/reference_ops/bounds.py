"""Bounds on the size of a result before it is computed, for operators whose output size depends on values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ort_core.ir.graph import Node
from ort_core.ir.shapes import is_static


def _constant_of_shape(shape: np.ndarray, *_: Any) -> int:
    return math.prod(shape.tolist())


def _expand(data: np.ndarray, shape: np.ndarray, *_: Any) -> int:
    return int(math.prod(np.broadcast_shapes(data.shape, tuple(shape.tolist()))))


def _tile(data: np.ndarray, repeats: np.ndarray, *_: Any) -> int:
    return int(data.size * math.prod(repeats.tolist()))


def _range(start: np.ndarray, limit: np.ndarray, delta: np.ndarray, *_: Any) -> int:
    return int(max(0, math.ceil((limit.item() - start.item()) / delta.item())))


def _one_hot(indices: np.ndarray, depth: np.ndarray, *_: Any) -> int:
    return int(indices.size * depth.reshape(-1)[0].item())


def _pad(data: np.ndarray, pads: np.ndarray, value: Any = None, axes: np.ndarray | None = None, *_: Any) -> int:
    dims = list(data.shape)
    chosen = range(data.ndim) if axes is None else axes.tolist()
    for i, axis in enumerate(chosen):
        dims[axis] += pads[i].item() + pads[len(pads) // 2 + i].item()
    return math.prod(dims)


_BOUNDS: dict[str, Callable[..., int]] = {
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Range": _range,
    "Tile": _tile,
}
_SIZED_BY_VALUES = frozenset(
    {
        "AffineGrid", "BlackmanWindow", "CenterCropPad", "Col2Im", "DFT", "HammingWindow", "HannWindow", "ImageDecoder",
        "MaxUnpool", "MelWeightMatrix", "Resize", "STFT",
    }
)  # fmt: skip


def exceeds(node: Node, inputs: Sequence[np.ndarray | None], max_bytes: int) -> bool:
    """Whether a result of `node` on `inputs` is, or may be, larger than `max_bytes`."""
    for value in node.outputs:
        if value is None or value.element is None:
            continue
        itemsize = value.element.dtype.itemsize
        if is_static(value.shape):
            if math.prod(value.shape or ()) * itemsize > max_bytes:
                return True
        elif node.op_type in _SIZED_BY_VALUES:
            return True
    bound = _BOUNDS.get(node.op_type) if node.domain == "" else None
    if bound is None:
        return False
    try:
        count = bound(*inputs)
    except (ValueError, ArithmeticError, AttributeError, IndexError, TypeError):
        return True
    output = node.outputs[0]
    itemsize = output.element.dtype.itemsize if output is not None and output.element is not None else 8
    return count * itemsize > max_bytes
