"""Recognises what is not a binary ONNX model and says what to do about it."""

from __future__ import annotations

import os

from ort_core import errors

_TEXT_SUFFIXES = {
    ".onnxtxt": "ONNX's text syntax",
    ".onnxtext": "ONNX's text syntax",
    ".textproto": "protobuf's text format",
    ".prototxt": "protobuf's text format",
    ".pbtxt": "protobuf's text format",
    ".onnxjson": "JSON",
    ".json": "JSON",
}
_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"version https://git-lfs", "a Git LFS pointer, not the model itself", "Fetch the model with 'git lfs pull'."),
    (
        0,
        b"PK\x03\x04",
        "a zip archive (PyTorch and Keras save such files)",
        "Export the model to ONNX, or unpack the archive.",
    ),
    (0, b"\x1f\x8b", "compressed with gzip", "Unpack it first."),
    (0, b"BZh", "compressed with bzip2", "Unpack it first."),
    (0, b"\xfd7zXZ", "compressed with xz", "Unpack it first."),
    (0, b"\x28\xb5\x2f\xfd", "compressed with zstd", "Unpack it first."),
    (0, b"GGUF", "a GGUF model", "Export the model to ONNX."),
    (4, b"TFL3", "a TensorFlow Lite model", "Convert it with tf2onnx."),
    (0, b"\x89HDF\r\n", "an HDF5 file (Keras saves such files)", "Convert it with tf2onnx."),
    (0, b"\x80\x02", "a Python pickle", "Export the model to ONNX."),
    (0, b"\x80\x04", "a Python pickle", "Export the model to ONNX."),
    (0, b"<!DOCTYPE", "a web page, so the download went wrong", "Download the model again."),
    (0, b"<!doctype", "a web page, so the download went wrong", "Download the model again."),
    (0, b"<html", "a web page, so the download went wrong", "Download the model again."),
)


def refuse_other_format(head: bytes, size: int, name: str, path: str = "") -> None:
    """Raises if a file's first bytes or its suffix show that it is no binary ONNX model.

    Args:
        head: the first bytes, 512 are enough.
        size: of the whole file.
        name: what messages call it.

    Raises:
        InvalidProtobuf: it is empty or of another format.
        NotImplemented: it is in onnxruntime's `.ort` format.
    """
    if size == 0:
        raise errors.InvalidProtobuf(f"{name} is empty, expected an ONNX model. Download or export it again.")
    if head[4:8] == b"ORTM":
        raise errors.NotImplemented(
            f"{name} is in onnxruntime's own .ort format, which is tied to its version. Load the .onnx model that it was "
            "made from."
        )
    for offset, magic, what, remedy in _SIGNATURES:
        if head[offset : offset + len(magic)] == magic:
            raise errors.InvalidProtobuf(f"{name} is {what}; expected a binary ONNX model. {remedy}")
    text = _TEXT_SUFFIXES.get(os.path.splitext(path)[1].lower())
    if text is not None and _is_text(head):
        raise errors.InvalidProtobuf(
            f"{name} is in {text}; expected a binary ONNX model. Convert it: onnx.save(onnx.load(path), 'model.onnx')."
        )


def _is_text(head: bytes) -> bool:
    return not any(byte < 9 or 13 < byte < 32 for byte in head)
