"""Cases of the operators on images: decoding, encoding, drawing.

Left out: BMP files, at which the library ends the process, and grey JPEG files, at which it writes out of bounds.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tests.custom_ops.extensions_parity import MICROSOFT, Node

_rows, _columns = np.mgrid[0:24, 0:36]
PICTURE = np.stack([_rows * 10, _columns * 7, (_rows * _columns) % 256], axis=2).astype(np.uint8)
GREY = PICTURE[..., 0]
ALPHA = np.concatenate([PICTURE, PICTURE[..., :1]], axis=2)


def encoded(pixels: np.ndarray, form: str, **options: object) -> np.ndarray:
    """A file of the image, as bytes."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return np.frombuffer(file.getvalue(), np.uint8)


_PNG, _JPEG = encoded(PICTURE, "PNG"), encoded(PICTURE, "JPEG", quality=90)
_BOXES = np.array(
    [
        [2, 3, 20, 15, 0.9, 0],
        [10, 8, 30, 22, 0.8, 1],
        [-5, -5, 60, 60, 0.7, 2],
        [4, 4, 4, 9, 0.6, 3],
        [1, 20, 35, 23, 0.5, 0],
    ],
    np.float32,
)
_MANY = np.stack([np.array([i, i, i + 8, i + 8, 1 - i / 20, i], np.float32) for i in range(14)])


def _vision(op: str, runs: list[list[np.ndarray | None]], **attributes: object) -> Node:
    return Node(op, runs, attributes=attributes, domain=MICROSOFT)


NODES = [
    _vision(
        "DecodeImage",
        [
            [_PNG],
            [_JPEG],
            [encoded(GREY, "PNG")],
            [encoded(ALPHA, "PNG")],
            [encoded(PICTURE, "JPEG", progressive=True)],
            [encoded(PICTURE[:1, :1], "PNG")],
            [_PNG[: _PNG.size // 2]],
            [_PNG[:20]],
            [np.zeros(0, np.uint8)],
            [_PNG[None]],
        ],
    ),
    _vision("DecodeImage", [[_PNG], [_JPEG]], color_space="rgb"),
    _vision("DecodeImage", [[_PNG]], color_space="hsv"),
    _vision("EncodeImage", [[PICTURE], [PICTURE[:1, :1]], [GREY], [ALPHA]]),
    *(
        _vision("EncodeImage", [[PICTURE], [PICTURE[:5, :7].copy()]], format=form, color_space=space)
        for form in ("png", "jpg")
        for space in ("bgr", "rgb")
    ),
    _vision("EncodeImage", [[PICTURE]], format="gif"),
    _vision("EncodeImage", [[PICTURE]], color_space="hsv"),
    _vision(
        "DrawBoundingBoxes",
        [[PICTURE, _BOXES], [PICTURE, _BOXES[:0]], [PICTURE, _MANY], [GREY, _BOXES], [PICTURE, _BOXES[:, :5].copy()]],
    ),
    *(
        _vision("DrawBoundingBoxes", [[PICTURE, _BOXES], [PICTURE, _MANY]], mode=mode)
        for mode in ("XYXY", "XYWH", "CENTER_XYWH")
    ),
    _vision("DrawBoundingBoxes", [[PICTURE, _BOXES], [PICTURE, _MANY]], thickness=1, num_classes=2),
    _vision("DrawBoundingBoxes", [[PICTURE, _BOXES], [PICTURE, _MANY]], colour_by_classes=0, thickness=3),
    _vision("DrawBoundingBoxes", [[PICTURE, _BOXES]], mode="YXYX"),
    _vision("DrawBoundingBoxes", [[PICTURE, _BOXES]], thickness=0),
]
