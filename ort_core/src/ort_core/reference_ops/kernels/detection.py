"""Object detection: NonMaxSuppression, RoiAlign, MaxRoiPool."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import widen

_MAX_SAMPLES = 1 << 28
"""Samples that one region may have: their number follows from its size, which nothing bounds."""


def _first(parameter: np.ndarray | None, default: float) -> float:
    return default if parameter is None or parameter.size == 0 else parameter.reshape(-1)[0].item()


@kernel("NonMaxSuppression")
def non_max_suppression(
    boxes: np.ndarray,
    scores: np.ndarray,
    max_output_boxes_per_class: np.ndarray | None = None,
    iou_threshold: np.ndarray | None = None,
    score_threshold: np.ndarray | None = None,
    *,
    center_point_box: int = 0,
) -> np.ndarray:
    """Selected [batch, class, box] int64, best scores first in each class. boxes [B, N, 4], scores [B, C, N].

    Source: ONNX NonMaxSuppression.
    """
    if boxes.ndim != 3 or boxes.shape[2] != 4 or scores.ndim != 3 or scores.shape[::2] != boxes.shape[:2]:
        raise ValueError(f"boxes [B, N, 4] and scores [B, C, N] are needed, got {boxes.shape} and {scores.shape}")
    limit = int(_first(max_output_boxes_per_class, 0))
    overlap = np.float32(_first(iou_threshold, 0.0))
    if not 0 <= overlap <= 1:
        raise ValueError(f"iou_threshold is {overlap}, must be from 0 to 1")
    least = _first(score_threshold, -math.inf)
    selected: list[tuple[int, int, int]] = []
    for batch, corners in enumerate(map(_corners if center_point_box == 0 else _centred, boxes)):
        for label, class_scores in enumerate(scores[batch]):
            order = np.argsort(-class_scores, kind="stable")
            candidates = order[class_scores[order] > least] if least > -math.inf else order
            selected += [(batch, label, int(box)) for box in _select(corners, candidates, limit, overlap)]
    return np.array(selected, np.int64).reshape(-1, 3)


def _corners(boxes: np.ndarray) -> np.ndarray:
    """From two opposite corners [y, x, y, x] to [y_min, x_min, y_max, x_max]."""
    return np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1)


def _centred(boxes: np.ndarray) -> np.ndarray:
    """From [x, y, width, height] around the centre to [y_min, x_min, y_max, x_max]."""
    centre, half = boxes[:, 1::-1], boxes[:, :1:-1] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def _select(corners: np.ndarray, candidates: np.ndarray, limit: int, overlap: np.float32) -> Iterator[np.intp]:
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    found = 0
    while found < limit and candidates.size:
        best, candidates = candidates[0], candidates[1:]
        yield best
        found += 1
        low = np.maximum(corners[best, :2], corners[candidates, :2])
        high = np.minimum(corners[best, 2:], corners[candidates, 2:])
        sides = np.maximum(high - low, 0)
        shared = sides[:, 0] * sides[:, 1]
        union = areas[best] + areas[candidates] - shared
        suppressed = (shared > 0) & (areas[best] > 0) & (areas[candidates] > 0) & (union > 0)
        suppressed &= np.divide(shared, union, out=np.zeros_like(shared), where=union > 0) > overlap
        candidates = candidates[~suppressed]


@kernel("RoiAlign")
def roi_align(
    x: np.ndarray,
    rois: np.ndarray,
    batch_indices: np.ndarray,
    *,
    coordinate_transformation_mode: str = "half_pixel",
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
) -> np.ndarray:
    """Y [R, C, output_height, output_width] = X [N, C, H, W] pooled bilinearly in each of rois [R, 4] (x, y, x, y).

    Source: ONNX RoiAlign.
    """
    average, half_pixel = mode == "avg", coordinate_transformation_mode == "half_pixel"
    if mode not in ("avg", "max") or coordinate_transformation_mode not in ("half_pixel", "output_half_pixel"):
        raise ValueError(
            f"mode '{mode}' with coordinate_transformation_mode '{coordinate_transformation_mode}' is unknown"
        )
    _check_batches(batch_indices, len(x))
    y = np.zeros((len(rois), x.shape[1], output_height, output_width), x.dtype)
    for i, roi in enumerate(widen(rois)):
        start_x, start_y, end_x, end_y = roi * roi.dtype.type(spatial_scale) - roi.dtype.type(0.5 * half_pixel)
        image = widen(x[int(batch_indices[i])])
        rows = _samples(start_y, end_y, output_height, sampling_ratio, image.shape[1], half_pixel)
        columns = _samples(start_x, end_x, output_width, sampling_ratio, image.shape[2], half_pixel)
        if rows[0][0].size * columns[0][0].size * len(image) > _MAX_SAMPLES:
            raise MemoryError(f"region {roi.tolist()} has more than {_MAX_SAMPLES} samples")
        corners = [
            image[:, row][:, :, column] * (row_weight[:, None] * column_weight)
            for row, row_weight in rows
            for column, column_weight in columns
        ]
        values = sum(corners) if average else np.maximum.reduce(corners)
        per_bin = rows[0][0].size // output_height, columns[0][0].size // output_width
        bins = values.reshape(image.shape[0], output_height, per_bin[0], output_width, per_bin[1])
        if 0 not in per_bin:
            y[i] = bins.mean(axis=(2, 4)) if average else bins.max(axis=(2, 4))
    return y


def _samples(
    start: np.floating, end: np.floating, bins: int, ratio: int, size: int, half_pixel: bool
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Lower and upper neighbours of the sampling points along one axis, each with its weight."""
    length = end - start if half_pixel else max(end - start, start.dtype.type(1))
    count = ratio if ratio > 0 else max(0, math.ceil(length / bins))
    if count * bins > _MAX_SAMPLES:
        raise MemoryError(f"a region of {length} has more than {_MAX_SAMPLES} samples")
    step = length / start.dtype.type(bins)
    offsets = (np.arange(count, dtype=start.dtype) + start.dtype.type(0.5)) * step / start.dtype.type(max(count, 1))
    points = (start + np.arange(bins, dtype=start.dtype)[:, None] * step + offsets).reshape(-1)
    outside = (points < -1) | (points > size)
    points = np.clip(points, 0, size - 1)
    low = np.minimum(points.astype(np.intp), size - 1)
    high = np.minimum(low + 1, size - 1)
    weight = points - low
    return [(low, np.where(outside, 0, 1 - weight)), (high, np.where(outside, 0, weight))]


@kernel("MaxRoiPool")
def max_roi_pool(
    x: np.ndarray, rois: np.ndarray, *, pooled_shape: tuple[int, int], spatial_scale: float = 1.0
) -> np.ndarray:
    """Y [R, C, *pooled_shape] = the maxima of X [N, C, H, W] over a grid in each of rois [R, 5] (batch, x, y, x, y).

    Source: ONNX MaxRoiPool.
    """
    height, width = pooled_shape
    y = np.zeros((len(rois), x.shape[1], height, width), x.dtype)
    _check_batches(rois[:, 0].astype(np.int64), len(x))
    for i, roi in enumerate(rois.astype(np.float64)):
        x1, y1, x2, y2 = (math.floor(v * spatial_scale + 0.5) for v in roi[1:])
        image = x[int(roi[0])]
        rows = _bins(y1, y2, height, image.shape[1])
        columns = _bins(x1, x2, width, image.shape[2])
        for r, (top, bottom) in enumerate(rows):
            for c, (left, right) in enumerate(columns):
                if top < bottom and left < right:
                    y[i, :, r, c] = image[:, top:bottom, left:right].max(axis=(1, 2))
    return y


def _bins(start: int, end: int, count: int, size: int) -> list[tuple[int, int]]:
    length = max(end - start + 1, 1) / count
    return [
        (min(max(start + math.floor(i * length), 0), size), min(max(start + math.ceil((i + 1) * length), 0), size))
        for i in range(count)
    ]


def _check_batches(batches: np.ndarray, count: int) -> None:
    if ((batches < 0) | (batches >= count)).any():
        raise IndexError(f"batch indices {batches.tolist()} must be from 0 to {count - 1}")
