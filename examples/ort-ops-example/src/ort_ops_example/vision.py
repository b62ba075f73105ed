"""Operators of the domain example.vision."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ort_custom_ops import Float32, InputInfo, UInt8, op


class Letterboxed(NamedTuple):
    """What `Letterbox` returns: the picture, and scale and offsets to map boxes back: `(xy - offsets) / scale`."""

    image: Float32
    scale: Float32
    offsets: Float32


@op("example.vision")
def Letterbox(image: UInt8, *, size: tuple[int, int] = (640, 640), fill: int = 114) -> Letterboxed:
    """Fits a picture into `size` (height, width) without distorting it, and fills the rest: bilinear, values in [0, 1].

    Args:
        image: [H, W, C].

    Returns:
        image [C, height, width], scale [], offsets [2] (x, y).
    """
    height, width = size
    scale = min(height / image.shape[0], width / image.shape[1])
    inner = (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale)))
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    canvas = np.full((height, width, image.shape[2]), fill, np.float32)
    canvas[top : top + inner[0], left : left + inner[1]] = _resized(image.astype(np.float32), inner)
    return Letterboxed(
        canvas.transpose(2, 0, 1) / np.float32(255), np.array(scale, np.float32), np.array([left, top], np.float32)
    )


@Letterbox.infer_types
def _(image: InputInfo, *, size: tuple[int, int]) -> tuple[tuple[object, ...], ...]:
    return (image.shape[2], *size), (), (2,)


def _resized(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    for axis, new in enumerate(size):
        old = image.shape[axis]
        places = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
        low = np.floor(places).astype(int)
        part = (places - low).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
        first, second = image.take(low, axis), image.take(np.minimum(low + 1, old - 1), axis)
        image = first + (second - first) * part
    return image
