"""Sizes of outputs that hold, repeat or leave out elements of an input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ort_core.ir.graph import Node
from ort_core.reference_ops.bounds.rules import broadcast_shape, counts, elements, nbytes, scalar, total_bytes
from ort_core.reference_ops.kernels.numerics import axis_index, clamped_slice, reduced_axes


@total_bytes("BitCast", "Split")
def as_first_input_bytes(node: Node, x: np.ndarray, *_: Any) -> int:
    """The outputs together have the bytes of X."""
    return nbytes(x)


@counts("Concat")
def concat(node: Node, *inputs: np.ndarray) -> int:
    """The elements of all inputs."""
    return sum(x.size for x in inputs)


@counts("Expand")
def expand(node: Node, data: np.ndarray, shape: np.ndarray) -> int:
    """Data broadcast with `shape`."""
    return elements(broadcast_shape(data.shape, tuple(shape.tolist())))


@counts("Tile")
def tile(node: Node, data: np.ndarray, repeats: np.ndarray) -> int:
    """Data as often as `repeats` says."""
    return data.size * elements(repeats.tolist())


@counts("Pad")
def pad(node: Node, data: np.ndarray, pads: np.ndarray, value: Any = None, axes: np.ndarray | None = None) -> int:
    """Data with its padded or cropped axes."""
    dims = list(data.shape)
    chosen = range(data.ndim) if axes is None else axes.tolist()
    begins, ends = pads[: len(chosen)].tolist(), pads[len(chosen) :].tolist()
    for axis, begin, end in zip(chosen, begins, ends, strict=True):
        dims[axis] += begin + end
    return elements(dims)


@counts("CenterCropPad")
def center_crop_pad(node: Node, data: np.ndarray, shape: np.ndarray) -> int:
    """Data with other sizes along `axes`."""
    dims = list(data.shape)
    for axis, size in zip(node.attr("axes") or range(data.ndim), shape.tolist(), strict=True):
        dims[axis] = size
    return elements(dims)


@counts("Slice")
def slice_(
    node: Node,
    data: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    axes: np.ndarray | None = None,
    steps: np.ndarray | None = None,
) -> int:
    """What the slices leave."""
    dims = list(data.shape)
    chosen = range(starts.size) if axes is None else axes.tolist()
    strides = [1] * starts.size if steps is None else steps.tolist()
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), chosen, strides, strict=True):
        size = data.shape[axis]
        dims[axis] = len(range(*clamped_slice(start, end, step, size).indices(size)))
    return math.prod(dims)


@counts("Gather")
def gather(node: Node, data: np.ndarray, indices: np.ndarray) -> int:
    """A slice of data for each index."""
    axis = axis_index(node.attr("axis", 0), data.ndim)
    return math.prod(data.shape[:axis]) * indices.size * math.prod(data.shape[axis + 1 :])


@counts("GatherElements")
def gather_elements(node: Node, data: np.ndarray, indices: np.ndarray) -> int:
    """An element for each index."""
    return indices.size


@counts("GatherND")
def gather_nd(node: Node, data: np.ndarray, indices: np.ndarray) -> int:
    """A slice of data for each row of indices."""
    rest = data.shape[node.attr("batch_dims", 0) + indices.shape[-1] :]
    return math.prod(indices.shape[:-1]) * math.prod(rest)


@counts("Compress")
def compress(node: Node, data: np.ndarray, condition: np.ndarray) -> int:
    """The slices, or elements, whose condition holds."""
    kept = int(np.count_nonzero(condition))
    axis = node.attr("axis")
    if axis is None:
        return kept
    axis = axis_index(axis, data.ndim)
    return math.prod(data.shape[:axis]) * kept * math.prod(data.shape[axis + 1 :])


@counts("NonZero")
def non_zero(node: Node, x: np.ndarray) -> int:
    """The indices of the elements that are not zero."""
    return max(1, x.ndim) * int(np.count_nonzero(x))


@counts("Unique")
def unique(node: Node, x: np.ndarray) -> tuple[int, int, int, int]:
    """At most every element, and three indices for each place."""
    axis = node.attr("axis")
    places = x.size if axis is None else x.shape[axis]
    return x.size, places, places, places


@counts("TopK")
def top_k(node: Node, x: np.ndarray, k: np.ndarray) -> tuple[int, int]:
    """K elements along one axis, and their indices."""
    dims = list(x.shape)
    dims[node.attr("axis", -1)] = scalar(k)
    count = elements(dims)
    return count, count


@counts(
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
)  # fmt: skip
def reduce_(node: Node, data: np.ndarray, axes: np.ndarray | None = None) -> int:
    """The dimensions that are not reduced."""
    over = reduced_axes(axes, data.ndim, noop=node.attr("noop_with_empty_axes", 0))
    return math.prod(d for i, d in enumerate(data.shape) if i not in over)


@counts("ArgMax", "ArgMin")
def arg_reduce(node: Node, data: np.ndarray) -> int:
    """One index along `axis`."""
    axis = axis_index(node.attr("axis", 0), data.ndim)
    return math.prod(data.shape[:axis]) * math.prod(data.shape[axis + 1 :])


@counts("Shape")
def shape(node: Node, data: np.ndarray) -> int:
    """A number for each dimension from start to end."""
    return len(data.shape[node.attr("start", 0) : node.attr("end")])


@counts("OptionalHasElement", "SequenceLength", "Size")
def single(node: Node, *_: Any) -> int:
    """One element."""
    return 1
