"""Images: ImageDecoder, through Pillow."""

from __future__ import annotations

import io

import numpy as np

from ort_core.errors import Fail
from ort_core.providers.kernel import kernel


@kernel("ImageDecoder")
def image_decoder(encoded: np.ndarray, *, pixel_format: str = "RGB") -> np.ndarray:
    """Y [H, W, C] uint8 = the decoded image, in the channel order asked for. Source: ONNX ImageDecoder."""
    try:
        from PIL import Image
    except ImportError as error:
        raise Fail(
            "ImageDecoder needs Pillow, which is not installed. Run `pip install 'ort-core[reference]'`."
        ) from error
    if pixel_format not in ("RGB", "BGR", "Grayscale"):
        raise ValueError(f"pixel_format is '{pixel_format}', must be RGB, BGR or Grayscale")
    with Image.open(io.BytesIO(encoded.tobytes())) as image:
        if pixel_format == "Grayscale":
            return np.array(image.convert("L"))[:, :, None]
        decoded = np.array(image.convert("RGB"))
    return decoded[:, :, ::-1] if pixel_format == "BGR" else decoded
