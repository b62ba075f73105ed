"""Versions of the packages that take part in preparing a model, without importing them."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator

PREPARING = ("ort_core", "onnx", "numpy", "ml_dtypes")
"""The packages whose code decides what a prepared model is."""

_METADATA_SUFFIXES = (".dist-info", ".egg-info")


@functools.cache
def version_of(package: str) -> str:
    """The version of a package by the metadata that is installed beside it.

    A package without such metadata (a source tree, an editable installation) is known by the sizes and times of its Python
    files; one that is neither found nor a folder, by nothing.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return ""
    folder = next(iter(spec.submodule_search_locations))
    return _installed_version(folder) or _state_of_files(folder)


def machine() -> list[str]:
    """What else may change the bits of a folded constant: Python, platform and processor family."""
    processor = os.uname().machine if hasattr(os, "uname") else os.environ.get("PROCESSOR_ARCHITECTURE", "")
    return [f"{sys.version_info.major}.{sys.version_info.minor}", sys.platform, processor, sys.byteorder]


def _installed_version(folder: str) -> str:
    parent, name = os.path.split(folder)
    try:
        siblings = os.listdir(parent)
    except OSError:
        return ""
    found = [s for s in siblings if s.endswith(_METADATA_SUFFIXES) and s.partition("-")[0].lower() == name.lower()]
    return found[0].removesuffix(".dist-info").partition("-")[2] if len(found) == 1 else ""


def _state_of_files(folder: str) -> str:
    import hashlib

    return hashlib.sha256(repr(sorted(_python_files(folder))).encode()).hexdigest()


def _python_files(folder: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _python_files(entry.path)
            elif entry.name.endswith((".py", ".so", ".pyd")):
                status = entry.stat()
                yield entry.path, status.st_size, status.st_mtime_ns
