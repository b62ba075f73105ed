"""`SessionOptions` and `RunOptions`, with ONNX Runtime's names and defaults; every value is checked when it is set."""

from __future__ import annotations

import copy
import ctypes
import enum
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ort_core.enums import ExecutionMode, ExecutionOrder, GraphOptimizationLevel
from ort_core.errors import InvalidArgument, RuntimeException
from ort_core.errors import NotImplemented as NotImplementedHere

if TYPE_CHECKING:
    from typing_extensions import Self

    from ort_core.ort_value import OrtValue

T = TypeVar("T")


class _Setting(Generic[T]):
    """A typed attribute with a default."""

    def __init__(self, default: T, doc: str, check: Callable[[Any], bool] | None = None, expected: str = "") -> None:
        self._default = default
        self._check = check
        self._expected = expected or type(default).__name__
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        value: T = instance.__dict__.get(self._name, self._default)
        return value

    def __set__(self, instance: object, value: T) -> None:
        instance.__dict__[self._name] = self._converted(value)

    def _converted(self, value: Any) -> Any:
        default = self._default
        if isinstance(default, bool):
            valid = isinstance(value, bool)
        elif isinstance(default, enum.Enum):
            valid = isinstance(value, type(default))
        elif isinstance(default, int):
            valid = hasattr(value, "__index__") and not isinstance(value, bool)
            value = value.__index__() if valid else value
        else:
            valid = isinstance(value, str | os.PathLike)
            value = os.fspath(value) if valid else value
        if not valid:
            raise TypeError(f"{self._name} takes {self._expected}, got {type(value).__name__} {value!r}")
        if self._check is not None and not self._check(value):
            raise InvalidArgument(f"{self._name} must be {self._expected}, got {value!r}")
        return value


class _ConfigEntries:
    """String settings by key."""

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}

    def _add(self, key: str, value: str) -> None:
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"configuration entries are strings, got {key!r}: {value!r}")
        if not 0 < len(key) <= 1024 or len(value) > 8192:
            raise InvalidArgument("a configuration key has 1 to 1024 characters and its value at most 8192")
        self._entries[key] = value

    def _get(self, key: str, owner: str) -> str:
        if key not in self._entries:
            raise RuntimeException(f"{owner} does not have configuration with key: {key}")
        return self._entries[key]

    @property
    def config(self) -> Mapping[str, str]:
        """The configuration entries set so far."""
        return dict(self._entries)


def _not_negative(value: int) -> bool:
    return value >= 0


class SessionOptions(_ConfigEntries):
    """Options of a session. A session takes a copy: later changes do not reach it."""

    enable_cpu_mem_arena = _Setting(True, "Whether providers may keep host memory in an arena between runs.")
    enable_mem_pattern = _Setting(True, "Whether providers may plan one block of memory per input signature.")
    enable_mem_reuse = _Setting(True, "Whether providers may reuse the memory of values that are no longer needed.")
    enable_profiling = _Setting(False, "Whether the session writes a profile; see `InferenceSession.end_profiling`.")
    execution_mode = _Setting(ExecutionMode.ORT_SEQUENTIAL, "Whether providers may run independent nodes in parallel.")
    execution_order = _Setting(ExecutionOrder.DEFAULT, "The order of independent nodes.")
    graph_optimization_level = _Setting(GraphOptimizationLevel.ORT_ENABLE_ALL, "How far the graph is optimised.")
    inter_op_num_threads = _Setting(
        0, "Threads for running nodes in parallel; 0 chooses.", _not_negative, "an int >= 0"
    )
    intra_op_num_threads = _Setting(0, "Threads within a node; 0 chooses.", _not_negative, "an int >= 0")
    log_severity_level = _Setting(
        -1, "0 verbose to 4 fatal; -1 takes the process's level.", lambda v: -1 <= v <= 4, "an int from -1 to 4"
    )
    log_verbosity_level = _Setting(0, "Detail of verbose messages.", _not_negative, "an int >= 0")
    logid = _Setting("", "A name for the session in log messages.")
    optimized_model_filepath = _Setting("", "Where to save the optimised model; empty saves nothing.")
    profile_file_prefix = _Setting("onnxruntime_profile_", "Start of the profile's path.")
    use_deterministic_compute = _Setting(False, "Whether providers must give bit-identical results in every run.")
    use_per_session_threads = _Setting(True, "Whether the session has threads of its own.")

    def __init__(self) -> None:
        super().__init__()
        self.free_dimensions_by_name: dict[str, int] = {}
        self.free_dimensions_by_denotation: dict[str, int] = {}
        self.initializers: dict[str, OrtValue] = {}
        self.external_files: dict[str, memoryview] = {}
        self.providers: list[tuple[str, dict[str, str]]] = []
        self._load_cancelled = ctypes.c_uint32(0)

    def __setattr__(self, name: str, value: Any) -> None:
        if not hasattr(type(self), name) and not name.startswith("_") and name not in _COLLECTIONS:
            raise AttributeError(
                f"SessionOptions has no attribute '{name}'. It has: {', '.join(sorted(_setting_names()))}."
            )
        super().__setattr__(name, value)

    def add_session_config_entry(self, key: str, value: str) -> None:
        """Sets a configuration entry, such as `session.disable_reference_fallback` to `1`."""
        self._add(key, value)

    def get_session_config_entry(self, key: str) -> str:
        """A configuration entry.

        Raises:
            RuntimeException: it was not set.
        """
        return self._get(key, "SessionOptions")

    def add_free_dimension_override_by_name(self, name: str, value: int) -> None:
        """Fixes the size of a symbolic dimension of the inputs, by its name."""
        self.free_dimensions_by_name[name] = _size(name, value)

    def add_free_dimension_override_by_denotation(self, denotation: str, value: int) -> None:
        """Fixes the size of symbolic dimensions of the inputs, by their denotation (`DATA_BATCH`, ...)."""
        self.free_dimensions_by_denotation[denotation] = _size(denotation, value)

    def add_initializer(self, name: str, value: OrtValue) -> None:
        """Replaces an initializer of the model; the value must be a tensor of its type and shape on the host."""
        self.initializers[name] = value

    def add_external_initializers(self, names: Sequence[str], values: Sequence[OrtValue]) -> None:
        """Gives the contents of initializers that the model keeps in external files."""
        if len(names) != len(values):
            raise InvalidArgument(f"add_external_initializers got {len(names)} names and {len(values)} values")
        self.initializers.update(zip(names, values, strict=True))

    def add_external_initializers_from_files_in_memory(
        self, file_names: Sequence[str], buffers: Sequence[Any], lengths: Sequence[int]
    ) -> None:
        """Gives the contents of the model's external files; the buffers are used in place while sessions are created."""
        if not len(file_names) == len(buffers) == len(lengths):
            raise InvalidArgument(
                f"expected one buffer and one length per file, got {len(file_names)}, {len(buffers)} and {len(lengths)}"
            )
        for name, buffer, length in zip(file_names, buffers, lengths, strict=True):
            view = memoryview(buffer).cast("B")
            if not 0 <= length <= len(view):
                raise InvalidArgument(f"file '{name}': length {length} does not fit its buffer of {len(view)} bytes")
            self.external_files[name] = view[:length]

    def add_provider(self, name: str, options: Mapping[str, str]) -> None:
        """Adds a provider, for sessions that are created without a list of providers."""
        self.providers.append((name, dict(options)))

    def has_providers(self) -> bool:
        """Whether `add_provider` was called."""
        return bool(self.providers)

    def register_custom_ops_library(self, path: str | os.PathLike[str]) -> None:
        """Loads a library of custom operators.

        Raises:
            NotImplemented: the package that hosts such libraries is not installed.
        """
        raise NotImplementedHere(
            f"cannot load the custom-op library {os.fspath(path)!r}: the package 'ort-custom-ops' is not installed. "
            "Install it with: pip install ort-custom-ops"
        )

    def set_load_cancellation_flag(self, flag: bool) -> None:
        """True makes sessions that are being created with these options stop with ModelLoadCanceled."""
        self._load_cancelled.value = int(bool(flag))

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
        state["_load_cancelled"] = self._load_cancelled.value
        state["external_files"] = {k: bytes(v) for k, v in self.external_files.items()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__["_load_cancelled"] = ctypes.c_uint32(state["_load_cancelled"])
        self.__dict__["external_files"] = {k: memoryview(v) for k, v in state["external_files"].items()}


class RunOptions(_ConfigEntries):
    """Options of one or several runs. `terminate` may be set from another thread while they are in progress."""

    log_severity_level = _Setting(
        -1, "0 verbose to 4 fatal; -1 takes the session's level.", lambda v: -1 <= v <= 4, "an int from -1 to 4"
    )
    log_verbosity_level = _Setting(0, "Detail of verbose messages.", _not_negative, "an int >= 0")
    logid = _Setting("", "A tag for the run in log messages.")
    only_execute_path_to_fetches = _Setting(
        False, "Whether to skip what the wanted outputs do not need; this runtime always does."
    )

    def __init__(self) -> None:
        super().__init__()
        self.cancel_flag = ctypes.c_uint32(0)

    @property
    def terminate(self) -> bool:
        """Whether runs with these options stop as soon as possible, with `Fail`."""
        return bool(self.cancel_flag.value)

    @terminate.setter
    def terminate(self, value: bool) -> None:
        if not isinstance(value, bool):
            raise TypeError(f"terminate takes bool, got {type(value).__name__} {value!r}")
        self.cancel_flag.value = int(value)

    def add_run_config_entry(self, key: str, value: str) -> None:
        """Sets a configuration entry of the run."""
        self._add(key, value)

    def get_run_config_entry(self, key: str) -> str:
        """A configuration entry.

        Raises:
            RuntimeException: it was not set.
        """
        return self._get(key, "RunOptions")


def _size(name: str, value: int) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 0:
        raise InvalidArgument(f"the size of dimension '{name}' must be an int >= 0, got {value!r}")
    return value.__index__()


_COLLECTIONS = frozenset(
    {"free_dimensions_by_name", "free_dimensions_by_denotation", "initializers", "external_files", "providers"}
)


def _setting_names() -> list[str]:
    return [name for name, item in vars(SessionOptions).items() if isinstance(item, _Setting)]
