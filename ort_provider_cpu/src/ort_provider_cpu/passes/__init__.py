"""The provider's graph passes: fusions and layouts, one per module, in the order of this list."""

from __future__ import annotations

from ort_core.ir.passes import Pass

PASSES: tuple[Pass, ...] = ()
