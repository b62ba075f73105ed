"""Results of a run as numpy files, written whole or not at all and never over a file unless told to."""

from __future__ import annotations

import contextlib
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from ort_core.cli.usage import UsageError
from ort_core.errors import Fail, InvalidArgument


def plan_files(destination: str, names: Sequence[str], force: bool) -> dict[str, Path]:
    """The file for each output: all in one `.npz` file, or one `.npy` file each in a folder.

    Raises:
        UsageError: two outputs would share a `.npy` file, or the destination names another kind of file.
        InvalidArgument: a file exists and `force` is not set.
    """
    path = Path(destination)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        paths = dict.fromkeys(names, path)
    elif suffix == ".npy":
        raise UsageError(f"--save {destination}: name a folder (one .npy file for each output) or a .npz file.")
    else:
        paths = {name: path / (re.sub(r"[^\w.-]+", "_", name) + ".npy") for name in names}
        if len(set(paths.values())) < len(names):
            raise UsageError(f"--save {destination}: two outputs would share a file name. Save to a .npz file.")
    existing = [str(p) for p in dict.fromkeys(paths.values()) if p.exists()]
    if existing and not force:
        raise _exists(", ".join(existing))
    return paths


def save_outputs(paths: Mapping[str, Path], outputs: Mapping[str, Any], force: bool) -> None:
    """Writes every output to its file.

    Raises:
        Fail: an output is not a tensor or holds what numpy files cannot.
        InvalidArgument: a file came into being meanwhile and `force` is not set.
    """
    arrays = {name: _storable(name, value) for name, value in outputs.items()}
    for path in dict.fromkeys(paths.values()):
        members = {name: array for name, array in arrays.items() if paths[name] == path}
        path.parent.mkdir(parents=True, exist_ok=True)
        with _replacing(path, force) as stream:
            if path.suffix.lower() == ".npz":
                _write_archive(stream, members)
            else:
                for array in members.values():
                    np.lib.format.write_array(stream, array, allow_pickle=False)


def _write_archive(stream: IO[bytes], arrays: Mapping[str, np.ndarray]) -> None:
    # numpy.savez cannot hold an array named `file`.
    with zipfile.ZipFile(stream, "w", allowZip64=True) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _storable(name: str, value: Any) -> np.ndarray:
    if not isinstance(value, np.ndarray):
        raise Fail(f"output {name!r} is a {type(value).__name__}, which numpy files cannot hold. Use --json.")
    if value.dtype.kind == "O":
        texts = np.array([str(item) for item in value.reshape(-1)], dtype=str).reshape(value.shape)
        if texts.reshape(-1).tolist() != value.reshape(-1).tolist():
            raise Fail(f"output {name!r} holds strings that end in a NUL, which numpy files cannot hold. Use --json.")
        return texts
    if value.dtype.isbuiltin == 1:
        return value
    return np.ascontiguousarray(value).view(f"V{value.dtype.itemsize}").reshape(value.shape)


@contextlib.contextmanager
def _replacing(path: Path, force: bool) -> Iterator[IO[bytes]]:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        _publish(temporary, path, force)
    finally:
        temporary.unlink(missing_ok=True)


def _publish(temporary: Path, path: Path, force: bool) -> None:
    if force:
        temporary.replace(path)
        return
    try:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # the file system has no hard links: reserve the name instead
            path.open("xb").close()
            temporary.replace(path)
    except FileExistsError as error:
        raise _exists(str(path)) from error


def _exists(paths: str) -> InvalidArgument:
    return InvalidArgument(f"{paths} exists already. Choose another --save or give --force.")
