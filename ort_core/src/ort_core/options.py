"""`SessionOptions` and `RunOptions`, with ONNX Runtime's names and defaults; every value is checked when it is set."""

from __future__ import annotations

import copy
import ctypes
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ort_core.enums import ExecutionMode, ExecutionOrder, GraphOptimizationLevel
from ort_core.errors import InvalidArgument
from ort_core.limits import Limits
from ort_core.settings import OptionsBase, Setting, as_bool, as_size

if TYPE_CHECKING:
    from ort_core.custom_ops.spec import CustomOp
    from ort_core.ort_value import OrtValue
    from ort_core.progress import LoadProgress


def _not_negative(value: int) -> bool:
    return value >= 0


def _is_severity(value: int) -> bool:
    return -1 <= value <= 4


class SessionOptions(OptionsBase):
    """Options of a session. A session takes a copy: later changes do not reach it."""

    enable_cpu_mem_arena = Setting(True, "Whether providers may keep host memory in an arena between runs.")
    enable_mem_pattern = Setting(True, "Whether providers may plan one block of memory per input signature.")
    enable_mem_reuse = Setting(True, "Whether providers may reuse the memory of values that are no longer needed.")
    enable_profiling = Setting(False, "Whether the session writes a profile; see `InferenceSession.end_profiling`.")
    execution_mode = Setting(ExecutionMode.ORT_SEQUENTIAL, "Whether providers may run independent nodes in parallel.")
    execution_order = Setting(ExecutionOrder.DEFAULT, "The order of independent nodes.")
    graph_optimization_level = Setting(GraphOptimizationLevel.ORT_ENABLE_ALL, "How far the graph is optimised.")
    inter_op_num_threads = Setting(0, "Threads for running nodes in parallel; 0 chooses.", _not_negative, "an int >= 0")
    intra_op_num_threads = Setting(0, "Threads within a node; 0 chooses.", _not_negative, "an int >= 0")
    log_severity_level = Setting(
        -1, "0 verbose to 4 fatal; -1 takes the process's level.", _is_severity, "an int from -1 to 4"
    )
    log_verbosity_level = Setting(0, "Detail of verbose messages.", _not_negative, "an int >= 0")
    logid = Setting("", "A name for the session in log messages.")
    optimized_model_filepath = Setting("", "Where to save the optimised model; empty saves nothing.")
    profile_file_prefix = Setting("onnxruntime_profile_", "Start of the profile's path.")
    use_deterministic_compute = Setting(False, "Whether providers must give bit-identical results in every run.")
    use_per_session_threads = Setting(True, "Whether the session has threads of its own.")

    def __init__(self) -> None:
        super().__init__()
        self._dimensions_by_name: dict[str, int] = {}
        self._dimensions_by_denotation: dict[str, int] = {}
        self._initializers: dict[str, OrtValue] = {}
        self._external_initializers: dict[str, OrtValue] = {}
        self._external_files: dict[str, memoryview] = {}
        self._providers: list[tuple[str, dict[str, str]]] = []
        self._load_cancelled = ctypes.c_uint32(0)
        self._limits = Limits()
        self._custom_ops: list[CustomOp] = []
        self._custom_op_libraries: dict[str, Sequence[CustomOp]] = {}
        self._load_progress: Callable[[LoadProgress], object] | None = None

    @property
    def limits(self) -> Limits:
        """What a model may be and use: operators, time, memory, sizes."""
        return self._limits

    @limits.setter
    def limits(self, value: Limits) -> None:
        if not isinstance(value, Limits):
            raise TypeError(f"limits takes an ort_core.Limits, got {type(value).__name__}")
        self._limits = value

    @property
    def load_progress(self) -> Callable[[LoadProgress], object] | None:
        """A function that is told how far the creation of a session is, now and then, in the thread that creates it.

        What it raises ends the creation. It is not pickled.
        """
        return self._load_progress

    @load_progress.setter
    def load_progress(self, value: Callable[[LoadProgress], object] | None) -> None:
        if value is not None and not callable(value):
            raise TypeError(f"load_progress takes a function or None, got {type(value).__name__}")
        self._load_progress = value

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Sets a configuration entry, such as `session.disable_reference_fallback` to `1`."""
        self._add(key, value)

    def get_session_config_entry(self, key: str) -> str:
        """A configuration entry.

        Raises:
            RuntimeException: it was not set.
        """
        return self._get(key)

    def add_free_dimension_override_by_name(self, name: str, value: int) -> None:
        """Fixes the size of a symbolic dimension of the inputs, by its name."""
        self._dimensions_by_name[_name(name)] = as_size(f"dimension '{name}'", value)

    def add_free_dimension_override_by_denotation(self, denotation: str, value: int) -> None:
        """Fixes the size of symbolic dimensions of the inputs, by their denotation (`DATA_BATCH`, ...)."""
        self._dimensions_by_denotation[_name(denotation)] = as_size(f"denotation '{denotation}'", value)

    def add_initializer(self, name: str, value: OrtValue) -> None:
        """Replaces an initializer of the models that have it, by a tensor of its type and shape; the memory of the value is
        used in place, so that sessions may share it.
        """
        self._initializers[_name(name)] = _expect_value(name, value)

    def add_external_initializers(self, names: Sequence[str], values: Sequence[OrtValue]) -> None:
        """Gives the contents of initializers that the model keeps in external files; those are not read then."""
        if len(names) != len(values):
            raise InvalidArgument(f"add_external_initializers got {len(names)} names and {len(values)} values")
        given = {_name(name): _expect_value(name, value) for name, value in zip(names, values, strict=True)}
        self._external_initializers.update(given)

    def add_external_initializers_from_files_in_memory(
        self, file_names: Sequence[str], buffers: Sequence[Any], lengths: Sequence[int]
    ) -> None:
        """Gives the contents of the model's external files; the buffers are used in place while sessions are created."""
        if not len(file_names) == len(buffers) == len(lengths):
            raise InvalidArgument(
                f"expected one buffer and one length per file, got {len(file_names)}, {len(buffers)} and {len(lengths)}"
            )
        given: dict[str, memoryview] = {}
        for name, buffer, length in zip(file_names, buffers, lengths, strict=True):
            view = _flat_bytes(_name(name), buffer)
            if not hasattr(length, "__index__"):
                raise TypeError(f"file '{name}': the length takes an int, got {type(length).__name__}")
            if not 0 <= length <= len(view):
                raise InvalidArgument(f"file '{name}': length {length} does not fit its buffer of {len(view)} bytes")
            given[name] = view[:length]
        self._external_files.update(given)

    def add_provider(self, name: str, options: Mapping[str, str]) -> None:
        """Adds a provider, for sessions that are created without a list of providers."""
        if not isinstance(options, Mapping):
            raise TypeError(f"the options of provider '{name}' take a dict, got {type(options).__name__}")
        self._providers.append((_name(name), dict(options)))

    def has_providers(self) -> bool:
        """Whether `add_provider` was called."""
        return bool(self._providers)

    def register_custom_ops_library(self, path: str | os.PathLike[str]) -> None:
        """Loads a library of custom operators that was built for ONNX Runtime, which may look at the configuration entries that
        are set by now. A library is code: never take its path from a model or from anybody you would not run a program of.

        Raises:
            NotImplemented: the package that hosts such libraries is not installed.
            Fail: it is no such library, or cannot be loaded.
        """
        from ort_core.custom_ops.published import load_library

        name = os.fsdecode(path)
        name = os.path.abspath(name) if os.path.exists(name) else name
        self._custom_op_libraries[name] = load_library(name, self.config)

    def register_custom_ops(self, source: Any) -> None:
        """Adds custom operators: a function decorated with `ort_custom_ops.op`, a module or a list of such, or `CustomOp`s.

        Of several that a node may call, the newest version is taken, then the one that was registered first; libraries come
        last.

        Raises:
            TypeError: there are none in it.
        """
        from ort_core.custom_ops.catalog import operators_of

        self._custom_ops += operators_of(source)

    def set_load_cancellation_flag(self, flag: bool) -> None:
        """True makes sessions that are being created with these options stop with ModelLoadCanceled."""
        value = as_bool(flag)
        if value is None:
            raise TypeError(f"set_load_cancellation_flag takes bool, got {type(flag).__name__} {flag!r}")
        self._load_cancelled.value = value

    @property
    def custom_ops(self) -> Sequence[CustomOp]:
        """The custom operators that were registered."""
        return [*self._custom_ops, *itertools.chain.from_iterable(self._custom_op_libraries.values())]

    @property
    def free_dimensions_by_name(self) -> Mapping[str, int]:
        """The sizes of symbolic dimensions, by their names."""
        return self._dimensions_by_name

    @property
    def free_dimensions_by_denotation(self) -> Mapping[str, int]:
        """The sizes of symbolic dimensions, by their denotations."""
        return self._dimensions_by_denotation

    @property
    def initializers(self) -> Mapping[str, OrtValue]:
        """What `add_initializer` was given."""
        return self._initializers

    @property
    def external_initializers(self) -> Mapping[str, OrtValue]:
        """What `add_external_initializers` was given."""
        return self._external_initializers

    @property
    def external_files(self) -> Mapping[str, memoryview]:
        """The contents of external files, by location."""
        return self._external_files

    @property
    def providers(self) -> Sequence[tuple[str, Mapping[str, str]]]:
        """What `add_provider` was given."""
        return self._providers

    @property
    def load_cancelled(self) -> ctypes.c_uint32:
        """Non-zero while loading is to stop; shared by copies of these options."""
        return self._load_cancelled

    def copy(self) -> SessionOptions:
        """An independent copy; only the cancellation flag is shared."""
        return copy.copy(self)

    def __copy__(self) -> SessionOptions:
        result = SessionOptions()
        for name, value in self.__dict__.items():
            result.__dict__[name] = copy.copy(value) if isinstance(value, dict | list) else value
        return result

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state["_load_progress"] = None
        state["_load_cancelled"] = self._load_cancelled.value
        state["_external_files"] = {k: bytes(v) for k, v in self._external_files.items()}
        state["_custom_op_libraries"] = list(self._custom_op_libraries)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._load_cancelled = ctypes.c_uint32(state["_load_cancelled"])
        self._external_files = {k: memoryview(v) for k, v in state["_external_files"].items()}
        self._custom_op_libraries = {}
        for path in state["_custom_op_libraries"]:
            self.register_custom_ops_library(path)


class RunOptions(OptionsBase):
    """Options of one or several runs. `terminate` may be set from another thread while they are in progress."""

    log_severity_level = Setting(
        -1, "0 verbose to 4 fatal; -1 takes the session's level.", _is_severity, "an int from -1 to 4"
    )
    log_verbosity_level = Setting(0, "Detail of verbose messages.", _not_negative, "an int >= 0")
    logid = Setting("", "A tag for the run in log messages.")
    only_execute_path_to_fetches = Setting(
        False, "Whether to skip what the wanted outputs do not need; this runtime always does."
    )

    def __init__(self) -> None:
        super().__init__()
        self._cancel_flag = ctypes.c_uint32(0)

    @property
    def terminate(self) -> bool:
        """Whether runs with these options stop as soon as possible, with `Fail`."""
        return bool(self._cancel_flag.value)

    @terminate.setter
    def terminate(self, value: bool) -> None:
        flag = as_bool(value)
        if flag is None:
            raise TypeError(f"terminate takes bool, got {type(value).__name__} {value!r}")
        self._cancel_flag.value = flag

    @property
    def cancel_flag(self) -> ctypes.c_uint32:
        """What providers poll: non-zero once `terminate` is set."""
        return self._cancel_flag

    def add_run_config_entry(self, key: str, value: str) -> None:
        """Sets a configuration entry of the run."""
        self._add(key, value)

    def get_run_config_entry(self, key: str) -> str:
        """A configuration entry.

        Raises:
            RuntimeException: it was not set.
        """
        return self._get(key)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cancel_flag": self._cancel_flag.value}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._cancel_flag = ctypes.c_uint32(state["_cancel_flag"])


def _name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"expected a name, got {type(name).__name__} {name!r}")
    return name


def _expect_value(name: str, value: OrtValue) -> OrtValue:
    from ort_core.ort_value import OrtValue as Value

    if not isinstance(value, Value):
        raise TypeError(
            f"initializer '{name}' takes an OrtValue, got {type(value).__name__}. Make one with "
            "OrtValue.ortvalue_from_numpy(array)."
        )
    if not value.is_tensor():
        raise InvalidArgument(f"initializer '{name}' takes a tensor, got {value.data_type()}")
    return value


def _flat_bytes(name: str, buffer: Any) -> memoryview:
    try:
        view = memoryview(buffer)
    except TypeError:
        raise TypeError(f"file '{name}' takes a buffer such as bytes, got {type(buffer).__name__}") from None
    if not view.c_contiguous:
        raise InvalidArgument(f"file '{name}': the buffer is not contiguous. Pass a copy: `bytes(buffer)`.")
    return view.cast("B") if view.nbytes else memoryview(b"")
