"""A built model with the providers that run it, from its creation until nothing uses it any more."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from ort_core.build import build, session_env
from ort_core.errors import Fail, InvalidArgument
from ort_core.feeds import FeedChecker
from ort_core.options import RunOptions, SessionOptions
from ort_core.providers import registry
from ort_core.providers.names import REFERENCE
from ort_core.providers.selection import Selection, close_quietly, create_providers, resolve_providers
from ort_core.run.requests import ResultRequest, RunSettings

if TYPE_CHECKING:
    import logging

    from ort_core.build import BuiltModel
    from ort_core.ir.graph import Model
    from ort_core.providers.spec import Provider, SessionEnv
    from ort_core.run.deferred import DeferredRunnable
    from ort_core.run.profiler import Profiler
    from ort_core.values import RuntimeValue

Requests: TypeAlias = tuple[ResultRequest, ...]


class Creation(NamedTuple):
    """How a session creates its model, each time it does.

    Attributes:
        disabled_passes: names of graph passes not to run.
        on_provider_error: `warn` goes on without a provider that fails, `raise` raises.
    """

    disabled_passes: frozenset[str]
    on_provider_error: Literal["warn", "raise"]
    logger: logging.Logger


class LiveModel:
    """Runs a model. Closing waits for nobody: the last run in progress closes the providers when it ends. A model that is
    dropped without being closed is closed then.

    Attributes:
        providers: in use, in priority order.
        selection: how they were chosen.
        whole: the executable that is the whole model and has an entry of its own, or None.
    """

    def __init__(
        self,
        built: BuiltModel,
        selection: Selection,
        providers: Sequence[Provider],
        opened: Sequence[Provider],
        feeds: FeedChecker,
    ) -> None:
        self.built = built
        self.selection = selection
        self.providers = tuple(providers)
        self.feeds = feeds
        self.requests = {o.name: ResultRequest(i) for i, o in enumerate(built.interface.outputs)}
        self._runnable = built.runnable
        self.whole = built.runnable.whole
        self._running: list[None] = []
        self._closing = False
        self._release = weakref.finalize(self, _release, built.runnable, tuple(opened), self._running)

    def requests_for(self, names: Sequence[str]) -> Requests | None:
        """The requests for outputs by name; None, which stands for all, if there are no names.

        Raises:
            TypeError: not a list of names.
            InvalidArgument: the model has no such output.
        """
        if isinstance(names, str | bytes | Mapping):
            raise TypeError(f"output_names takes a list of names, got {type(names).__name__} {names!r}")
        try:
            items = iter(names)
        except TypeError:
            raise TypeError(f"output_names takes a list of names, got {type(names).__name__} {names!r}") from None
        return tuple([self.request(name) for name in items]) or None

    def request(self, name: str) -> ResultRequest:
        """The request for one output.

        Raises:
            TypeError: not a name.
            InvalidArgument: the model has no such output.
        """
        if name.__class__ is not str:
            if isinstance(name, bytes):
                name = os.fsdecode(name)
            elif not isinstance(name, str):
                raise TypeError(f"the name of an output is a str, got {type(name).__name__} {name!r}")
        try:
            return self.requests[name]
        except KeyError:
            raise InvalidArgument(
                f"Invalid output name: {name}. The model's outputs are: {', '.join(self.requests)}."
            ) from None

    def names(self, requests: Requests) -> list[str]:
        """The names of the outputs that are requested."""
        known = list(self.requests)
        return [known[r.position] for r in requests]

    def run(self, inputs: list[RuntimeValue], requests: Requests | None, settings: RunSettings) -> list[RuntimeValue]:
        """Runs the plan.

        Raises:
            Fail: the model is closed, or the run was terminated.
        """
        results: list[RuntimeValue] = self._call(self._runnable.run, inputs, requests, settings)
        return results

    def run_fast(self, feeds: Mapping[str, Any], names: Sequence[str] | None) -> Any:
        """Runs the executable's own entry, which checks the feeds itself; NotImplemented if it leaves them to the plan.

        Raises:
            Fail: the model is closed.
        """
        if self.whole is None or self.whole.fast_run is None:
            return NotImplemented
        return self._call(self.whole.fast_run, feeds, names)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        running = self._running
        running.append(None)
        try:
            if self._closing:
                raise Fail("the session is closed. Create a new InferenceSession.")
            return function(*arguments)
        finally:
            running.pop()
            if self._closing and not running:
                self._release()

    def close(self) -> None:
        """Closes the providers, as soon as no run is in progress; may be called again."""
        self._closing = True
        if not self._running:
            self._release()


def open_model(
    source: Any,
    options: SessionOptions,
    providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None,
    provider_options: Sequence[Mapping[str, Any]] | None,
    creation: Creation,
    *,
    expose: Callable[[Model], None] | None = None,
) -> LiveModel:
    """Chooses providers, creates them and builds the model for them.

    Args:
        expose: may add outputs to the model as it was loaded.
    """
    config = options.config
    selection = resolve_providers(providers, provider_options, config, on_provider_error=creation.on_provider_error)
    env = session_env(options, creation.logger, config)
    created = create_providers(selection, env)
    opened = list(created)

    def on_failure(provider: Provider, error: Exception) -> None:
        if creation.on_provider_error == "raise":
            raise error
        selection.status[provider.name] = str(error)
        created.remove(provider)
        creation.logger.warning("%s; the session goes on without it", error)

    try:
        fallback = None
        if selection.reference_fallback and all(p.name != REFERENCE for p in created):
            fallback = _reference(env)
            opened.append(fallback)
        built = build(
            source,
            options,
            created,
            fallback,
            env,
            disabled_passes=creation.disabled_passes,
            on_failure=on_failure,
            expose=expose,
        )
        feeds = _feed_checker(built, strict=config.get("session.strict_shapes") == "1", logger=creation.logger)
    except BaseException:
        for provider in reversed(opened):
            close_quietly(provider)
        raise
    if fallback is not None and not created:
        created.append(fallback)
        selection.status[fallback.name] = "ok"
    return LiveModel(built, selection, created, opened, feeds)


def warn_of_fallback(model: LiveModel, logger: logging.Logger) -> None:
    """Warns once of the nodes that run on the reference provider though nobody listed it."""
    active = {p.name for p in model.providers}
    claims = model.built.assignment.claims
    nodes = [n for n, (owner, _) in claims.items() if owner.name == REFERENCE and REFERENCE not in active]
    if nodes:
        kinds = sorted({n.label for n in nodes})
        logger.warning(
            "%d nodes run on %s, which is slow, because no listed provider takes them: %s%s. session.explain() says why.",
            len(nodes),
            REFERENCE,
            ", ".join(kinds[:8]),
            ", ..." if len(kinds) > 8 else "",
        )


def _reference(env: SessionEnv) -> Provider:
    plugin = registry.plugin(REFERENCE)
    return plugin.create(plugin.options(), env)


def _feed_checker(built: BuiltModel, *, strict: bool, logger: logging.Logger) -> FeedChecker:
    return FeedChecker(
        [(i.name, i.type) for i in built.interface.inputs],
        [(i.name, i.type) for i in built.interface.overridable],
        built.defaults,
        [v.name for v in built.compiled.graph.inputs],
        strict=strict,
        logger=logger,
    )


def run_settings(run_options: RunOptions | None, profiler: Profiler | None, binding_id: int | None) -> RunSettings:
    """What `RunOptions` and the session say about one run.

    Raises:
        TypeError: no `RunOptions`.
    """
    options = RunOptions() if run_options is None else run_options
    if not isinstance(options, RunOptions):
        raise TypeError(f"run_options takes a RunOptions, got {type(options).__name__}")
    return RunSettings(options.cancel_flag, options.config, profiler, binding_id)


def _release(runnable: DeferredRunnable, opened: Sequence[Provider], running: Sequence[None]) -> None:
    if running:
        # The interpreter is exiting under a run in another thread.
        return
    runnable.close()
    for provider in reversed(opened):
        close_quietly(provider)
