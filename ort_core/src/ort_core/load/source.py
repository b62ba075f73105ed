"""Read-only byte sources that weights point into: an open file, or a buffer in memory."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from typing import Any, Protocol

from ort_core.errors import Fail, InvalidArgument, NoSuchFile

_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_HAS_PREADV = hasattr(os, "preadv")


class ByteSource(Protocol):
    """Bytes that can be read at any offset."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    def view(self, offset: int, size: int) -> memoryview:
        """`size` bytes from `offset`, copied only where the source is a file."""

    def read_into(self, offset: int, dst: memoryview) -> None:
        """Fills `dst` (flat bytes) from `offset`.

        Raises:
            Fail: the source became shorter, changed or is unreadable.
        """


class BufferSource:
    """A source in memory. A writable buffer is copied, so that later changes do not reach the model."""

    __slots__ = ("_data", "name")

    def __init__(self, data: Any, name: str = "bytes in memory") -> None:
        try:
            view = memoryview(data)
        except TypeError:
            raise InvalidArgument(
                f"{name}: expected an object with the buffer protocol (bytes, bytearray, memoryview, numpy array), "
                f"got {type(data).__name__}."
            ) from None
        if not view.c_contiguous:
            view = memoryview(view.tobytes())
        self._data = (
            memoryview(bytes(view)) if not view.readonly else view.cast("B") if view.nbytes else memoryview(b"")
        )
        self.name = name

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._data.nbytes

    def view(self, offset: int, size: int) -> memoryview:
        """`size` bytes from `offset`, without a copy."""
        if offset + size > self.size:
            raise Fail(f"{self.name}: {size} bytes at offset {offset} wanted, but it has only {self.size} bytes.")
        return self._data[offset : offset + size]

    def read_into(self, offset: int, dst: memoryview) -> None:
        """Fills `dst` from `offset`."""
        dst[:] = self.view(offset, len(dst))


class FileSource:
    """An open regular file, read by position; the descriptor closes with the last reference.

    The file is never mapped: a mapping of a file that somebody truncates ends the process with SIGBUS.

    Attributes:
        status: of the file when it was opened.
    """

    __slots__ = ("__weakref__", "_fd", "_lock", "_stamp", "name", "size", "status")

    def __init__(self, path: str | os.PathLike[str], *, what: str = "model file", follow_symlinks: bool = True) -> None:
        """Opens `path`.

        Raises:
            NoSuchFile: it does not exist.
            InvalidArgument: the path itself is malformed.
            Fail: it is no regular file or cannot be opened.
        """
        self._fd = -1
        self.name = os.fspath(path)
        self._fd = _open(self.name, what, follow_symlinks)
        status = os.fstat(self._fd)
        if not stat.S_ISREG(status.st_mode):
            raise Fail(
                f"{what} '{self.name}' is {_kind(status.st_mode)}, expected a regular file. "
                "Give the path of a file, or read the data and pass it as bytes."
            )
        self.status = status
        self.size = status.st_size
        self._stamp = (status.st_size, status.st_mtime_ns)
        self._lock = threading.Lock()

    def current_status(self) -> os.stat_result:
        """What `status` is now."""
        return os.fstat(self._fd)

    def view(self, offset: int, size: int) -> memoryview:
        """`size` bytes from `offset`, read now."""
        if offset + size > self.size:
            raise self._short(offset, size, max(self.size - offset, 0))
        data = memoryview(bytearray(size))
        self.read_into(offset, data)
        return data.toreadonly()

    def read_into(self, offset: int, dst: memoryview) -> None:
        """Fills `dst` from `offset`.

        Raises:
            Fail: the file changed since it was opened, ends early, or cannot be read.
        """
        status = os.fstat(self._fd)
        if (status.st_size, status.st_mtime_ns) != self._stamp:
            raise Fail(
                f"'{self.name}' changed while the model was in use: it had {self._stamp[0]} bytes when it was opened and "
                f"has {status.st_size} now; {len(dst)} bytes at offset {offset} were wanted. Load the model again. To "
                "update a model that is in use, write a new file and rename it over the old one."
            )
        done = 0
        while done < len(dst):
            try:
                count = self._read(offset + done, dst[done:])
            except OSError as error:
                raise Fail(f"cannot read {len(dst)} bytes at offset {offset} of '{self.name}': {error}") from error
            if count == 0:
                raise self._short(offset, len(dst), done)
            done += count

    def _read(self, offset: int, dst: memoryview) -> int:
        if _HAS_PREADV:
            return os.preadv(self._fd, [dst], offset)
        with self._lock:
            os.lseek(self._fd, offset, os.SEEK_SET)
            data = os.read(self._fd, min(len(dst), 1 << 24))
        dst[: len(data)] = data
        return len(data)

    def _short(self, offset: int, expected: int, got: int) -> Fail:
        return Fail(
            f"'{self.name}' ends early: expected {expected} bytes at offset {offset}, got {got}. The file is truncated or "
            "was changed while in use; get a complete copy and load it again."
        )

    def __del__(self) -> None:
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)


def _open(path: str, what: str, follow_symlinks: bool) -> int:
    flags = _OPEN_FLAGS if follow_symlinks else _OPEN_FLAGS | getattr(os, "O_NOFOLLOW", 0)
    try:
        return os.open(path, flags)
    except FileNotFoundError as error:
        raise NoSuchFile(
            f"{what} '{path}' does not exist (current folder: '{os.getcwd()}'). Check the path."
        ) from error
    except ValueError as error:
        raise InvalidArgument(f"{what} {path!r} is not a path: {error}. Give a path without NUL characters.") from error
    except OSError as error:
        if os.path.isdir(path):
            raise Fail(f"{what} '{path}' is a folder, expected a regular file. Give the path of a file.") from error
        raise Fail(
            f"cannot open {what} '{path}': {error.strerror or error}. Check the path and its permissions."
        ) from error


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "not a regular file")
