"""`InferenceSession`: creates a runnable model and runs it."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ort_core.errors import EPFail, Fail, InvalidArgument
from ort_core.live import Creation, LiveModel, Requests, open_model, run_settings, warn_of_fallback
from ort_core.log import session_logger
from ort_core.model_source import ModelSource, check_digest
from ort_core.options import RunOptions, SessionOptions
from ort_core.providers import hooks
from ort_core.providers.entry_points import scanned_once
from ort_core.providers.names import REFERENCE
from ort_core.run.requests import DEFAULT_SETTINGS, ResultRequest, RunSettings
from ort_core.session_info import SessionInfo
from ort_core.session_native import NativeMethods
from ort_core.settings import as_flag

if TYPE_CHECKING:
    from types import TracebackType

    from ort_core.capture import CaptureModel
    from ort_core.io_binding import IOBinding, OutputRequest
    from ort_core.ir.graph import Model
    from ort_core.ir.types import ValueType
    from ort_core.ort_value import OrtValue
    from ort_core.run.profiler import Profiler
    from ort_core.session_async import Callback
    from ort_core.values import RuntimeValue


class InferenceSession(SessionInfo, NativeMethods):
    """A model that is ready to run; thread-safe, picklable, and a context manager.

    Args:
        path_or_bytes: a path, the bytes of a model, or an `onnx.ModelProto` (which must not be changed afterwards).
        sess_options: a copy is taken.
        providers: names, or pairs of name and options, in priority order; None takes the installed ones that are meant for
            automatic use.
        provider_options: one dictionary per entry of `providers`.
        disabled_optimizers: names of graph passes not to run.
        enable_fallback: whether a run that fails with `EPFail` is tried again on the remaining providers.
        on_provider_error: `warn` goes on without a listed provider that cannot be used, `raise` raises.
        read_config_from_model: accepted and without effect, as in ONNX Runtime.

    Raises:
        NoSuchFile, InvalidProtobuf, InvalidGraph: the model cannot be loaded.
        NotImplemented: no provider has a kernel for a node.
        InvalidArgument, TypeError: an argument is wrong.
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
        if isinstance(disabled_optimizers, str):
            raise TypeError(f"disabled_optimizers takes names, got a str. Write [{disabled_optimizers!r}].")
        self._model: LiveModel | None = None
        self._source = ModelSource(path_or_bytes)
        self._options = SessionOptions() if sess_options is None else sess_options.copy()
        self._disabled_optimizers = frozenset(disabled_optimizers or ())
        self._fallback_enabled = as_flag("enable_fallback", enable_fallback)
        as_flag("read_config_from_model", read_config_from_model)
        self._on_provider_error: Literal["warn", "raise"] = on_provider_error
        self._logger = session_logger(self._options.logid, self._options.log_severity_level)
        self._creation = Creation(self._disabled_optimizers, on_provider_error, self._logger)
        self._lock = threading.RLock()
        self._profiler: Profiler | None = None
        self._profiling_start_ns = 0
        if self._options.enable_profiling:
            from ort_core.run.profiler import Profiler

            self._profiler = Profiler(self._options.profile_file_prefix)
            self._profiling_start_ns = self._profiler.start_ns
        if not providers and self._options.has_providers():
            providers = [(name, dict(options)) for name, options in self._options.providers]
        with scanned_once():
            self._open(self._source.given, providers, provider_options)
            if self._profiler is not None:
                weakref.finalize(self, self._profiler.write_quietly)
            hooks.session_created(self)

    # -- creation

    def _open(
        self,
        source: Any,
        providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None,
        provider_options: Sequence[Mapping[str, Any]] | None,
    ) -> None:
        started = self._profiler.now() if self._profiler else 0
        model = open_model(source, self._options, providers, provider_options, self._creation)
        if self._profiler:
            self._profiler.add("session_initialization", "Session", started)
        self._interface = model.built.interface
        self._selection = model.selection
        self._active = [p.name for p in model.providers]
        warn_of_fallback(model, self._logger)
        self._captures: CaptureModel | None = None
        self._model = model
        self._bind_run(model)

    def _bind_run(self, model: LiveModel) -> None:
        """Lets the executable answer `run` itself where nothing has to happen around it."""
        self._unbind_run()
        whole = model.whole
        if whole is None or whole.bind_run is None or self._profiler is not None or model.feeds.strict:
            return
        if type(self).run is InferenceSession.run and not hooks.run_observers():
            self.__dict__["run"] = whole.bind_run(weakref.ref(self), InferenceSession.run, hooks.RUN_GATE)

    def _unbind_run(self) -> None:
        run = self.__dict__.pop("run", None)
        if run is not None:
            run.release()

    def _open_for_capture(self, expose: Callable[[Model], None]) -> LiveModel:
        options = self._options.copy()
        options.optimized_model_filepath = ""
        return open_model(self._source.again(), options, self._active_providers(), None, self._creation, expose=expose)

    def _active_providers(self) -> list[tuple[str, dict[str, str]]]:
        return [(name, self._provider_settings(name)) for name in self._active]

    # -- running

    def run(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None = None,
        *,
        capture: Sequence[str] | None = None,
    ) -> Any:
        """Computes outputs.

        Args:
            output_names: which; None or empty for all.
            input_feed: an array, `OrtValue`, list or anything with `__dlpack__` or `__array__` for each input, by name.
            capture: names of values inside the main graph, as the model file has them, or patterns such as `encoder/*`. The
                first run that asks for a set of them creates the model a second time with these as further outputs;
                that may change which nodes are fused.

        Returns:
            A list of numpy arrays, lists (sequences), dictionaries (maps), `SparseTensor`s or None (empty optionals); with
            `capture` a pair of that list and a dictionary of the captured values by name.

        Raises:
            InvalidArgument: an input is missing, unknown, or of a wrong type or shape; an output is unknown.
            TypeError: an argument is of a wrong type.
            RuntimeException: a node failed.
            Fail: the run was terminated, or the session is closed.
        """
        if capture is not None:
            from ort_core.capture import checked_names

            return self._run_captured(output_names, input_feed, run_options, checked_names(capture))
        model = self._live()
        if model.whole is not None and run_options is None and self._profiler is None and not hooks.run_observers():
            answer: list[Any] = model.run_fast(input_feed, output_names or None)
            if answer is not NotImplemented:
                return answer
        requests = None if output_names is None else model.requests_for(output_names)
        results = self._guarded(model, model.feeds.collect(input_feed), requests, run_options)
        return to_python_values(results)

    def _run_captured(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        run_options: RunOptions | None,
        capture: tuple[str, ...],
    ) -> tuple[list[Any], dict[str, Any]]:
        with self._lock:
            plain = self._live()
            requested = None if output_names is None else plain.requests_for(output_names)
            if self._captures is None:
                from ort_core.capture import CaptureModel

                self._captures = CaptureModel()
            model, captured = self._captures.model(capture, self._open_for_capture)
        outputs = tuple(plain.requests.values()) if requested is None else requested
        requests = (*outputs, *map(model.request, captured))
        settings = run_settings(run_options, self._profiler, None)
        results = model.run(model.feeds.collect(input_feed), requests, settings)
        values = to_python_values(results)
        return values[: len(outputs)], dict(zip(captured, values[len(outputs) :], strict=True))

    def run_with_ort_values(
        self,
        output_names: Sequence[str] | None,
        input_dict_ort_values: Mapping[str, OrtValue],
        run_options: RunOptions | None = None,
    ) -> list[OrtValue]:
        """As `run`, from and to `OrtValue`s; results stay where they were computed."""
        from ort_core.ort_value import OrtValue

        model = self._live()
        names = None if output_names is None else model.requests_for(output_names)

        def at_home(model: LiveModel) -> Requests:
            homes = model.built.runnable.output_homes
            return tuple(r._replace(device=homes[r.position]) for r in names or model.requests.values())

        feeds = model.feeds.collect(input_dict_ort_values)
        results = self._guarded(model, feeds, at_home, run_options)
        types = list(self._interface.result_types.values())
        positions = [r.position for r in names or model.requests.values()]
        return [OrtValue(value, type_=types[i]) for value, i in zip(results, positions, strict=True)]

    def run_with_iobinding(self, iobinding: IOBinding, run_options: RunOptions | None = None) -> None:
        """Runs with bound inputs and outputs.

        Raises:
            InvalidArgument: the binding is of another session, or binds no output.
        """
        from ort_core.io_binding import IOBinding

        if not isinstance(iobinding, IOBinding):
            raise TypeError(f"run_with_iobinding takes an IOBinding, got {type(iobinding).__name__}")
        self._live()
        if iobinding._session is not self:
            raise InvalidArgument(
                "IOBinding must be used with the session that created it. Make one with session.io_binding()."
            )
        iobinding._run(run_options)

    def run_async(
        self,
        output_names: Sequence[str] | None,
        input_feed: Mapping[str, Any],
        callback: Callback | None = None,
        user_data: Any = None,
        run_options: RunOptions | None = None,
    ) -> Awaitable[list[Any]] | None:
        """Runs in another thread.

        With a callback: calls `callback(results, user_data, error)` there; `error` is empty on success. Without: returns what
        `await` turns into the results; cancelling that terminates the run.

        Raises:
            InvalidArgument: a required input is missing; other errors go to the callback, or are raised by `await`.
        """
        if callback is not None and not callable(callback):
            raise TypeError(f"run_async takes a function as callback, got {type(callback).__name__}")
        from ort_core.session_async import run_awaited, run_in_thread

        self._live().feeds.check_names(input_feed)
        feed = dict(input_feed)
        if callback is not None:
            run_in_thread(lambda: self.run(output_names, feed, run_options), callback, user_data)
            return None
        options = RunOptions() if run_options is None else run_options
        return run_awaited(lambda: self.run(output_names, feed, options), options)

    def io_binding(self) -> IOBinding:
        """A binding of inputs and outputs to memory on any device."""
        from ort_core.io_binding import IOBinding

        return IOBinding(self)

    def _execute(
        self,
        feeds: Mapping[str, RuntimeValue],
        outputs: Sequence[OutputRequest],
        run_options: RunOptions | None = None,
        binding_id: int | None = None,
    ) -> list[RuntimeValue]:
        """Runs with values as they are, results where they are asked for."""
        model = self._live()
        requests = tuple(ResultRequest(model.request(o.name).position, o.device, o.buffer) for o in outputs)
        return self._guarded(model, model.feeds.collect(feeds), requests, run_options, binding_id)

    @property
    def _input_types(self) -> dict[str, ValueType | None]:
        return {i.name: i.type for i in (*self._interface.inputs, *self._interface.overridable)}

    @property
    def _output_types(self) -> dict[str, ValueType | None]:
        return self._interface.result_types

    def _guarded(
        self,
        model: LiveModel,
        inputs: list[RuntimeValue],
        requests: Requests | Callable[[LiveModel], Requests] | None,
        run_options: RunOptions | None,
        binding_id: int | None = None,
    ) -> list[RuntimeValue]:
        """Runs the plan; tells observers, and turns to the remaining providers when one fails as a whole."""
        profiler = self._profiler
        if run_options is None and profiler is None and binding_id is None:
            settings = DEFAULT_SETTINGS
        else:
            settings = run_settings(run_options, profiler, binding_id)
        observers = hooks.run_observers()
        if not observers and profiler is None:
            return self._run_or_fall_back(model, inputs, requests, settings)
        started = profiler.now() if profiler else 0
        wanted = tuple(model.requests if requests is None or callable(requests) else model.names(requests))
        event = hooks.RunEvent(self, wanted, run_options.logid if run_options else "")
        hooks.notify_run_started(observers, event)
        try:
            results = self._run_or_fall_back(model, inputs, requests, settings)
        except BaseException as error:
            hooks.notify_run_finished(observers, event, error)
            raise
        hooks.notify_run_finished(observers, event)
        if profiler:
            profiler.add("model_run", "Session", started)
        return results

    def _run_or_fall_back(
        self,
        model: LiveModel,
        inputs: list[RuntimeValue],
        requests: Requests | Callable[[LiveModel], Requests] | None,
        settings: RunSettings,
    ) -> list[RuntimeValue]:
        try:
            return model.run(inputs, requests(model) if callable(requests) else requests, settings)
        except EPFail as error:
            model = self._fall_back(model, error)
        return model.run(inputs, requests(model) if callable(requests) else requests, settings)

    def _fall_back(self, failed: LiveModel, error: EPFail) -> LiveModel:
        """The model on the providers that are left; another thread may have created it already.

        Raises:
            EPFail: the given one, if nothing is left or fallback is disabled.
        """
        with self._lock:
            if self._model is failed:
                if not self._fallback_enabled:
                    raise error
                name = error.provider or failed.providers[0].name
                remaining = [p.name for p in failed.providers if p.name != name]
                if not remaining and failed.selection.reference_fallback and name != REFERENCE:
                    remaining = [REFERENCE]
                if not remaining:
                    raise error
                self._logger.warning("%s failed (%s); the session goes on with %s", name, error, ", ".join(remaining))
                self.set_providers([(name, self._provider_settings(name)) for name in remaining])
                self.disable_fallback()
            return self._live()

    # -- changing providers

    def set_providers(
        self,
        providers: Sequence[str | tuple[str, Mapping[str, Any]]] | None = None,
        provider_options: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        """Creates the session anew on other providers; if that fails, the session stays as it was.

        Raises:
            Fail: the model file changed since the session was created.
        """
        with self._lock:
            previous = self._live()
            self._open(self._source.again(), providers, provider_options)
            previous.close()

    def enable_fallback(self) -> None:
        """Lets a run that fails with `EPFail` be tried again on the remaining providers."""
        self._fallback_enabled = True

    def disable_fallback(self) -> None:
        """Lets such a run raise."""
        self._fallback_enabled = False

    # -- profiling

    def end_profiling(self) -> str:
        """Writes the profile and returns its path; profiling stops. An empty string if it was not on.

        Raises:
            Fail: the file cannot be written.
        """
        profiler, self._profiler = self._profiler, None
        return "" if profiler is None else profiler.write()

    def get_profiling_start_time_ns(self) -> int:
        """`time.monotonic_ns()` at which the profile's times start; 0 if the session was created without profiling."""
        return self._profiling_start_ns

    # -- lifetime

    def __del__(self) -> None:
        # Whoever has taken `session.run` keeps the session by it, as by a bound method; else both go here.
        run = self.__dict__.pop("run", None)
        if run is not None:
            run.hold_session(self)

    def close(self) -> None:
        """Releases providers, plans and memory; results already returned stay valid. May be called again.

        Runs in progress end first; the session can tell of its inputs and outputs afterwards, but not run.
        """
        with self._lock:
            self._unbind_run()
            model, self._model = self._model, None
            captures, self._captures = self._captures, None
            if captures is not None:
                captures.close()
        if model is None:
            return
        if self._profiler is not None:
            self._profiler.write_quietly()
            self._profiler = None
        hooks.session_closed(self)
        model.close()

    def __enter__(self) -> InferenceSession:
        self._live()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        """A path is pickled with the SHA-256 of the file, other models with their bytes."""
        self._live()
        source, digest = self._source.pickled()
        settings = {
            "disabled_optimizers": self._disabled_optimizers,
            "enable_fallback": self._fallback_enabled,
            "on_provider_error": self._on_provider_error,
        }
        return _restore, (
            source,
            digest,
            self._options,
            self._active_providers(),
            settings,
        )

    def _live(self) -> LiveModel:
        model = self._model
        if model is None:
            raise Fail("the session is closed. Create a new InferenceSession.")
        return model


def to_python_values(values: list[RuntimeValue]) -> list[Any]:
    """What `run` gives for the values of its results."""
    if all(v.__class__ is np.ndarray for v in values):
        return values
    from ort_core.convert import to_python

    return [to_python(v) for v in values]


def _restore(
    source: str | bytes,
    digest: str,
    options: SessionOptions,
    providers: list[tuple[str, dict[str, str]]],
    settings: dict[str, Any],
) -> InferenceSession:
    """Recreates a pickled session."""
    if isinstance(source, str):
        check_digest(source, digest)
    return InferenceSession(source, options, providers, **settings)
