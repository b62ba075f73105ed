"""Image files as model inputs: channels, layout, size and scaling follow the declared input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ort_core.cli.usage import UsageError
from ort_core.errors import InvalidArgument, NoSuchFile
from ort_core.ir.shapes import Dim, format_shape
from ort_core.ir.types import ElementType

if TYPE_CHECKING:
    from PIL import Image

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
LAYOUTS = ("NCHW", "NHWC", "CHW", "HWC", "NHW", "HW")
_FLOATS = (ElementType.FLOAT, ElementType.DOUBLE, ElementType.FLOAT16, ElementType.BFLOAT16)

Size: TypeAlias = "tuple[int, int]"


@dataclass(frozen=True)
class ImageOptions:
    """How an image becomes a tensor: layout (None deduces it), resizing, and per-channel mean and deviation."""

    layout: str | None = None
    resize: bool = False
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @property
    def given(self) -> bool:
        """Whether any option was set."""
        return self != ImageOptions()


def load_image(path: Path, element: ElementType, shape: Sequence[Dim], options: ImageOptions) -> np.ndarray:
    """The image as a tensor of `element` that fits `shape`, with a batch dimension of 1 where the layout has one.

    Floating-point inputs get 0 to 1, then (x - mean) / std; uint8 inputs get 0 to 255.

    Raises:
        UsageError: the input takes no image, or its layout is ambiguous.
        InvalidArgument: the file is not a usable image, or its size differs and resizing was not asked for.
        NoSuchFile: there is no such file.
    """
    if element not in (*_FLOATS, ElementType.UINT8):
        raise UsageError(f"an image cannot feed tensor({element.onnx_name}), only floats and uint8. Give a .npy file.")
    layout = options.layout or deduce_layout(shape)
    dims: dict[str, Dim] = dict(zip(layout, shape, strict=False)) if shape else {}
    if shape and len(shape) != len(layout):
        raise UsageError(
            f"--layout {layout} has {len(layout)} dimensions, the input {format_shape(shape)} {len(shape)}."
        )
    image = _open(path)
    channels = dims.get("C") if "C" in layout else 1
    if not isinstance(channels, int):
        channels = 1 if image.mode in ("1", "L", "LA") else 3
    if channels not in (1, 3):
        raise UsageError(f"the input {format_shape(shape)} as {layout} has {channels} channels; an image gives 1 or 3.")
    image = _fit(image.convert("L" if channels == 1 else "RGB"), dims, options, path)
    pixels = np.asarray(image).reshape(image.height, image.width, channels)
    scaled = _scale(pixels, element, options)
    source = "HWC" if "C" in layout else "HW"
    array = scaled if "C" in layout else scaled[..., 0]
    array = array.transpose([source.index(axis) for axis in layout if axis != "N"])
    return np.ascontiguousarray(array[None] if "N" in layout else array)


def deduce_layout(shape: Sequence[Dim]) -> str:
    """The one layout that `shape` can have, its channel dimension being 1 or 3; an unknown one only if none is known.

    Raises:
        UsageError: no layout fits, or several do.
    """
    dims = {layout: dict(zip(layout, shape, strict=True)) for layout in LAYOUTS if len(layout) == len(shape)}
    certain = [layout for layout in dims if dims[layout].get("C") in (1, 3)]
    possible = [layout for layout in dims if not isinstance(dims[layout].get("C"), int)]
    candidates = certain or possible
    if len(candidates) == 1:
        return candidates[0]
    problem = f"could be {' or '.join(candidates)}" if candidates else "is not that of an image"
    remedy = f"Say which with --layout {{{','.join(candidates)}}}" if candidates else "Give a .npy file"
    raise UsageError(f"the input shape {format_shape(shape)} {problem}. {remedy}.")


def _open(path: Path) -> Image.Image:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise InvalidArgument(f"reading {path} needs Pillow. Run: pip install 'ort-core[cli]'.") from error
    try:
        with path.open("rb") as stream, Image.open(stream, formats=("PNG", "JPEG", "BMP")) as stored:
            image: Image.Image = ImageOps.exif_transpose(stored)
    except FileNotFoundError as error:
        raise NoSuchFile(f"image file {path} does not exist.") from error
    except Exception as error:  # a damaged image makes Pillow raise almost anything
        raise InvalidArgument(f"{path} is not a readable PNG, JPEG or BMP image: {error}.") from error
    if image.mode.startswith(("I", "F")):
        raise InvalidArgument(f"{path} has more than 8 bits per channel ({image.mode}). Convert it to 8 bits first.")
    transparent = "A" in image.getbands() or "transparency" in image.info
    if transparent and image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
        raise InvalidArgument(f"{path} has transparent pixels. Flatten it onto a background first.")
    return image


def _fit(image: Image.Image, dims: dict[str, Dim], options: ImageOptions, path: Path) -> Image.Image:
    height, width = dims.get("H"), dims.get("W")
    if options.resize:
        if not isinstance(height, int) or not isinstance(width, int):
            raise UsageError("--resize needs an input of fixed height and width. Resize the file instead.")
        from PIL import Image

        return image.resize((width, height), Image.Resampling.BILINEAR)
    for dim, size in ((height, image.height), (width, image.width)):
        if isinstance(dim, int) and dim != size:
            wanted = format_shape((height, width))
            raise InvalidArgument(
                f"{path} is {image.height} pixels high and {image.width} wide; "
                f"the input wants [height, width] = {wanted}. Give --resize or another image."
            )
    return image


def _scale(pixels: np.ndarray, element: ElementType, options: ImageOptions) -> np.ndarray:
    channels = pixels.shape[-1]
    for name, values in (("--mean", options.mean), ("--std", options.std)):
        if values and len(values) not in (1, channels):
            raise UsageError(f"{name} has {len(values)} values; the image has {channels} channels.")
    if element is ElementType.UINT8:
        if options.mean or options.std:
            raise UsageError("--mean and --std need a floating-point input; this one is tensor(uint8).")
        return pixels
    wide = pixels / np.float64(255)
    if options.mean:
        wide = wide - np.array(options.mean)
    if options.std:
        wide = wide / np.array(options.std)
    return wide.astype(element.dtype)
