"""What a session was created from: a path, bytes or a message; noticing that it changed, and pickling it."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from ort_core.errors import Fail, NoSuchFile


class ModelSource:
    """The model argument of a session.

    Attributes:
        given: the path as text, the bytes, or the message, for loading.
    """

    __slots__ = ("_path", "_stamp", "given")

    def __init__(self, model: Any) -> None:
        """Takes the argument of `InferenceSession`.

        Raises:
            TypeError: neither a path nor bytes nor an `onnx.ModelProto`.
        """
        self._path: str | None = None
        self._stamp: tuple[int, int] | None = None
        if isinstance(model, str | os.PathLike):
            self.given: Any = os.fsdecode(model)
            self._path = self.given
            with contextlib.suppress(OSError):
                self._path = os.path.abspath(self.given)
            self._stamp = self._current_stamp()
        elif isinstance(model, bytearray | memoryview):
            self.given = bytes(model)
        elif isinstance(model, bytes) or type(model).__name__ == "ModelProto":
            self.given = model
        else:
            raise TypeError(
                f"Unable to load from type '{type(model).__name__}': expected a path, the bytes of a model, or an "
                "onnx.ModelProto"
            )

    def again(self) -> Any:
        """What to load a second time.

        Raises:
            Fail: the file changed since the session was created.
        """
        if self._path is None:
            return self.given
        if self._stamp is None or self._current_stamp() != self._stamp:
            raise Fail(f"the model file '{self._path}' changed since the session was created. Create a new one.")
        return self._path

    def pickled(self) -> tuple[str | bytes, str]:
        """The path with the SHA-256 of the file, or the bytes with an empty text.

        Raises:
            Fail: the file changed since the session was created.
        """
        model = self.again()
        if isinstance(model, str):
            return model, sha256_of(model)
        return (model if isinstance(model, bytes) else bytes(model.SerializeToString())), ""

    def _current_stamp(self) -> tuple[int, int] | None:
        """Size and modification time: enough to notice in this process that the file changed."""
        try:
            status = os.stat(self._path or "")
        except (OSError, ValueError):
            return None
        return status.st_size, status.st_mtime_ns


def check_digest(path: str, digest: str) -> None:
    """Raises Fail unless the file at `path` is the one that had this SHA-256."""
    found = sha256_of(path)
    if found != digest:
        raise Fail(
            f"the model file '{path}' is not the one that the pickled session was created from: its SHA-256 is {found}, "
            f"expected {digest}. Put the original file there, or create a new session."
        )


def sha256_of(path: str) -> str:
    """The SHA-256 of a file.

    Raises:
        NoSuchFile: it does not exist.
        Fail: it cannot be read.
    """
    import hashlib

    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except FileNotFoundError as error:
        raise NoSuchFile(
            f"the model file '{path}' of a pickled session does not exist here. Put it there, or pickle a session that was "
            "created from bytes."
        ) from error
    except OSError as error:
        raise Fail(f"cannot read the model file '{path}': {error.strerror or error}") from error
    return digest.hexdigest()
