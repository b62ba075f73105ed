"""Provider choice: from the `providers` and `provider_options` of a session to plugins with typed options, in priority order.

The listed order is the priority. What cannot be used is a warning with its reason and remedy, or an exception, as the
caller asks; the CPU provider is appended, and the reference provider stands in when nothing else is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from ort_core.errors import EPFail, Fail, InvalidArgument
from ort_core.log import logger_of
from ort_core.providers import discovery, names
from ort_core.providers.arguments import normalize_arguments, warn_caller
from ort_core.providers.loading import Problem, Slot, error_of, failure
from ort_core.providers.options import parse_options
from ort_core.providers.registry import available_slots, get_available_providers, slot_of, unknown_name
from ort_core.providers.spec import Plugin, Provider, SessionEnv

OnError: TypeAlias = Literal["warn", "raise"]

NO_CPU = "session.disable_cpu_ep_fallback"
NO_REFERENCE = "session.disable_reference_fallback"

logger = logger_of("ort_core")


class ResolvedProvider(NamedTuple):
    """One chosen provider with its options (an instance of `plugin.options`)."""

    name: str
    plugin: Plugin
    options: Any


@dataclass(slots=True)
class Selection:
    """What a session works with.

    Attributes:
        providers: in priority order; those whose `create` fails are removed by `create_providers`.
        status: for `session.provider_status`: `ok`, or the reason and the remedy, for each provider that was listed, is
            used, or would have been used if it worked.
        requested: the names that the caller listed.
        reference_listed: whether the caller listed the reference provider.
        reference_fallback: whether nodes that nobody claims may run on the reference provider.
        on_error: what becomes of a listed provider that cannot be used.
    """

    providers: list[ResolvedProvider]
    status: dict[str, str] = field(default_factory=dict)
    requested: tuple[str, ...] = ()
    reference_listed: bool = False
    reference_fallback: bool = True
    on_error: OnError = "warn"


def resolve_providers(
    providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None,
    provider_options: Sequence[Mapping[str, Any]] | None,
    config: Mapping[str, str],
    *,
    on_provider_error: OnError = "warn",
) -> Selection:
    """The providers that a session uses.

    Args:
        providers: names, or pairs of a name and its options; None or empty for the installed ones that are marked `auto`.
        provider_options: the options of each provider in `providers`, if that holds names only.
        config: the session configuration entries.
        on_provider_error: `warn` goes on without a listed provider that cannot be used, `raise` raises.

    Raises:
        InvalidArgument: the arguments are malformed, an option is wrong, a name is unknown, or the CPU provider is listed
            although `session.disable_cpu_ep_fallback` is 1.
        EPFail: a listed provider cannot be used and `on_provider_error` is `raise`.
        Fail: nothing is left to run on.
    """
    if on_provider_error not in ("warn", "raise"):
        raise InvalidArgument(f"on_provider_error: got {on_provider_error!r}, expected 'warn' or 'raise'.")
    requested = normalize_arguments(providers, provider_options)
    no_cpu = config.get(NO_CPU) == "1"
    if no_cpu and names.CPU in requested:
        raise InvalidArgument(
            f"{names.CPU} is listed, but {NO_CPU}=1 forbids it. Remove it from the list or unset the entry."
        )
    selection = Selection(
        providers=[],
        requested=tuple(requested),
        reference_listed=names.REFERENCE in requested,
        reference_fallback=not no_cpu and config.get(NO_REFERENCE) != "1",
        on_error=on_provider_error,
    )
    for name in requested:
        if name not in discovery.catalog().slots and not names.is_known(name):
            raise unknown_name(name)
    for name, options in requested.items():
        _add_listed(selection, name, options)
    if not requested:
        _add_automatic(selection, no_cpu)
    if not no_cpu and names.CPU not in requested:
        _append_cpu(selection)
    if not selection.providers:
        _stand_in(selection)
    return selection


def create_providers(selection: Selection, env: SessionEnv) -> list[Provider]:
    """The chosen providers, created; one that fails is dropped from the selection, as its rule says.

    Raises:
        InvalidArgument: a provider refuses its options.
        EPFail: a listed provider failed and `on_provider_error` is `raise`, or the last one left failed.
        Fail: nothing is left to run on.
    """
    created: list[Provider] = []
    try:
        for resolved in list(selection.providers):
            provider = _try_create(selection, resolved, env)
            if provider is not None:
                created.append(provider)
        if not created:
            _stand_in(selection)
            created += [_create(resolved, env) for resolved in selection.providers]
    except BaseException:
        for provider in reversed(created):
            close_quietly(provider)
        raise
    return created


def close_quietly(provider: Provider) -> None:
    """Closes a provider; what it raises is logged."""
    try:
        provider.close()
    except Exception:
        logger.warning("%s failed to close", provider.name, exc_info=True)


def _add_listed(selection: Selection, name: str, options: Mapping[str, Any]) -> None:
    slot = discovery.catalog().slots.get(name)
    problem = _missing(name) if slot is None else slot.check()
    loaded = None if slot is None else slot.load()
    if problem is not None or slot is None or not isinstance(loaded, Plugin):
        _refuse(selection, name, slot, problem or _missing(name))
        return
    _add(selection, name, loaded, options)


def _add(selection: Selection, name: str, plugin: Plugin, options: Mapping[str, Any]) -> None:
    selection.providers.append(ResolvedProvider(name, plugin, parse_options(plugin.options, options, name)))
    selection.status[name] = "ok"


def _missing(name: str) -> Problem:
    row = discovery.missing_report(name)
    return Problem(row.status, row.reason, row.remedy)


def _refuse(selection: Selection, name: str, slot: Slot | None, problem: Problem) -> None:
    selection.status[name] = _sentence(problem)
    if selection.on_error == "raise":
        raise error_of(name, slot.entry if slot else None, problem)
    others = ", ".join(get_available_providers())
    warn_caller(f"Specified provider {name!r} is not available: {_sentence(problem)} Available providers: {others}.")


def _add_automatic(selection: Selection, no_cpu: bool) -> None:
    for slot, plugin in available_slots():
        if plugin.auto and not (no_cpu and slot.name == names.CPU):
            _add(selection, slot.name, plugin, {})
    for name, slot in discovery.catalog().slots.items():
        loaded = slot.load()
        problem = slot.check()
        if problem is not None and problem.status != "disabled" and (isinstance(loaded, Problem) or loaded.auto):
            selection.status[name] = _sentence(problem)
            _log_once(f"{name} ({slot.entry}) is installed but not used: {_sentence(problem)}")


def _append_cpu(selection: Selection) -> None:
    slot = discovery.catalog().slots.get(names.CPU)
    if slot is None or names.CPU in selection.status:
        return
    problem, loaded = slot.check(), slot.load()
    if problem is None and isinstance(loaded, Plugin):
        _add(selection, names.CPU, loaded, {})
    else:
        selection.status[names.CPU] = _sentence(problem or _missing(names.CPU))
        _log_once(f"{names.CPU} ({slot.entry}) is installed but not used: {selection.status[names.CPU]}")


def _stand_in(selection: Selection) -> None:
    """Makes the reference provider the only one."""
    if not selection.reference_fallback or selection.status.get(names.REFERENCE, "ok") != "ok":
        found = "; ".join(f"{n}: {text}" for n, text in selection.status.items()) or "none is installed"
        raise Fail(
            f"no execution provider is left to run on ({found}). Install one (pip install {names.KNOWN[names.CPU]}), or unset "
            f"{NO_CPU} and {NO_REFERENCE} to fall back."
        )
    slot = slot_of(names.REFERENCE)
    problem, loaded = slot.check(), slot.load()
    if problem is not None or not isinstance(loaded, Plugin):
        raise error_of(names.REFERENCE, slot.entry, problem or _missing(names.REFERENCE))
    _add(selection, names.REFERENCE, loaded, {})
    _log_once(
        f"No other execution provider can be used: the session runs on {names.REFERENCE}, which is slow. "
        f"{names.install_hint(names.CPU)}"
    )


def _create(resolved: ResolvedProvider, env: SessionEnv) -> Provider:
    provider: Any = resolved.plugin.create(resolved.options, env)
    if not isinstance(provider, Provider):
        raise EPFail(f"create() returned {type(provider).__name__}, expected a Provider")
    if getattr(provider, "name", None) != resolved.name:
        provider.name = resolved.name
    return provider


def _try_create(selection: Selection, resolved: ResolvedProvider, env: SessionEnv) -> Provider | None:
    try:
        return _create(resolved, env)
    except (KeyboardInterrupt, InvalidArgument):
        raise
    except BaseException as error:
        slot = slot_of(resolved.name)
        problem = failure(slot.entry, "create()", error)
    selection.providers.remove(resolved)
    if resolved.name in selection.requested:
        _refuse(selection, resolved.name, slot, problem)
    else:
        selection.status[resolved.name] = _sentence(problem)
        logger.warning("%s (%s) is not used: %s", resolved.name, slot.entry, _sentence(problem), exc_info=problem.cause)
    return None


def _sentence(problem: Problem) -> str:
    return f"{problem.reason.rstrip('.')}. {problem.remedy}".rstrip()


_logged: set[str] = set()


def _log_once(text: str) -> None:
    if text not in _logged:
        _logged.add(text)
        logger.warning("%s", text)
