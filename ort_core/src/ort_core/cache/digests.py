"""Digests of what models consist of. Those of files are remembered as long as the file's stamp stays the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ort_core.cache.folder import CacheFolder
from ort_core.ir.tensors import ArrayWeight
from ort_core.ir.types import ElementType
from ort_core.load.source import BufferSource, ByteSource, FileSource
from ort_core.progress import UNWATCHED, Progress

_PIECE_BYTES = 4 << 20
_MAX_THREADS = 8
_MILLISECOND_NS = 10**6
_FINE_TICK_NS, _COARSE_TICK_NS = 50 * _MILLISECOND_NS, 3000 * _MILLISECOND_NS


class Stamp(NamedTuple):
    """What tells that a file is the same and unchanged."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """The stamp of a file."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def is_settled(self, now_ns: int) -> bool:
        """Whether a change after `now_ns` gives another stamp.

        File systems count time in ticks: a file that changed just now may change again within the same tick.
        """
        changed = self.mtime_ns if os.name == "nt" else self.ctime_ns
        return now_ns - changed > (_FINE_TICK_NS if changed % _MILLISECOND_NS else _COARSE_TICK_NS)


class FileDigests:
    """Digests of files that are opened after this object is made."""

    def __init__(self, folder: CacheFolder, progress: Progress = UNWATCHED) -> None:
        self._folder = folder
        self._progress = progress
        self._started_ns = time.time_ns()

    def digest(self, source: ByteSource) -> str | None:
        """The digest of a buffer, or of a file; None while that cannot be trusted to stay as it is.

        Raises:
            Fail: the file cannot be read.
        """
        if not isinstance(source, FileSource):
            return digest_of(source, self._progress)
        stamp = Stamp.of(source.status)
        if not stamp.is_settled(self._started_ns) or not is_unchanged(source):
            return None
        path = os.path.realpath(source.name)
        name = f"{hashlib.sha256(os.fsencode(path)).hexdigest()}.digest"
        record = self._folder.read(name)
        if record is not None and record.document.get("stamp") == [path, *stamp]:
            return str(record.document.get("digest"))
        found = digest_of(source, self._progress)
        if not is_unchanged(source):
            return None
        self._folder.write(name, {"stamp": [path, *stamp], "digest": found})
        return found


def is_unchanged(source: FileSource) -> bool:
    """Whether the file is as it was when it was opened."""
    return Stamp.of(source.status) == Stamp.of(source.current_status())


def digest_of(source: ByteSource, progress: Progress = UNWATCHED) -> str:
    """The digest of all bytes: SHA-256 over the SHA-256 of each piece, so that threads can share the work.

    Raises:
        Fail: the source cannot be read.
    """

    def size(start: int) -> int:
        return min(_PIECE_BYTES, source.size - start)

    def piece(start: int) -> bytes:
        return hashlib.sha256(source.view(start, size(start))).digest()

    starts = range(0, source.size, _PIECE_BYTES)
    whole = hashlib.sha256(source.size.to_bytes(8, "little"))
    with _mapping(len(starts)) as apply:
        for start, digest in zip(starts, apply(piece, starts), strict=True):
            progress.advance(size(start))
            whole.update(digest)
    return whole.hexdigest()


def digest_of_array(weight: ArrayWeight) -> list[Any]:
    """What a constant in memory is: element type, shape, and the digest of its elements."""
    if weight.element is ElementType.STRING:
        data = memoryview(json.dumps([str(item) for item in weight.array().reshape(-1)]).encode())
    else:
        data = weight.view().toreadonly()
    return [int(weight.element), [*weight.shape], digest_of(BufferSource(data))]


@contextlib.contextmanager
def _mapping(tasks: int) -> Iterator[Callable[..., Iterator[bytes]]]:
    """`map`, or one that uses threads if there are enough tasks."""
    threads = min(tasks // 2, os.cpu_count() or 1, _MAX_THREADS)
    if threads < 2:
        yield map
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads, "ort_core-digest") as executor:
        try:
            yield executor.map
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
