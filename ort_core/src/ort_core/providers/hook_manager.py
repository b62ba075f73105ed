"""The hook modules of all plugins behind one pluggy manager: loading them, asking them, and keeping failures apart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ort_core.errors import InvalidArgument
from ort_core.log import logger_of
from ort_core.providers.entry_points import HOOKS, EntryPoint, entry_points
from ort_core.providers.loading import IN_PROCESS, Problem, failure, load_object
from ort_core.providers.names import did_you_mean

if TYPE_CHECKING:
    import pluggy

PROJECT = "ort_core"

_FAILED = object()

logger = logger_of("ort_core.hooks")


class HookProblem(NamedTuple):
    """A hook module or a hook that failed: where it is from, what failed, and the exception as text."""

    distribution: str
    hook: str
    reason: str
    traceback: str = ""


class HookState:
    """The hook modules of one moment; replaced as a whole when modules come or go.

    Attributes:
        manager: None while there is no hook module.
        problems: what failed so far.
        answers: results that are asked for once.
    """

    def __init__(self, entries: tuple[EntryPoint, ...]) -> None:
        self.entries = entries
        self.manager: pluggy.PluginManager | None = None
        self.problems: list[HookProblem] = []
        self.answers: dict[str, Any] = {}

    def ask(
        self, hook: str, *, raising: type[BaseException] | tuple[()] = (), **arguments: Any
    ) -> Iterator[tuple[EntryPoint, Any]]:
        """The answer of each implementation, the last registered first; exceptions other than `raising` are reported."""
        for name, function, argnames in self.implementations(hook):
            values = [arguments[a] for a in argnames]
            result = self._attempt(name, hook, raising, function, *values)
            if result is not _FAILED:
                yield self.origin(name), result

    def ask_items(self, hook: str, **arguments: Any) -> Iterator[tuple[EntryPoint, Any]]:
        """The items of the iterables that the implementations return."""
        for name, function, argnames in self.implementations(hook):
            values = [arguments[a] for a in argnames]
            items = self._attempt(name, hook, (), lambda f, v: list(f(*v) or ()), function, values)
            if items is not _FAILED:
                yield from ((self.origin(name), item) for item in items)

    def _attempt(
        self, name: str, hook: str, raising: type[BaseException] | tuple[()], call: Callable[..., Any], *values: Any
    ) -> Any:
        try:
            return call(*values)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if raising and isinstance(error, raising):
                raise
            self.report_failure(name, hook, error)
            return _FAILED

    def implementations(self, hook: str) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
        """Plugin name, function and argument names of each implementation."""
        if self.manager is not None:
            for found in reversed(getattr(self.manager.hook, hook).get_hookimpls()):
                yield found.plugin_name, found.function, found.argnames

    def origin(self, plugin_name: str) -> EntryPoint:
        """The entry point behind a registered module."""
        for entry in self.entries:
            if _label(entry) == plugin_name:
                return entry
        return EntryPoint(plugin_name, HOOKS, plugin_name, IN_PROCESS, "", "")

    def report_failure(self, plugin_name: str, hook: str, error: BaseException) -> None:
        """Logs and remembers an exception that a hook raised."""
        entry = self.origin(plugin_name)
        self.report(entry, hook, failure(entry, f"the hook {hook}", error))

    def report(self, entry: EntryPoint, hook: str, problem: Problem) -> None:
        """Logs and remembers a problem."""
        self.problems.append(HookProblem(entry.distribution, hook, problem.reason, problem.traceback))
        who = entry.name if entry.distribution == IN_PROCESS else str(entry)
        logger.warning("hooks of %s: %s. %s", who, problem.reason, problem.remedy, exc_info=problem.cause)


_in_process: dict[str, object] = {}
RUN_GATE: list[str] = []
"""The names of the hooks in this process; while there are any, no session lets its executable answer `run` unobserved."""
_state: HookState | None = None
_building = threading.local()


def current() -> HookState:
    """The state for what is installed and registered now; cheap when nothing has changed."""
    global _state  # noqa: PLW0603
    from ort_core.providers.discovery import entries

    allowed = tuple(entries(HOOKS)) if entry_points(HOOKS) else ()
    state = _state
    if state is not None and state.entries == allowed:
        return state
    if getattr(_building, "active", False):
        return HookState(())
    _building.active = True
    try:
        state = HookState(allowed)
        if allowed or _in_process:
            state.manager = _new_manager()
            for entry in allowed:
                problem = _load(state.manager, entry)
                if problem is not None:
                    state.report(entry, entry.value, problem)
            for name, module in _in_process.items():
                _register(state.manager, module, name)
        _state = state
    finally:
        _building.active = False
    return state


def latest() -> HookState | None:
    """The state that `current` found last, without looking for changes."""
    return _state


def register_hooks(module: object, name: str = "") -> str:
    """Adds a hook module (or any object with marked methods) for the rest of the process and returns its name.

    Raises:
        InvalidArgument: the name is taken, or the module implements a hook that does not exist.
    """
    global _state  # noqa: PLW0603
    name = name or f"{getattr(module, '__name__', type(module).__name__)}-{id(module):x}"
    if name in _in_process:
        raise InvalidArgument(f"hooks called {name!r} are registered already. Unregister them first.")
    if fault := _register(_new_manager(), module, name):
        raise InvalidArgument(f"cannot register the hooks {name!r}: {fault}")
    _in_process[name] = module
    RUN_GATE.append(name)
    _state = None
    return name


def unregister_hooks(name: str) -> None:
    """Removes hooks that `register_hooks` added.

    Raises:
        InvalidArgument: there are none of this name.
    """
    global _state  # noqa: PLW0603
    if _in_process.pop(name, None) is None:
        raise InvalidArgument(f"no hooks called {name!r} are registered in this process.")
    RUN_GATE.remove(name)
    _state = None


def _new_manager() -> pluggy.PluginManager:
    import pluggy

    from ort_core.providers.hookspecs import HookSpecs

    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(HookSpecs)
    return manager


def _load(manager: pluggy.PluginManager, entry: EntryPoint) -> Problem | None:
    try:
        fault = _register(manager, load_object(entry), _label(entry))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return failure(entry, f"loading '{entry.value}'", error)
    remedy = f"Upgrade it: pip install --upgrade {entry.distribution}"
    return Problem("failed", fault, remedy) if fault else None


def _register(manager: pluggy.PluginManager, module: object, name: str) -> str:
    """Registers a module; returns what is wrong with it instead if anything is."""
    from pluggy import PluginValidationError

    try:
        manager.register(module, name)
    except PluginValidationError as error:
        return " ".join(str(error).split())
    callers = manager.get_hookcallers(module) or []
    known = [n for n in vars(manager.hook) if n.startswith("ort_core_") and getattr(manager.hook, n).has_spec()]
    fault = "" if callers else "it implements no hook; mark its functions with `ort_core.providers.hooks.hookimpl`"
    for caller in callers:
        implementation = next(i for i in caller.get_hookimpls() if i.plugin is module)
        if not caller.has_spec():
            fault = f"there is no hook called {caller.name!r}.{did_you_mean(caller.name, known)}"
        elif implementation.hookwrapper or implementation.wrapper:
            fault = f"{caller.name} is a wrapper, which this project's hooks do not support"
    if fault:
        manager.unregister(module)
    return fault


def _label(entry: EntryPoint) -> str:
    return f"{entry.distribution}:{entry.name}"
