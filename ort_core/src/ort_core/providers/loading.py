"""Loading one provider plugin: import, API handshake, probe; whatever goes wrong becomes a `Problem` of that plugin alone."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from ort_core.errors import EPFail, InvalidArgument
from ort_core.providers.entry_points import PROVIDERS, EntryPoint
from ort_core.providers.spec import API_VERSION, Availability, Plugin

IN_PROCESS = "(in process)"

_instances: dict[EntryPoint, Plugin] = {}


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """One row of `ort-core providers`.

    Attributes:
        entry_point: `module:attribute`, empty where there is none.
        priority: None while the plugin could not be loaded.
        status: `available`, `unavailable`, `failed`, `disabled` or `not installed`.
        reason, remedy: empty when available.
        traceback: of the plugin's own exception, if it raised one.
    """

    name: str
    distribution: str
    version: str
    entry_point: str
    priority: int | None
    auto: bool
    status: str
    reason: str = ""
    remedy: str = ""
    traceback: str = ""


class Problem(NamedTuple):
    """Why a plugin cannot be used, and what to do about it."""

    status: str
    reason: str
    remedy: str
    cause: BaseException | None = None

    @property
    def traceback(self) -> str:
        """The plugin's own exception as text."""
        if self.cause is None:
            return ""
        import traceback

        return "".join(traceback.format_exception(self.cause))


class Slot:
    """One provider name and what stands behind it; loaded and probed at most once."""

    def __init__(
        self, name: str, entry: EntryPoint, plugin: Plugin | None = None, problem: Problem | None = None
    ) -> None:
        self.name = name
        self.entry = entry
        self._loaded: Plugin | Problem | None = problem or plugin
        self._availability: Availability | Problem | None = None

    def load(self) -> Plugin | Problem:
        """The plugin, or why it cannot be loaded; the core's own exceptions and the plugin's all become a `Problem`."""
        if self._loaded is None:
            loaded = load_plugin(self.entry)
            self._loaded = loaded if isinstance(loaded, Problem) else _instances.setdefault(self.entry, loaded)
        return self._loaded

    def check(self) -> Problem | None:
        """Why the provider cannot be used in this process, or None if it can."""
        plugin = self.load()
        if isinstance(plugin, Problem):
            return plugin
        if self._availability is None:
            self._availability = _probe(plugin, self.entry)
        if isinstance(self._availability, Problem):
            return self._availability
        if self._availability.ok:
            return None
        return Problem("unavailable", self._availability.reason or "its probe says so", self._availability.remedy)

    def reset(self) -> None:
        """Forgets a failure and what the probe said; a loaded plugin stays."""
        self._availability = None
        if isinstance(self._loaded, Problem):
            self._loaded = None

    def report(self) -> ProviderReport:
        """The row for this name."""
        plugin, problem = self.load(), self.check()
        loaded = None if isinstance(plugin, Problem) else plugin
        return report_row(self.name, self.entry, loaded, problem)


def load_object(entry: EntryPoint) -> Any:
    """What an entry point refers to; a provider's must name an attribute. Whatever the import raises goes through.

    Raises:
        InvalidArgument: the entry point is malformed.
    """
    module_name, colon, attribute = (part.strip() for part in entry.value.partition(":"))
    if not module_name or bool(colon) != bool(attribute) or (entry.group == PROVIDERS and not attribute):
        raise InvalidArgument(
            f"entry point '{entry.name} = {entry.value}' of {entry} must have the form 'module:attribute'"
        )
    target: Any = importlib.import_module(module_name)
    for part in attribute.split(".") if attribute else ():
        target = getattr(target, part)
    return target


def failure(entry: EntryPoint, action: str, error: BaseException) -> Problem:
    """The problem of a plugin that raised while `action` was going on."""
    missing = error.name if isinstance(error, ModuleNotFoundError) and error.name else ""
    module = entry.value.partition(":")[0]
    reason = f"{action} raised {type(error).__name__}: {error}".rstrip(": ")
    if missing and missing.partition(".")[0] != module.partition(".")[0]:
        remedy = f"Install what it needs: pip install {missing.partition('.')[0]}"
    elif entry.distribution == IN_PROCESS:
        remedy = "Fix the plugin that the application registered."
    else:
        remedy = f"Reinstall or upgrade it: pip install --upgrade --force-reinstall {entry.distribution}"
    return Problem("failed", reason, remedy, error)


def error_of(name: str, entry: EntryPoint | None, problem: Problem) -> EPFail:
    """The exception for a provider that cannot be used."""
    origin = "" if entry is None else f" (from {entry})"
    error = EPFail(f"{name}{origin} cannot be used: {problem.reason}. {problem.remedy}".rstrip())
    error.__cause__ = problem.cause
    return error


def load_plugin(entry: EntryPoint) -> Plugin | Problem:
    """Imports a plugin and shakes hands; everything that goes wrong becomes a `Problem`."""
    try:
        target = load_object(entry)
        plugin = target() if isinstance(target, type) else target
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return failure(entry, f"loading '{entry.value}'", error)
    return check_plugin(plugin, entry) or plugin


def check_plugin(plugin: Any, entry: EntryPoint) -> Problem | None:
    """The handshake: API version first, then what the core relies on."""
    from ort_core.providers.options import check_options_class

    try:
        problem = _check_api(getattr(plugin, "api", None), entry)
        if problem is not None:
            return problem
        faults = list(_faults(plugin, entry.name))
        if not faults and (fault := check_options_class(plugin.options)):
            faults.append(f"options: {fault}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return failure(entry, "reading its attributes", error)
    if not faults:
        return None
    remedy = (
        f"Report this to the authors of {entry.distribution}, or upgrade it: pip install --upgrade {entry.distribution}"
    )
    return Problem("failed", f"the plugin object '{entry.value}' is wrong: {'; '.join(faults)}", remedy)


def _check_api(api: Any, entry: EntryPoint) -> Problem | None:
    have = f"{API_VERSION[0]}.{API_VERSION[1]}"
    try:
        major, minor = (int(part) for part in api)
    except (TypeError, ValueError):
        reason = f"it states no provider API version: expected api = (major, minor), got {api!r}; ort-core has {have}"
        return Problem("failed", reason, f"Upgrade it: pip install --upgrade {entry.distribution}")
    if (major, minor) <= API_VERSION and major == API_VERSION[0]:
        return None
    newer = (major, minor) > API_VERSION
    package = "ort-core" if newer else entry.distribution
    reason = f"it needs provider API {major}.{minor}, this ort-core has {have}"
    return Problem("failed", reason, f"Upgrade {package}: pip install --upgrade {package}")


def _faults(plugin: Any, name: str) -> Iterator[str]:
    if not isinstance(plugin, Plugin):
        yield f"expected an instance or subclass of ort_core.providers.spec.Plugin, got {type(plugin).__name__}"
        return
    if getattr(plugin, "name", None) != name:
        yield f"name is {getattr(plugin, 'name', None)!r}, the entry point's name is {name!r}"
    if not isinstance(plugin.priority, int):
        yield f"priority must be an int, got {plugin.priority!r}"
    if not isinstance(plugin.auto, bool):
        yield f"auto must be a bool, got {plugin.auto!r}"
    types = plugin.device_types
    if not isinstance(types, frozenset | set | tuple) or not all(isinstance(t, str) for t in types):
        yield f"device_types must be a frozenset of names, got {types!r}"
    elif "cpu" in types:
        yield "device_types must not contain 'cpu': host memory belongs to the core"


def _probe(plugin: Plugin, entry: EntryPoint) -> Availability | Problem:
    try:
        result: Any = plugin.probe()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return failure(entry, "probe()", error)
    if isinstance(result, Availability):
        return result
    remedy = f"Report this to the authors of {entry.distribution}."
    return Problem("failed", f"probe() must return an Availability, got {type(result).__name__}", remedy)


def report_row(name: str, entry: EntryPoint, plugin: Plugin | None, problem: Problem | None) -> ProviderReport:
    """The row of one entry."""
    origin = (name, entry.distribution, entry.version, entry.value)
    priority, auto = (None, False) if plugin is None else (plugin.priority, plugin.auto)
    if problem is None:
        return ProviderReport(*origin, priority, auto, "available")
    status, reason, remedy, _ = problem
    return ProviderReport(*origin, priority, auto, status, reason, remedy, problem.traceback)
