"""The cache's folder: private, shared by processes, limited in size; every file in it carries a digest of its content."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import json
import logging
import os
import re
import stat
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ort_core.cache.settings import FOLDER_ENTRY, CacheSettings
from ort_core.errors import NoSuchFile, OrtError
from ort_core.load.source import FileSource
from ort_core.load.weights import ALIGNMENT_BYTES, aligned_empty

logger = logging.getLogger("ort_core.cache")

FORMAT = 1
"""Version of everything that is in the folder."""

_MAGIC = b"ort_core.cache" + FORMAT.to_bytes(2, "little")
_HEADER = struct.Struct("<16s32sQQ")
_NAME = re.compile(r"[0-9a-f]{64}\.(model|files|digest)")
_TEMPORARY = re.compile(rf"\.{_NAME.pattern}\.[0-9a-f]{{16}}\.tmp")
_TEMPORARY_AGE_S = 3600
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Record(NamedTuple):
    """The content of a file: a JSON object, and aligned bytes."""

    document: dict[str, Any]
    blob: np.ndarray


def open_folder(settings: CacheSettings) -> CacheFolder | None:
    """The folder, created if need be; None, after one warning, where it cannot be or other users may write to it."""
    try:
        _create(settings.folder)
        status = os.stat(settings.folder)
    except (OSError, ValueError) as error:
        _warn(settings.folder, f"cannot be used: {error}")
        return None
    if problem := _distrust(status):
        _warn(settings.folder, problem)
        return None
    return CacheFolder(settings)


class CacheFolder:
    """Files that appear and vanish as a whole. One that is damaged or not ours counts as absent."""

    def __init__(self, settings: CacheSettings) -> None:
        self.path = settings.folder
        self._max_bytes = settings.max_bytes

    def read(self, name: str) -> Record | None:
        """The content of a file, which counts as used now; None if there is none."""
        path = os.path.join(self.path, name)
        try:
            record = _read(FileSource(path, what="cache file", follow_symlinks=False), name, self._max_bytes)
        except NoSuchFile:
            return None
        except (OrtError, ValueError, RecursionError) as error:
            logger.debug("'%s' is ignored: %s", path, error)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return record

    def write(self, name: str, document: Mapping[str, Any], blob: Sequence[memoryview] = ()) -> None:
        """Creates or replaces a file, and makes room; a warning is all that happens where that is impossible.

        Raises:
            TypeError, ValueError: `document` has no JSON.
        """
        from ort_core.load.replace import replacing

        text = json.dumps(document, separators=(",", ":"), default=_plain).encode()
        size = sum(map(len, blob))
        if _HEADER.size + len(text) + size > self._max_bytes:
            logger.debug("'%s' is not kept: %d bytes are too many", name, size)
            return
        text += b" " * (-len(text) % ALIGNMENT_BYTES)
        header = _HEADER.pack(_MAGIC, _digest(name, len(text), text, *blob), len(text), size)
        try:
            with replacing(os.path.join(self.path, name), durable=False) as file:
                os.chmod(file.fileno() if os.chmod in os.supports_fd else file.name, 0o600)
                file.writelines((header, text, *blob))
            self._make_room(name)
        except OSError as error:
            if os.name == "nt" and isinstance(error, PermissionError):
                logger.debug("'%s' is in use and stays as it is", name)
                return
            hint = " Free some space." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            _warn(self.path, f"cannot be written to: {error.strerror or error}.{hint}")

    def _make_room(self, keep: str) -> None:
        """Removes the files that were not used for longest, and what writers left that ended early."""
        files = []
        for entry, status in self._files():
            if _NAME.fullmatch(entry.name):
                files.append((status.st_mtime_ns, status.st_size, entry.name))
            elif time.time() - status.st_mtime > _TEMPORARY_AGE_S:
                self._remove(entry.name)
        excess = sum(size for _, size, _ in files) - self._max_bytes
        for _, size, name in sorted(files):
            if excess <= 0:
                break
            if name != keep:
                self._remove(name)
                excess -= size

    def _files(self) -> Iterator[tuple[os.DirEntry[str], os.stat_result]]:
        with os.scandir(self.path) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name) or _TEMPORARY.fullmatch(entry.name):
                    with contextlib.suppress(FileNotFoundError):
                        yield entry, entry.stat(follow_symlinks=False)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            os.unlink(os.path.join(self.path, name))


def _read(source: FileSource, name: str, max_bytes: int) -> Record:
    if problem := _distrust(source.status):
        raise ValueError(problem)
    head = source.view(0, _HEADER.size)
    magic, digest, text_size, blob_size = _HEADER.unpack(head)
    if magic != _MAGIC or source.size > max_bytes or _HEADER.size + text_size + blob_size != source.size:
        raise ValueError("it is no complete cache file of this version, or too large")
    text = source.view(_HEADER.size, text_size)
    blob = aligned_empty(blob_size)
    source.read_into(_HEADER.size + text_size, blob.data)
    if _digest(name, text_size, text, blob.data) != digest:
        raise ValueError("its content is damaged")
    blob.flags.writeable = False
    document = json.loads(bytes(text))
    if not isinstance(document, dict):
        raise ValueError(f"it holds {type(document).__name__}, expected an object")
    return Record(document, blob)


def _digest(name: str, text_size: int, *pieces: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(_MAGIC + name.encode() + text_size.to_bytes(8, "little"))
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _plain(item: object) -> Any:
    if isinstance(item, np.generic):
        return item.item()
    raise TypeError(f"{type(item).__name__} has no JSON")


def _create(path: str) -> None:
    if not os.path.isdir(path):
        parent = os.path.dirname(path)
        if parent != path:
            _create(parent)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)


def _distrust(status: os.stat_result) -> str:
    """Why a file or folder may hold what others put there; empty if it cannot."""
    if os.name == "nt":
        return ""
    if status.st_uid not in (0, os.geteuid()):
        return "belongs to another user"
    if status.st_mode & _OTHERS_MAY_WRITE:
        return "can be written to by other users (its mode should be 0700)"
    return ""


@functools.cache
def _warn(path: str, problem: str) -> None:
    logger.warning(
        "the folder of the optimised-model cache, '%s', %s. Sessions are created without it. Correct that, or give another "
        "folder in the session configuration %s.",
        path,
        problem,
        FOLDER_ENTRY,
    )
