"""Preparing a model with the cache: from an entry where there is one, else as usual, and then the result becomes an entry."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from ort_core.cache.settings import cache_settings
from ort_core.ir.graph import Model
from ort_core.prepare import PreparedModel, prepare
from ort_core.progress import UNWATCHED, Progress

if TYPE_CHECKING:
    from ort_core.options import SessionOptions


def prepare_cached(
    source: Any,
    options: SessionOptions,
    *,
    disabled_passes: Collection[str] = (),
    progress: Progress = UNWATCHED,
    expose: Callable[[Model], None] | None = None,
) -> PreparedModel:
    """What `prepare` gives, from the cache where the options switch it on.

    Not cached are models that are given as messages or read by a plugin, that get other outputs (`expose`) or are saved
    (`optimized_model_filepath`), that may call custom operators, that passes work on which were registered in this process,
    and files that were written just before.
    """
    entry = None
    settings = cache_settings(options.config)
    may_be_cached = isinstance(source, str | os.PathLike | bytes) and not (
        options.optimized_model_filepath or options.custom_ops
    )
    if settings is not None and may_be_cached and expose is None:
        from ort_core.cache.entry import find_entry
        from ort_core.providers import hooks

        loaded = hooks.load_model(source)
        if loaded is not None:
            source = loaded
        else:
            entry = find_entry(settings, source, options, disabled_passes, progress)
    found = None if entry is None else entry.load()
    if found is not None:
        return found
    prepared = prepare(source, options, disabled_passes=disabled_passes, progress=progress, expose=expose)
    if entry is not None:
        entry.store(prepared)
    return prepared
