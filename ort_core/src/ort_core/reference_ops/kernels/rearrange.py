"""Elements repeated or put elsewhere: Tile, ReverseSequence, DepthToSpace and SpaceToDepth."""

from __future__ import annotations

import numpy as np

from ort_core.providers.kernel import kernel


@kernel("Tile")
def tile(data: np.ndarray, repeats: np.ndarray) -> np.ndarray:
    """Y = data repeated along each axis. Source: ONNX Tile."""
    if repeats.shape != (data.ndim,) or (repeats < 0).any():
        raise ValueError(f"repeats {repeats.tolist()} must be a number of at least 0 for each of {data.ndim} axes")
    return np.tile(data, repeats)


@kernel("ReverseSequence")
def reverse_sequence(
    data: np.ndarray, sequence_lens: np.ndarray, *, batch_axis: int = 1, time_axis: int = 0
) -> np.ndarray:
    """Y = data with the first sequence_lens[i] steps of batch i in reverse order. Source: ONNX ReverseSequence."""
    if {batch_axis, time_axis} != {0, 1} or data.ndim < 2:
        raise ValueError(f"batch_axis {batch_axis} and time_axis {time_axis} must be 0 and 1 of at least two axes")
    batches, steps = data.shape[batch_axis], data.shape[time_axis]
    if sequence_lens.shape != (batches,) or ((sequence_lens < 0) | (sequence_lens > steps)).any():
        raise ValueError(f"sequence_lens {sequence_lens.tolist()} must be {batches} numbers from 0 to {steps}")
    time, lengths = np.arange(steps), sequence_lens[:, None]
    source = np.where(time < lengths, lengths - 1 - time, time)
    batch = np.arange(batches)[:, None]
    return data[batch, source] if batch_axis == 0 else data[source.T, batch.T]


@kernel("DepthToSpace")
def depth_to_space(x: np.ndarray, *, blocksize: int, mode: str = "DCR") -> np.ndarray:
    """Y [N, C / b^2, H * b, W * b] = X [N, C, H, W] with blocks of channels as b x b pixels; DCR counts them first.

    Source: ONNX DepthToSpace.
    """
    if mode not in ("DCR", "CRD"):
        raise ValueError(f"mode is '{mode}', must be DCR or CRD")
    if x.ndim != 4 or blocksize < 1 or x.shape[1] % blocksize**2:
        raise ValueError(f"channels of {x.shape} do not make up blocks of {blocksize} x {blocksize}")
    n, channels, height, width = x.shape
    kept = channels // blocksize**2
    if mode == "DCR":
        blocks = x.reshape(n, blocksize, blocksize, kept, height, width).transpose(0, 3, 4, 1, 5, 2)
    else:
        blocks = x.reshape(n, kept, blocksize, blocksize, height, width).transpose(0, 1, 4, 2, 5, 3)
    return blocks.reshape(n, kept, height * blocksize, width * blocksize)


@kernel("SpaceToDepth")
def space_to_depth(x: np.ndarray, *, blocksize: int) -> np.ndarray:
    """Y [N, C * b^2, H / b, W / b] = X [N, C, H, W] with b x b pixels as blocks of channels. Source: ONNX SpaceToDepth."""
    if x.ndim != 4 or blocksize < 1 or x.shape[2] % blocksize or x.shape[3] % blocksize:
        raise ValueError(f"images of {x.shape} do not make up blocks of {blocksize} x {blocksize}")
    n, channels, height, width = x.shape
    rows, columns = height // blocksize, width // blocksize
    blocks = x.reshape(n, channels, rows, blocksize, columns, blocksize).transpose(0, 3, 5, 1, 2, 4)
    return blocks.reshape(n, channels * blocksize**2, rows, columns)
