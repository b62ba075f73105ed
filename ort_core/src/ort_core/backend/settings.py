"""Which attributes of options the backend API may set: those that neither write files nor change what is computed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from ort_core.errors import RuntimeException
from ort_core.settings import OptionsBase

T = TypeVar("T", bound=OptionsBase)

RUN_OPTIONS = frozenset({"log_severity_level", "log_verbosity_level", "logid", "only_execute_path_to_fetches"})

SESSION_OPTIONS = frozenset(
    {
        "enable_cpu_mem_arena", "enable_mem_pattern", "enable_mem_reuse", "execution_mode", "execution_order",
        "graph_optimization_level", "inter_op_num_threads", "intra_op_num_threads", "log_severity_level",
        "log_verbosity_level", "logid", "use_deterministic_compute", "use_per_session_threads",
    }
)  # fmt: skip


def apply_settings(options: T, settings: Mapping[str, Any], allowed: Collection[str]) -> T:
    """Sets attributes of `options` and returns it; names that it does not have belong to somebody else and are ignored.

    Raises:
        RuntimeException: it has the attribute, but not among `allowed`.
    """
    for name, value in settings.items():
        if name in allowed:
            setattr(options, name, value)
        elif hasattr(options, name):
            kind = type(options).__name__
            raise RuntimeException(
                f"the backend API does not set {kind}.{name}. It sets {', '.join(sorted(allowed))}; for other settings "
                "create an InferenceSession and hand that to prepare()."
            )
    return options
