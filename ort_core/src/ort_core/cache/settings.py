"""Where the optimised-model cache is and how large it may become: session configuration and environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import NamedTuple

from ort_core.errors import InvalidArgument

FOLDER_ENTRY = "session.optimized_model_cache_dir"
"""Configuration entry: the folder of the cache, or `default`; empty switches the cache off."""

MAX_BYTES_ENTRY = "session.optimized_model_cache_max_bytes"
"""Configuration entry: what all files of the cache may take together."""

FOLDER_VARIABLE = "ORT_CORE_CACHE_DIR"
"""Environment variable: the folder for sessions that have no entry."""

DEFAULT_MAX_BYTES = 1 << 30
DEFAULT = "default"


class CacheSettings(NamedTuple):
    """A cache to use."""

    folder: str
    max_bytes: int


def cache_settings(config: Mapping[str, str]) -> CacheSettings | None:
    """What configuration and environment ask for; None where the cache is off.

    Raises:
        InvalidArgument: the size is no number of bytes.
    """
    folder = config.get(FOLDER_ENTRY, os.environ.get(FOLDER_VARIABLE, ""))
    if not folder:
        return None
    text = config.get(MAX_BYTES_ENTRY, str(DEFAULT_MAX_BYTES))
    if not (text.isascii() and text.isdecimal() and len(text) <= 19):
        raise InvalidArgument(
            f"session configuration {MAX_BYTES_ENTRY} takes a number of bytes, 0 or more, got {text!r}"
        )
    path = default_folder() if folder == DEFAULT else os.path.expanduser(folder)
    return CacheSettings(os.path.abspath(path), int(text))


def default_folder() -> str:
    """The folder for caches that the platform gives a user, and ours in it."""
    home = os.path.expanduser("~")
    if os.name == "nt":
        base = os.environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        given = os.environ.get("XDG_CACHE_HOME", "")
        base = given if os.path.isabs(given) else os.path.join(home, ".cache")
    return os.path.join(base, "ort_core", "models")
