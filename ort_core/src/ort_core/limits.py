"""`Limits`: what a session allows a model to be and to use."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields

from ort_core.errors import InvalidArgument, LimitExceeded


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps for models that one does not trust; None means no cap.

    Attributes:
        operators: the operators that the model may use, in bodies and functions too: `ai.onnx::Conv`, or `ai.onnx::*` for a
            domain. Calls of the model's own functions are allowed; what those call is checked. Checked before anything
            of the model is inferred or computed.
        load_timeout_s: seconds that creating the session may take.
        memory_bytes: host memory for constants and values: what providers hold for the session plus what the runs in
            progress use at any time.
        initializer_bytes: total size of the constants that the model declares, wherever their data is.
        nodes: nodes in the model file, in bodies and functions too.
        expanded_nodes: nodes when every call of a function of the model is replaced by its body; a small file may have many.
        subgraphs: bodies of control flow in the model file.
        nesting: levels of subgraphs, and of functions that call functions.
        fold_bytes: size of a constant that folding may make, and 1/64 of the size of all of a graph; what would be larger is
            computed when the model runs.

    Raises:
        InvalidArgument: a cap is not a positive number, or an operator is not written as `domain::name`.
    """

    operators: Collection[str] | None = None
    load_timeout_s: float | None = None
    memory_bytes: int | None = None
    initializer_bytes: int | None = None
    nodes: int = 1 << 18
    expanded_nodes: int = 1 << 16
    subgraphs: int = 1 << 12
    nesting: int = 48
    fold_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        for name, default in _SIZES.items():
            value = getattr(self, name)
            if not (value is None and default is None) and (not isinstance(value, int) or value < 0):
                raise InvalidArgument(
                    f"Limits.{name} takes an int >= 0{'' if default else ' or None'}, got {type(value).__name__} {value!r}"
                )
        timeout = self.load_timeout_s
        if timeout is not None and (not isinstance(timeout, int | float) or not 0 < timeout < math.inf):
            raise InvalidArgument(f"Limits.load_timeout_s takes a number of seconds > 0 or None, got {timeout!r}")
        if self.operators is not None:
            object.__setattr__(self, "operators", frozenset(map(_operator, _names(self.operators))))

    def check_operator(self, domain: str, op_type: str, where: Callable[[], str]) -> None:
        """Raises LimitExceeded, naming `where()`, if an operator may not be used; the domain of ONNX is `ai.onnx` or empty."""
        allowed = self.operators
        domain = domain or "ai.onnx"
        if allowed is None or f"{domain}::{op_type}" in allowed or f"{domain}::*" in allowed:
            return
        raise LimitExceeded(
            f"{where()} uses an operator that this session does not allow. Add '{domain}::{op_type}' to "
            "SessionOptions.limits (Limits.operators) if the model may use it."
        )

    def check(self, name: str, count: int, where: str) -> None:
        """Raises LimitExceeded if `where` has more of something than the limit `name` allows."""
        cap: int = getattr(self, name)
        if count > cap:
            raise LimitExceeded(
                f"{where} has more than {cap} {_WORDS[name]}, the limit of this session. If the model is trustworthy, set "
                f"SessionOptions.limits to Limits({name}=...) with a larger number."
            )


_SIZES = {f.name: f.default for f in fields(Limits) if f.name not in ("operators", "load_timeout_s")}
_WORDS = {
    "nodes": "nodes",
    "expanded_nodes": "nodes with its functions expanded",
    "subgraphs": "bodies of control flow",
    "nesting": "levels of nesting",
}


def _names(given: Collection[str]) -> Collection[str]:
    if isinstance(given, str) or not all(isinstance(item, str) for item in given):
        raise InvalidArgument(f"Limits.operators takes a collection of names such as 'ai.onnx::Conv', got {given!r}")
    return given


def _operator(name: str) -> str:
    domain, separator, op_type = name.partition("::")
    if not separator or not op_type:
        raise InvalidArgument(f"Limits.operators has {name!r}, expected 'domain::Operator' such as 'ai.onnx::Conv'")
    return f"{domain or 'ai.onnx'}::{op_type}"
