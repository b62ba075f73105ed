"""The provider's graph passes, one in each module of this package, under the module's name."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from ort_core.errors import Fail
from ort_core.ir.passes import Pass


@functools.cache
def find_passes() -> tuple[Pass, ...]:
    """All passes in the order in which they run."""
    found: list[Pass] = []
    for info in pkgutil.iter_modules(__path__):
        if info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{__name__}.{info.name}")
        declared = getattr(module, info.name, None)
        if declared is None or not hasattr(declared, "level"):
            raise Fail(f"{module.__name__} declares no graph pass named '{info.name}'. Decorate one with @graph_pass.")
        found.append(declared)
    return tuple(sorted(found, key=lambda p: (getattr(p, "order", 50), p.name)))
