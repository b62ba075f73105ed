"""What a prepared model depends on, and the name of its entry."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from ort_core.cache.digests import digest_of, digest_of_array
from ort_core.cache.folder import FORMAT
from ort_core.cache.versions import PREPARING, machine, version_of
from ort_core.ir.passes import Level
from ort_core.ir.tensors import ArrayWeight
from ort_core.load.source import BufferSource
from ort_core.providers.hook_manager import current
from ort_core.providers.loading import IN_PROCESS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ort_core.options import SessionOptions
    from ort_core.ort_value import OrtValue

_WITHOUT_EFFECT = frozenset({"load_timeout_s"})
"""Limits that end the creation of a session but do not change its result."""


def circumstances(options: SessionOptions, disabled_passes: Collection[str]) -> list[Any] | None:
    """All that the result depends on beside the model: the options that reach it, the passes, the code; None if it depends on
    passes that have no version, because they were registered in this process.
    """
    passes = _plugin_passes(Level(options.graph_optimization_level))
    if passes is None:
        return None
    limits = {f.name: getattr(options.limits, f.name) for f in dataclasses.fields(options.limits)}
    return [
        FORMAT,
        machine(),
        [[package, version_of(package)] for package in PREPARING],
        passes,
        sorted(disabled_passes),
        int(options.graph_optimization_level),
        sorted(options.free_dimensions_by_name.items()),
        sorted(options.free_dimensions_by_denotation.items()),
        [[name, _sortable(value)] for name, value in limits.items() if name not in _WITHOUT_EFFECT],
        _arrays(options.initializers),
        _arrays(options.external_initializers),
        [[name, digest_of(BufferSource(view.toreadonly()))] for name, view in sorted(options.external_files.items())],
    ]


def entry_key(facts: Sequence[Any]) -> str:
    """The name of what depends on these facts and nothing else."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _plugin_passes(level: Level) -> list[list[str]] | None:
    """Distribution, version, state of the code and name of every pass that plugins add."""
    found = []
    for entry, item in current().ask_items("ort_core_graph_passes", level=level):
        if entry.distribution == IN_PROCESS:
            return None
        package = entry.value.partition(":")[0].partition(".")[0]
        found.append([entry.distribution, entry.version, version_of(package), item.name])
    return found


def _arrays(values: Mapping[str, OrtValue]) -> list[list[Any]]:
    return [[name, *digest_of_array(ArrayWeight(value.numpy()))] for name, value in sorted(values.items())]


def _sortable(value: Any) -> Any:
    return sorted(value) if isinstance(value, Collection) else value
