"""Sizes of images and signals: pools, resizing, sampling, regions, transforms.

Kernels are imported when a rule needs their geometry: constants of most models are folded without.
"""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np

from ort_core.ir.graph import Node
from ort_core.reference_ops.bounds.rules import counts, elements, scalar
from ort_core.reference_ops.kernels.numerics import axis_index


@counts("AveragePool", "LpPool", "MaxPool")
def pool(node: Node, x: np.ndarray) -> tuple[int, int]:
    """Y [N, C, *out], and the indices of maxima."""
    from ort_core.reference_ops.kernels.windows import sliding_axes

    axes = sliding_axes(
        x.shape[2:], node.attr("kernel_shape"), node.attr("strides"), node.attr("dilations"), node.attr("pads"),
        node.attr("auto_pad", "NOTSET"), node.attr("ceil_mode", 0),
    )  # fmt: skip
    count = math.prod(x.shape[:2]) * math.prod(a.out for a in axes)
    return count, count


@counts("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool")
def global_pool(node: Node, x: np.ndarray) -> int:
    """Y [N, C, 1, ...]."""
    return math.prod(x.shape[:2])


@counts("MaxUnpool")
def max_unpool(node: Node, x: np.ndarray, indices: np.ndarray, output_shape: np.ndarray | None = None) -> int:
    """The shape given, or the one that pooling makes X of."""
    if output_shape is not None:
        return elements(output_shape.tolist())
    from ort_core.reference_ops.kernels.pool import unpooled_sizes

    out = unpooled_sizes(x.shape[2:], node.attr("kernel_shape"), node.attr("strides"), node.attr("pads"))
    return elements((*x.shape[:2], *out))


@counts("Resize")
def resize(
    node: Node,
    x: np.ndarray,
    roi: np.ndarray | None = None,
    scales: np.ndarray | None = None,
    sizes: np.ndarray | None = None,
) -> int:
    """X with its resized axes."""
    from ort_core.reference_ops.kernels.resize import resized_dims

    axes = node.attr("axes")
    chosen = [axis_index(a, x.ndim) for a in axes] if axes is not None else list(range(x.ndim))
    dims = list(x.shape)
    out, _ = resized_dims([dims[a] for a in chosen], scales, sizes, node.attr("keep_aspect_ratio_policy", "stretch"))
    for axis, size in zip(chosen, out, strict=True):
        dims[axis] = size
    return elements(dims)


@counts("GridSample")
def grid_sample(node: Node, x: np.ndarray, grid: np.ndarray) -> int:
    """Y [N, C, *out] for grid [N, *out, rank]."""
    return math.prod(x.shape[:2]) * math.prod(grid.shape[1:-1])


@counts("AffineGrid")
def affine_grid(node: Node, theta: np.ndarray, size: np.ndarray) -> int:
    """Y [N, *spatial, rank] for size [N, C, *spatial]."""
    batch, _, *spatial = size.tolist()
    return elements((batch, *spatial, len(spatial)))


@counts("Col2Im")
def col2im(node: Node, data: np.ndarray, image_shape: np.ndarray, block_shape: np.ndarray) -> int:
    """Y [N, C, *image] of data [N, C * prod(block), L]."""
    channels = data.shape[1] // elements(block_shape.tolist())
    return elements((data.shape[0], channels, *image_shape))


@counts("RoiAlign")
def roi_align(node: Node, x: np.ndarray, rois: np.ndarray, batch_indices: np.ndarray) -> int:
    """Y [R, C, height, width]."""
    return elements((rois.shape[0], x.shape[1], node.attr("output_height", 1), node.attr("output_width", 1)))


@counts("MaxRoiPool")
def max_roi_pool(node: Node, x: np.ndarray, rois: np.ndarray) -> int:
    """Y [R, C, *pooled_shape]."""
    return elements((rois.shape[0], x.shape[1], *node.attr("pooled_shape")))


@counts("NonMaxSuppression")
def non_max_suppression(
    node: Node, boxes: np.ndarray, scores: np.ndarray, limit: np.ndarray | None = None, *_: Any
) -> int:
    """At most three indices for each box of each class, up to the limit of a class."""
    per_class = 0 if limit is None else min(max(0, scalar(limit)), boxes.shape[1])
    return 3 * math.prod(scores.shape[:2]) * per_class


@counts("ImageDecoder")
def image_decoder(node: Node, encoded: np.ndarray) -> int:
    """Y [H, W, C] by the header of the image."""
    from PIL import Image

    with Image.open(io.BytesIO(encoded.tobytes())) as image:
        return image.width * image.height * (1 if node.attr("pixel_format", "RGB") == "Grayscale" else 3)


@counts("DFT")
def dft(node: Node, x: np.ndarray, length: np.ndarray | None = None, axis: np.ndarray | None = None) -> int:
    """Real and imaginary parts of `length` frequencies along the axis, or half of them; real values of an inverse one."""
    along = axis_index(-2 if axis is None else scalar(axis), x.ndim)
    size = x.shape[along] if length is None else scalar(length)
    onesided, inverse = bool(node.attr("onesided", 0)), bool(node.attr("inverse", 0))
    if onesided and inverse:
        size = 2 * (size - 1) if length is None else size
    elif onesided:
        size = size // 2 + 1
    others = math.prod(d for i, d in enumerate(x.shape[:-1]) if i != along)
    return elements((others, size, 1 if onesided and inverse else 2))


@counts("STFT")
def stft(
    node: Node,
    signal: np.ndarray,
    frame_step: np.ndarray,
    window: np.ndarray | None = None,
    frame_length: np.ndarray | None = None,
) -> int:
    """Y [B, frames, frequencies, 2]."""
    length = (
        scalar(frame_length) if frame_length is not None else window.size if window is not None else signal.shape[1]
    )
    frames = max(0, (signal.shape[1] - length) // scalar(frame_step) + 1)
    return elements((signal.shape[0], frames, length // 2 + 1 if node.attr("onesided", 1) else length, 2))
