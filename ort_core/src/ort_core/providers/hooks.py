"""Hooks: what the core asks of hook modules, and the observers of sessions and runs.

Hook modules come from the entry-point group `ort_core.hooks` and from `register_hooks`; pluggy is imported only if there is
one. A hook that raises is reported and disturbs no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ort_core.errors import OrtError
from ort_core.providers.entry_points import HOOKS, EntryPoint
from ort_core.providers.hook_manager import (
    RUN_GATE,
    HookProblem,
    HookState,
    current,
    latest,
    register_hooks,
    unregister_hooks,
)
from ort_core.providers.loading import Slot, check_plugin

if TYPE_CHECKING:
    from ort_core.ir.graph import Model
    from ort_core.ir.passes import Level, Pass
    from ort_core.providers.hookspecs import hookimpl

__all__ = [
    "RUN_GATE",
    "HookProblem",
    "RunEvent",
    "RunObserver",
    "custom_ops",
    "graph_passes",
    "hook_problems",
    "hookimpl",
    "load_model",
    "notify_run_finished",
    "notify_run_started",
    "provider_slots",
    "register_hooks",
    "run_observers",
    "session_closed",
    "session_created",
    "unregister_hooks",
]


@dataclass(slots=True, eq=False)
class RunEvent:
    """One call of `InferenceSession.run`, as observers see it.

    Attributes:
        session: the session; observers must not keep it.
        outputs: the names of the requested outputs.
        tag: `RunOptions.logid`.
        started_ns, finished_ns: `time.perf_counter_ns()`; 0 while it runs.
        error: what the run raised.
    """

    session: Any
    outputs: tuple[str, ...] = ()
    tag: str = ""
    started_ns: int = field(default_factory=time.perf_counter_ns)
    finished_ns: int = 0
    error: BaseException | None = None


class RunObserver(NamedTuple):
    """What one hook module wants to hear of runs."""

    plugin: str
    started: Callable[..., None] | None
    finished: Callable[..., None] | None


def hook_problems() -> list[HookProblem]:
    """The hook modules that could not be loaded and the hooks that raised, so far."""
    return list(current().problems)


def provider_slots() -> tuple[Slot, ...]:
    """The providers that hooks register; each hook is asked once."""
    state = current()
    slots: tuple[Slot, ...] | None = state.answers.get("providers")
    if slots is None:
        slots = state.answers["providers"] = tuple(_find_providers(state))
    return slots


def custom_ops() -> list[tuple[str, Any]]:
    """The custom operators that hooks register, each with the distribution it is from."""
    return [(e.distribution, found) for e, found in current().ask_items("ort_core_register_custom_ops")]


def graph_passes(level: Level) -> list[Pass]:
    """The extra graph passes of hooks."""
    return [found for _, found in current().ask_items("ort_core_graph_passes", level=level)]


def load_model(source: Any) -> Model | None:
    """The model that the first willing hook makes of `source` (a path or bytes); None if none does.

    Raises:
        OrtError: a hook recognised its format and found an error in it.
    """
    for _, model in current().ask("ort_core_load_model", raising=OrtError, source=source):
        if model is not None:
            found: Model = model
            return found
    return None


def session_created(session: Any) -> None:
    """Tells observers of a new session."""
    for _ in current().ask("ort_core_session_created", session=session):
        pass


def session_closed(session: Any) -> None:
    """Tells observers that a session was closed."""
    for _ in current().ask("ort_core_session_closed", session=session):
        pass


def run_observers() -> tuple[RunObserver, ...]:
    """Who wants to hear of runs: empty, and quick to ask, when nobody does."""
    state = latest()
    observers = None if state is None else state.answers.get("observers")
    if observers is None:
        state = current()
        observers = state.answers["observers"] = tuple(_find_observers(state))
    found: tuple[RunObserver, ...] = observers
    return found


def notify_run_started(observers: tuple[RunObserver, ...], event: RunEvent) -> None:
    """Calls the observers at the start of a run."""
    for observer in observers:
        if observer.started is not None:
            _notify(observer, "ort_core_run_started", observer.started, event)


def notify_run_finished(
    observers: tuple[RunObserver, ...], event: RunEvent, error: BaseException | None = None
) -> None:
    """Calls the observers at the end of a run, with what it raised."""
    event.finished_ns = time.perf_counter_ns()
    event.error = error
    for observer in observers:
        if observer.finished is not None:
            _notify(observer, "ort_core_run_finished", observer.finished, event)


def _find_providers(state: HookState) -> Iterator[Slot]:
    for entry, plugin in state.ask_items("ort_core_register_providers"):
        name = str(getattr(plugin, "name", type(plugin).__name__))
        own = EntryPoint(name, HOOKS, entry.value, entry.distribution, entry.version, entry.location)
        yield Slot(name, own, plugin, check_plugin(plugin, own))


def _find_observers(state: HookState) -> Iterator[RunObserver]:
    found: dict[str, dict[str, Callable[..., None]]] = {}
    for hook in ("ort_core_run_started", "ort_core_run_finished"):
        for name, function, argnames in state.implementations(hook):
            found.setdefault(name, {})[hook] = function if argnames else _without_event(function)
    for name, functions in found.items():
        yield RunObserver(name, functions.get("ort_core_run_started"), functions.get("ort_core_run_finished"))


def _without_event(function: Callable[..., None]) -> Callable[..., None]:
    return lambda event: function()


def _notify(observer: RunObserver, hook: str, function: Callable[..., None], event: RunEvent) -> None:
    try:
        function(event)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        state = current()
        state.report_failure(observer.plugin, hook, error)
        state.answers["observers"] = tuple(o for o in run_observers() if o.plugin != observer.plugin)


def __getattr__(name: str) -> Any:
    if name == "hookimpl":
        from ort_core.providers.hookspecs import hookimpl

        return hookimpl
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
