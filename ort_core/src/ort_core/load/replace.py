"""Files that appear all at once: written under a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from typing import IO

from ort_core.ir.tensors import WeightRef
from ort_core.load.weights import StoredWeight

_CHUNK_BYTES = 1 << 24
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


@contextlib.contextmanager
def replacing(target: str, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `target` when the block ends well, and vanishes when it does not.

    Its permissions follow the umask.

    Args:
        durable: the file is on the disk before it gets its name, whatever that costs.
    """
    with temporary(os.path.dirname(target), os.path.basename(target), durable=durable) as (file, rename):
        yield file
        rename(target)


@contextlib.contextmanager
def temporary(folder: str, base: str, *, durable: bool = True) -> Iterator[tuple[IO[bytes], Callable[[str], None]]]:
    """A new file in `folder`, and a function that flushes it (to the disk, if `durable`) and renames it to a path in that
    folder.
    """
    path = os.path.join(folder, f".{base}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(path, _CREATE_FLAGS, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:

            def rename(target: str) -> None:
                file.flush()
                if durable:
                    os.fsync(file.fileno())
                file.close()
                os.replace(path, target)
                if durable:
                    _sync_folder(folder)

            yield file, rename
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def write_weight(write: Callable[[memoryview], object], weight: WeightRef) -> None:
    """Passes the stored bytes of a weight to `write`, in pieces where it is in a file."""
    if not isinstance(weight, StoredWeight):
        write(weight.view())
        return
    buffer = memoryview(bytearray(min(weight.nbytes, _CHUNK_BYTES)))
    for start in range(0, weight.nbytes, _CHUNK_BYTES):
        piece = buffer[: min(_CHUNK_BYTES, weight.nbytes - start)]
        weight.source.read_into(weight.offset + start, piece)
        write(piece)


def _sync_folder(folder: str) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
