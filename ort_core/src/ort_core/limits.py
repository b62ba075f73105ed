"""`Limits`: what a session allows a model to be and to use."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

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
        nodes: nodes in all graphs, with every call of a function of the model replaced by its body.
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
    nodes: int = 1 << 16
    nesting: int = 48
    fold_bytes: int = 1 << 20

    def __post_init__(self) -> None:
        for name in ("memory_bytes", "initializer_bytes", "nodes", "nesting", "fold_bytes"):
            value = getattr(self, name)
            optional = name in ("memory_bytes", "initializer_bytes")
            if not (value is None and optional) and (not isinstance(value, int) or value < 0):
                raise InvalidArgument(
                    f"Limits.{name} takes an int >= 0{' or None' * optional}, got {type(value).__name__} {value!r}"
                )
        timeout = self.load_timeout_s
        if timeout is not None and (not isinstance(timeout, int | float) or not 0 < timeout < math.inf):
            raise InvalidArgument(f"Limits.load_timeout_s takes a number of seconds > 0 or None, got {timeout!r}")
        if self.operators is not None:
            object.__setattr__(self, "operators", frozenset(map(_operator, _names(self.operators))))

    def allows(self, domain: str, op_type: str) -> bool:
        """Whether the operator may be used; the domain of ONNX is `ai.onnx` or empty."""
        allowed = self.operators
        if allowed is None:
            return True
        domain = domain or "ai.onnx"
        return f"{domain}::{op_type}" in allowed or f"{domain}::*" in allowed

    def check_nodes(self, count: int, model: str) -> None:
        """Raises LimitExceeded if a model has more nodes than allowed."""
        if count > self.nodes:
            raise LimitExceeded(
                f"'{model}' has more than {self.nodes} nodes, the limit of this session. If it is trustworthy, "
                "set SessionOptions.limits to Limits(nodes=...) with a larger number."
            )

    def check_nesting(self, depth: int, what: str) -> None:
        """Raises LimitExceeded if `what` is nested deeper than allowed."""
        if depth > self.nesting:
            raise LimitExceeded(
                f"{what} is nested more than {self.nesting} levels deep, the limit of this session. Flatten the "
                "model or, if it is trustworthy, set SessionOptions.limits to Limits(nesting=...) with a larger number."
            )


def _names(given: Collection[str]) -> Collection[str]:
    if isinstance(given, str) or not all(isinstance(item, str) for item in given):
        raise InvalidArgument(f"Limits.operators takes a collection of names such as 'ai.onnx::Conv', got {given!r}")
    return given


def _operator(name: str) -> str:
    domain, separator, op_type = name.partition("::")
    if not separator or not op_type:
        raise InvalidArgument(f"Limits.operators has {name!r}, expected 'domain::Operator' such as 'ai.onnx::Conv'")
    return f"{domain or 'ai.onnx'}::{op_type}"
