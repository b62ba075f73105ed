"""`InferenceSession`: creates a runnable model and runs it."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ort_core.build import BuiltModel, build, session_env
from ort_core.convert import to_python
from ort_core.errors import EPFail, Fail, InvalidArgument
from ort_core.feeds import FeedChecker
from ort_core.io_binding import IOBinding, OutputRequest
from ort_core.log import session_logger
from ort_core.metadata import ModelMetadata, NodeArg
from ort_core.options import RunOptions, SessionOptions
from ort_core.ort_value import OrtValue
from ort_core.providers import hooks, registry
from ort_core.providers.names import REFERENCE
from ort_core.providers.options import format_options
from ort_core.providers.selection import Selection, close_quietly, create_providers, resolve_providers
from ort_core.providers.spec import Provider
from ort_core.run.profiler import Profiler
from ort_core.run.runnable import DEFAULT_SETTINGS, ResultRequest, RunSettings

if TYPE_CHECKING:
    from types import TracebackType

    from ort_core.explain.report import PlacementReport
    from ort_core.ir.types import ValueType
    from ort_core.values import RuntimeValue


class InferenceSession:
    """A model that is ready to run; thread-safe, picklable, and a context manager.

    Args:
        path_or_bytes: a path, the bytes of a model, or an `onnx.ModelProto`.
        sess_options: a copy is taken.
        providers: names, or pairs of name and options, in priority order; None takes the installed ones that are meant for
            automatic use.
        provider_options: one dictionary per entry of `providers`.
        disabled_optimizers: names of graph passes not to run.
        enable_fallback: whether a run that fails with `EPFail` is tried again on the remaining providers.
        on_provider_error: `warn` goes on without a listed provider that cannot be used, `raise` raises.

    Raises:
        NoSuchFile, InvalidProtobuf, InvalidGraph: the model cannot be loaded.
        NotImplemented: no provider has a kernel for a node.
        InvalidArgument: an argument is wrong.
    """

    def __init__(
        self,
        path_or_bytes: str | bytes | os.PathLike[str],
        sess_options: SessionOptions | None = None,
        providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None = None,
        provider_options: Sequence[Mapping[str, Any]] | None = None,
        *,
        disabled_optimizers: Collection[str] | None = None,
        enable_fallback: bool = True,
        on_provider_error: Literal["warn", "raise"] = "warn",
        read_config_from_model: int = 0,
    ) -> None:
        if sess_options is not None and not isinstance(sess_options, SessionOptions):
            raise TypeError(f"sess_options takes a SessionOptions, got {type(sess_options).__name__}")
        if read_config_from_model:
            raise InvalidArgument("read_config_from_model is not supported: set the options on SessionOptions.")
        self._source: Any = path_or_bytes
        self._options = SessionOptions() if sess_options is None else sess_options.copy()
        self._disabled_optimizers = frozenset(disabled_optimizers or ())
        self._fallback_enabled = bool(enable_fallback)
        self._on_provider_error: Literal["warn", "raise"] = on_provider_error
        self._logger = session_logger(self._options.logid, self._options.log_severity_level)
        self._lock = threading.Lock()
        self._stamp = _stamp(path_or_bytes)
        self._profiler = Profiler() if self._options.enable_profiling else None
        if not providers and self._options.has_providers():
            providers = list(self._options.providers)
        self._open(providers, provider_options)

    # -- creation

    def _open(
        self,
        providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None,
        provider_options: Sequence[Mapping[str, Any]] | None,
    ) -> None:
        config = self._options.config
        selection = resolve_providers(providers, provider_options, config, on_provider_error=self._on_provider_error)
        env = session_env(self._options, self._logger, config)
        started = self._profiler.now() if self._profiler else 0
        created = create_providers(selection, env)
        fallback = _reference(env) if selection.reference_fallback and not _has_reference(created) else None
        opened = [*created, *([fallback] if fallback else [])]

        def on_failure(provider: Provider, error: Exception) -> None:
            if self._on_provider_error == "raise":
                raise error
            selection.status[provider.name] = str(error)
            created.remove(provider)
            self._logger.warning("%s; the session goes on without it", error)

        try:
            built = build(
                self._source,
                self._options,
                created,
                fallback,
                env,
                disabled_passes=self._disabled_optimizers,
                on_failure=on_failure,
            )
        except BaseException:
            for provider in reversed(opened):
                close_quietly(provider)
            raise
        if self._profiler:
            self._profiler.add("session_initialization", "Session", started)
        self._install(built, selection, created, opened, strict=config.get("session.strict_shapes") == "1")
        if fallback is not None:
            self._warn_of_fallback(built, fallback)
        hooks.session_created(self)

    def _install(
        self, built: BuiltModel, selection: Selection, active: list[Provider], opened: list[Provider], *, strict: bool
    ) -> None:
        self._built = built
        self._selection = selection
        self._providers = active
        self._opened = opened
        self._closed = False
        self._feeds = FeedChecker(
            [(i.name, i.type) for i in built.inputs],
            [(i.name, i.type) for i in built.overridable],
            built.defaults,
            [v.name for v in built.compiled.graph.inputs],
            strict=strict,
            logger=self._logger,
        )
        self._outputs = {o.name: ResultRequest(i) for i, o in enumerate(built.outputs)}

    def _warn_of_fallback(self, built: BuiltModel, fallback: Provider) -> None:
        nodes = [n for n, (owner, _) in built.assignment.claims.items() if owner is fallback]
        if nodes and self._providers:
            kinds = sorted({n.label for n in nodes})
            self._logger.warning(
                "%d nodes run on %s, which is slow, because no listed provider takes them: %s%s. session.explain() says why.",
                len(nodes),
                fallback.name,
                ", ".join(kinds[:8]),
                ", ..." if len(kinds) > 8 else "",
            )

    # -- running

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
    ) -> list[Any]:
        """Computes outputs.

        Args:
            output_names: which; None or empty for all.
            input_feed: an array, `OrtValue`, list or anything with `__dlpack__` or `__array__` for each input, by name.

        Returns:
            numpy arrays, lists (sequences), dictionaries (maps), `SparseTensor`s or None (empty optionals).

        Raises:
            InvalidArgument: an input is missing, unknown, or of a wrong type or shape; an output is unknown.
            RuntimeException: a node failed.
            Fail: the run was terminated.
        """
        self._check_open()
        requests = None if not output_names else tuple([self._request(name) for name in output_names])
        results = self._guarded(self._feeds.collect(input_feed), requests, run_options)
        return [to_python(value) for value in results]

    def run_with_ort_values(
        self,
        output_names: Sequence[str] | None,
        input_dict_ort_values: Mapping[str, OrtValue],
        run_options: RunOptions | None = None,
    ) -> list[OrtValue]:
        """As `run`, from and to `OrtValue`s; results stay where they were computed."""
        self._check_open()
        names = list(output_names or self._outputs)
        homes = self._built.runnable.output_homes
        requests = tuple(r._replace(device=homes[r.position]) for r in map(self._request, names))
        results = self._guarded(self._feeds.collect(input_dict_ort_values), requests, run_options)
        return [OrtValue(value) for value in results]

    def run_with_iobinding(self, iobinding: IOBinding, run_options: RunOptions | None = None) -> None:
        """Runs with bound inputs and outputs."""
        iobinding._run(run_options)

    def run_async(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        callback: Callable[[list[Any], Any, str], None],
        user_data: Any,
        run_options: RunOptions | None = None,
    ) -> None:
        """Runs in another thread and calls `callback(results, user_data, error)`; `error` is empty on success."""

        def work() -> None:
            try:
                results, error = self.run(output_names, input_feed, run_options), ""
            except Exception as failure:
                results, error = [], str(failure)
            callback(results, user_data, error)

        threading.Thread(target=work, name="ort-core-run-async", daemon=True).start()

    def io_binding(self) -> IOBinding:
        """A binding of inputs and outputs to memory on any device."""
        return IOBinding(self)

    def _execute(
        self,
        feeds: Mapping[str, RuntimeValue],
        outputs: Sequence[OutputRequest],
        run_options: RunOptions | None = None,
        binding_id: int | None = None,
    ) -> list[RuntimeValue]:
        """Runs with values as they are, results where they are asked for."""
        self._check_open()
        requests = tuple(ResultRequest(self._request(o.name).position, o.device, o.buffer) for o in outputs)
        return self._guarded(self._feeds.collect(feeds), requests, run_options, binding_id)

    @property
    def _input_types(self) -> dict[str, ValueType | None]:
        return {i.name: i.type for i in (*self._built.inputs, *self._built.overridable)}

    @property
    def _output_types(self) -> dict[str, ValueType | None]:
        return {o.name: o.type for o in self._built.outputs}

    def _guarded(
        self,
        inputs: list[RuntimeValue],
        requests: tuple[ResultRequest, ...] | None,
        run_options: RunOptions | None,
        binding_id: int | None = None,
    ) -> list[RuntimeValue]:
        """Runs the plan; tells observers, and turns to the remaining providers when one fails as a whole."""
        if run_options is None and self._profiler is None and binding_id is None:
            settings = DEFAULT_SETTINGS
        else:
            options = run_options or RunOptions()
            settings = RunSettings(options.cancel_flag, options.config, self._profiler, binding_id)
        observers = hooks.run_observers()
        if observers:
            return self._observed(inputs, requests, settings, observers, run_options)
        try:
            return self._built.runnable.run(inputs, requests, settings)
        except EPFail as error:
            if not self._fallback_enabled or len(self._providers) < 2:
                raise
            self._fall_back(error)
        return self._built.runnable.run(inputs, requests, settings)

    def _observed(
        self,
        inputs: list[RuntimeValue],
        requests: tuple[ResultRequest, ...] | None,
        settings: RunSettings,
        observers: tuple[hooks.RunObserver, ...],
        run_options: RunOptions | None,
    ) -> list[RuntimeValue]:
        names = tuple(o.name for o in self._built.outputs)
        wanted = names if requests is None else tuple(names[r.position] for r in requests)
        event = hooks.RunEvent(self, wanted, run_options.logid if run_options else "")
        hooks.notify_run_started(observers, event)
        try:
            results = self._built.runnable.run(inputs, requests, settings)
        except BaseException as error:
            hooks.notify_run_finished(observers, event, error)
            raise
        hooks.notify_run_finished(observers, event)
        return results

    def _fall_back(self, error: EPFail) -> None:
        remaining = [(p.name, self._provider_settings(p.name)) for p in self._providers[1:]]
        self._logger.warning(
            "%s failed (%s); the session goes on with %s", self._providers[0].name, error, [n for n, _ in remaining]
        )
        self.disable_fallback()
        self.set_providers(remaining)

    def _request(self, name: str) -> ResultRequest:
        try:
            return self._outputs[name]
        except KeyError:
            raise InvalidArgument(
                f"Invalid output name: {name}. The model's outputs are: {', '.join(self._outputs)}."
            ) from None

    # -- what the session tells

    def get_inputs(self) -> list[NodeArg]:
        """The inputs that must be fed."""
        return [NodeArg(i.name, i.type) for i in self._built.inputs]

    def get_outputs(self) -> list[NodeArg]:
        """The outputs, in the order in which `run(None, ...)` returns them."""
        return [NodeArg(o.name, o.type) for o in self._built.outputs]

    def get_overridable_initializers(self) -> list[NodeArg]:
        """Initializers that a feed may replace."""
        return [NodeArg(i.name, i.type) for i in self._built.overridable]

    def get_modelmeta(self) -> ModelMetadata:
        """The model's descriptive fields."""
        return self._built.metadata

    def get_session_options(self) -> SessionOptions:
        """A copy of the options that the session was created with."""
        return self._options.copy()

    def get_providers(self) -> list[str]:
        """The providers in use, in priority order."""
        return [p.name for p in self._providers]

    def get_provider_options(self) -> dict[str, dict[str, str]]:
        """The options in force for each provider."""
        return {p.name: self._provider_settings(p.name) for p in self._providers}

    def _provider_settings(self, name: str) -> dict[str, str]:
        resolved = next((r for r in self._selection.providers if r.name == name), None)
        return {} if resolved is None else format_options(resolved.options)

    @property
    def provider_status(self) -> dict[str, str]:
        """`ok`, or why not and what to do, for each provider that was asked for or would be used if it worked."""
        return dict(self._selection.status)

    def explain(self) -> PlacementReport:
        """Where each node runs and why other providers declined it: `print` it, or ask it for JSON."""
        from ort_core.explain.report import placement_report

        self._check_open()
        return placement_report(self._built, self.get_providers(), self.provider_status)

    # -- changing providers

    def set_providers(
        self,
        providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None = None,
        provider_options: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Creates the session anew on other providers; if that fails, the session stays as it was."""
        self._check_open()
        self._check_unchanged()
        previous = (self._built, self._opened)
        self._open(providers, provider_options)
        _release(*previous)

    def enable_fallback(self) -> None:
        """Lets a run that fails with `EPFail` be tried again on the remaining providers."""
        self._fallback_enabled = True

    def disable_fallback(self) -> None:
        """Lets such a run raise."""
        self._fallback_enabled = False

    # -- profiling

    def end_profiling(self) -> str:
        """Writes the profile and returns its path; profiling stops. An empty string if it was not on."""
        profiler, self._profiler = self._profiler, None
        return "" if profiler is None else profiler.write(self._options.profile_file_prefix)

    def get_profiling_start_time_ns(self) -> int:
        """Clock reading (nanoseconds, monotonic) at which the profile's times start; 0 if profiling is off."""
        return 0 if self._profiler is None else self._profiler.start_ns

    # -- lifetime

    def close(self) -> None:
        """Releases providers, plans and memory; results already returned stay valid. May be called again."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._profiler is not None:
            self.end_profiling()
        hooks.session_closed(self)
        _release(self._built, self._opened)

    def __enter__(self) -> InferenceSession:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """A path is pickled with the SHA-256 of the file, other models with their bytes."""
        self._check_open()
        self._check_unchanged()
        source: Any
        if _is_path(self._source):
            source = os.path.abspath(os.fspath(self._source))
            digest = _sha256(source)
        else:
            source, digest = _as_bytes(self._source), ""
        providers = [(p.name, self._provider_settings(p.name)) for p in self._providers]
        return _restore, (source, digest, self._options, providers, self._disabled_optimizers, self._fallback_enabled)

    def _check_open(self) -> None:
        if self._closed:
            raise Fail("the session is closed. Create a new InferenceSession.")

    def _check_unchanged(self) -> None:
        if _is_path(self._source) and _stamp(self._source) != self._stamp:
            raise Fail(
                f"the model file {os.fspath(self._source)!r} changed since the session was created. Create a new one."
            )


def _has_reference(providers: Sequence[Provider]) -> bool:
    return any(p.name == REFERENCE for p in providers)


def _reference(env: Any) -> Provider:
    plugin = registry.plugin(REFERENCE)
    return plugin.create(plugin.options(), env)


def _release(built: BuiltModel, opened: Sequence[Provider]) -> None:
    built.runnable.close()
    for provider in reversed(opened):
        close_quietly(provider)


def _is_path(source: Any) -> bool:
    return isinstance(source, str | os.PathLike)


def _as_bytes(source: Any) -> bytes:
    return bytes(source) if isinstance(source, bytes | bytearray | memoryview) else bytes(source.SerializeToString())


def _stamp(source: Any) -> str:
    """Size and modification time of a model file: enough to notice in this process that it changed."""
    if not _is_path(source):
        return ""
    try:
        stat = Path(os.fspath(source)).stat()
    except OSError:
        return ""
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _restore(
    source: Any,
    digest: str,
    options: SessionOptions,
    providers: list[tuple[str, dict[str, str]]],
    disabled: frozenset[str],
    fallback: bool,
) -> InferenceSession:
    """Recreates a pickled session."""
    if digest and _sha256(source) != digest:
        raise Fail(
            f"the model file {source!r} is not the one that the pickled session was created from: its SHA-256 differs. "
            "Put the original file there, or create a new session."
        )
    return InferenceSession(source, options, providers, disabled_optimizers=disabled, enable_fallback=fallback)
