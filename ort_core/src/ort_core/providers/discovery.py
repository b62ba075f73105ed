"""Discovery of provider plugins: what is installed, what the rules and the environment allow, and the report of it all.

Plugins come from entry points, from hooks and from `registry.register_plugin`. Nothing here imports a provider except
`provider_report`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from typing import Any, NamedTuple

from ort_core.providers import names
from ort_core.providers.entry_points import HOOKS, PROVIDERS, EntryPoint, entry_points, scan
from ort_core.providers.entry_points import refresh as _rescan
from ort_core.providers.loading import Problem, ProviderReport, Slot, report_row

__all__ = [
    "Catalog",
    "EntryPoint",
    "ProviderReport",
    "catalog",
    "default_order",
    "disabled_reason",
    "entries",
    "entry_points",
    "missing_report",
    "provider_report",
    "refresh",
]


class Catalog(NamedTuple):
    """Everything that is installed.

    Attributes:
        slots: by provider name; a name whose entry cannot be used has a slot with the problem.
        rejected: rows for entries that lost their name: reserved ones, and the second of two with one name.
    """

    slots: dict[str, Slot]
    rejected: tuple[ProviderReport, ...]


_slots: dict[EntryPoint, Slot] = {}
_registered: dict[str, Slot] = {}
_HOOKS_MODULE = "ort_core.providers.hooks"
_REFERENCE_ENTRY = EntryPoint(names.REFERENCE, PROVIDERS, "ort_core.providers.reference:plugin", "ort-core", "", "")
_catalog: tuple[tuple[Any, ...], Catalog] | None = None


def refresh() -> None:
    """Scans again and gives plugins that failed or were unavailable another chance; loaded plugins stay.

    Needed only after an environment variable or a library that a probe looks at has changed: newly installed packages are
    noticed without it.
    """
    global _catalog  # noqa: PLW0603
    _rescan()
    importlib.invalidate_caches()
    for slot in [*_slots.values(), *_registered.values()]:
        slot.reset()
    _catalog = None


def add_registered(slot: Slot) -> None:
    """Adds a provider that has no package."""
    _registered[slot.name] = slot


def remove_registered(name: str) -> bool:
    """Removes a provider that `add_registered` added; False if there is none."""
    return _registered.pop(name, None) is not None


def catalog() -> Catalog:
    """What is installed, after the rules for names and the environment variables. Imports no provider."""
    global _catalog  # noqa: PLW0603
    groups = scan()
    hooked = _hooked_plugins() if groups[HOOKS] or _HOOKS_MODULE in sys.modules else ()
    key = (
        groups,
        hooked,
        tuple(_registered.values()),
        os.environ.get("ORT_CORE_DISABLE_PLUGINS"),
        os.environ.get("ORT_CORE_PLUGINS"),
    )
    current = _catalog
    if current is None or current[0][0] is not groups or current[0][1:] != key[1:]:
        current = _catalog = (key, _build(hooked))
    return current[1]


def entries(group: str) -> list[EntryPoint]:
    """The entry points of a group that the environment variables allow."""
    return [entry for entry in entry_points(group) if disabled_reason(entry) is None]


def disabled_reason(entry: EntryPoint) -> str | None:
    """Why `ORT_CORE_DISABLE_PLUGINS` or `ORT_CORE_PLUGINS` excludes an entry, or None; first-party ones never are."""
    distribution = names.normalize_distribution(entry.distribution)
    if distribution in names.FIRST_PARTY:
        return None
    switch = os.environ.get("ORT_CORE_DISABLE_PLUGINS", "").strip()
    if switch.lower() not in ("", "0", "false", "no", "off"):
        return f"third-party plugins are switched off by ORT_CORE_DISABLE_PLUGINS={switch}"
    allowed = [item.strip() for item in os.environ.get("ORT_CORE_PLUGINS", "").split(",") if item.strip()]
    if allowed and entry.name not in allowed and distribution not in map(names.normalize_distribution, allowed):
        return f"neither its name nor its distribution is in ORT_CORE_PLUGINS={','.join(allowed)}"
    return None


def provider_report() -> list[ProviderReport]:
    """Every provider that is installed or has a first-party package, in priority order; imports the plugin modules."""
    found = catalog()
    rows = [slot.report() for slot in found.slots.values()]
    rows += [missing_report(name) for name in names.KNOWN if name not in found.slots]
    order = {name: i for i, name in enumerate(default_order(row.name for row in rows))}
    rows.sort(key=lambda row: (row.priority is None, -(row.priority or 0), order[row.name]))
    return rows + list(found.rejected)


def missing_report(name: str) -> ProviderReport:
    """The row of a known provider that no installed distribution provides."""
    pretender = next((r for r in catalog().rejected if r.name == name), None)
    reason = "no installed distribution provides it"
    if pretender is not None:
        reason += f" ({pretender.distribution} claims the name, which is reserved)"
    package = names.KNOWN.get(name, "").partition("[")[0]
    return ProviderReport(name, package, "", "", None, False, "not installed", reason, names.install_hint(name))


def default_order(found: Iterable[str]) -> list[str]:
    """Provider names without knowledge of priorities: accelerators first, then the CPU, then the reference provider."""
    rank = {names.CUDA: 0, names.CPU: 2, names.REFERENCE: 3}
    return sorted(found, key=lambda name: (rank.get(name, 1), name))


def _hooked_plugins() -> tuple[Slot, ...]:
    from ort_core.providers import hooks

    return hooks.provider_slots()


def _build(hooked: tuple[Slot, ...]) -> Catalog:
    claims: dict[str, list[Slot]] = {}
    disabled: dict[str, Slot] = {}
    rejected: list[ProviderReport] = []
    for entry in entry_points(PROVIDERS):
        if reason := disabled_reason(entry):
            remedy = "Unset ORT_CORE_DISABLE_PLUGINS, and add it to ORT_CORE_PLUGINS if that is set."
            disabled[entry.name] = Slot(entry.name, entry, problem=Problem("disabled", reason, remedy))
        else:
            claims.setdefault(entry.name, []).append(_slots.setdefault(entry, Slot(entry.name, entry)))
    for slot in (*hooked, *_registered.values()):
        claims.setdefault(slot.name, []).append(slot)
    for name, owner in names.RESERVED.items():
        group = claims.pop(name, [])
        claims[name] = [s for s in group if names.normalize_distribution(s.entry.distribution) == owner]
        rejected += [report_row(name, s.entry, None, _usurped(s, owner)) for s in group if s not in claims[name]]
    slots = {n: s for n, s in disabled.items() if n not in names.RESERVED}
    for name, group in claims.items():
        if len(group) == 1:
            slots[name] = group[0]
        elif group:
            problem = _conflict(name, group)
            slots[name] = Slot(name, group[0].entry, problem=problem)
            rejected += [report_row(name, s.entry, None, problem) for s in group[1:]]
    slots.setdefault(names.REFERENCE, _slots.setdefault(_REFERENCE_ENTRY, Slot(names.REFERENCE, _REFERENCE_ENTRY)))
    return Catalog(slots, tuple(rejected))


def _usurped(slot: Slot, owner: str) -> Problem:
    reason = f"the name {slot.name} is reserved to the distribution {owner}"
    who = slot.entry.distribution
    return Problem("failed", reason, f"Rename the provider of {who}, or uninstall it: pip uninstall {who}")


def _conflict(name: str, group: list[Slot]) -> Problem:
    origins = sorted({s.entry.distribution for s in group})
    reason = f"{len(group)} distributions provide {name}: {', '.join(origins)}; none is used"
    remedy = f"Uninstall one (pip uninstall {origins[-1]}), or choose one with ORT_CORE_PLUGINS={origins[0]}"
    return Problem("failed", reason, remedy)
