"""Gathering and scattering by index arrays: GatherElements, GatherND, ScatterElements, ScatterND."""

from __future__ import annotations

import numpy as np

from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import axis_index, on_axis

_REDUCTIONS: dict[str, np.ufunc] = {"add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def wrap_indices(indices: np.ndarray, size: int) -> np.ndarray:
    """The indices with negative ones counted from the end.

    Raises:
        IndexError: an index is outside [-size, size).
    """
    if indices.size and (indices.min() < -size or indices.max() >= size):
        worst = int(indices.min()) if indices.min() < -size else int(indices.max())
        raise IndexError(f"index {worst} is out of range for an axis of {size}")
    return np.where(indices < 0, indices + size, indices)


def _element_index(data: np.ndarray, indices: np.ndarray, axis: int) -> tuple[np.ndarray, ...]:
    if indices.ndim != data.ndim:
        raise ValueError(f"indices of shape {indices.shape} and data of shape {data.shape} must have the same rank")
    axis = axis_index(axis, data.ndim)
    if any(i > d for n, (i, d) in enumerate(zip(indices.shape, data.shape, strict=True)) if n != axis):
        raise ValueError(f"indices of shape {indices.shape} are larger than data of shape {data.shape}")
    grids = list(np.ix_(*(np.arange(n) for n in indices.shape))) if indices.ndim else []
    grids[axis] = wrap_indices(indices, data.shape[axis])
    return tuple(grids)


@kernel("GatherElements")
def gather_elements(data: np.ndarray, indices: np.ndarray, *, axis: int = 0) -> np.ndarray:
    """Y[i][j][k] = data[indices[i][j][k]][j][k] for axis 0, likewise for others. Source: ONNX GatherElements."""
    result: np.ndarray = data[_element_index(data, indices, axis)]
    return result


@kernel("ScatterElements")
def scatter_elements(
    data: np.ndarray, indices: np.ndarray, updates: np.ndarray, *, axis: int = 0, reduction: str = "none"
) -> np.ndarray:
    """Y = data with Y[indices[i][j][k]][j][k] (axis 0) set to, or reduced with, updates[i][j][k].

    Source: ONNX ScatterElements.
    """
    if updates.shape != indices.shape:
        raise ValueError(f"updates of shape {updates.shape} and indices of shape {indices.shape} must be alike")
    y = data.copy()
    _scatter(y, _element_index(data, indices, axis), updates, reduction)
    return y


def _scatter(y: np.ndarray, index: tuple[np.ndarray, ...], updates: np.ndarray, reduction: str) -> None:
    if reduction == "none":
        y[index] = updates
    elif (ufunc := _REDUCTIONS.get(reduction)) is not None:
        ufunc.at(y, index, updates)
    else:
        raise ValueError(f"reduction is '{reduction}', must be none, {', '.join(_REDUCTIONS)}")


def _nd_index(shape: tuple[int, ...], indices: np.ndarray, batch_dims: int) -> tuple[np.ndarray, ...]:
    depth = indices.shape[-1]
    if depth > len(shape) - batch_dims:
        raise ValueError(
            f"indices of shape {indices.shape} index {depth} axes of {shape} after {batch_dims} batch axes"
        )
    batches = [on_axis(np.arange(indices.shape[i]), i, indices.ndim - 1) for i in range(batch_dims)]
    picked = [wrap_indices(indices[..., i], shape[batch_dims + i]) for i in range(depth)]
    return (*batches, *picked)


@kernel("GatherND")
def gather_nd(data: np.ndarray, indices: np.ndarray, *, batch_dims: int = 0) -> np.ndarray:
    """Y[i] = data[indices[i]], the last axis of indices being an index into data. Source: ONNX GatherND."""
    if not 0 <= batch_dims < min(data.ndim, indices.ndim) or data.shape[:batch_dims] != indices.shape[:batch_dims]:
        raise ValueError(f"{batch_dims} batch axes do not fit data {data.shape} and indices {indices.shape}")
    index = _nd_index(data.shape, indices, batch_dims)
    if not index:
        return np.broadcast_to(data, (*indices.shape[:-1], *data.shape)).copy()
    result: np.ndarray = data[index]
    return result


@kernel("ScatterND")
def scatter_nd(data: np.ndarray, indices: np.ndarray, updates: np.ndarray, *, reduction: str = "none") -> np.ndarray:
    """Y = data with Y[indices[i]] set to, or reduced with, updates[i]. Source: ONNX ScatterND."""
    expected = (*indices.shape[:-1], *data.shape[indices.shape[-1] :])
    if updates.shape != expected:
        raise ValueError(f"updates have shape {updates.shape}, expected {expected}")
    y = data.copy()
    _scatter(y, _nd_index(data.shape, indices, 0), updates, reduction)
    return y
