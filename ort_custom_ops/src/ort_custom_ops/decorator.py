"""The decorator `op`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from ort_core.errors import InvalidArgument
from ort_custom_ops.operator import Operator
from ort_custom_ops.signature import read_signature

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class Decorator(Protocol):
    """What `op(...)` returns: it makes a function an `Operator`, and leaves a class the class that it is."""

    @overload
    def __call__(self, target: type[C], /) -> type[C]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, target: Callable[P, R], /) -> Operator[P, R]: ...


def op(
    domain: str,
    /,
    *,
    name: str | None = None,
    since_version: int = 1,
    end_version: int | None = None,
    device: str = "cpu",
    shapes: str | None = None,
    writable_inputs: bool = False,
) -> Decorator:
    """Makes a function or a class a custom operator.

    The parameters are the inputs, the keyword-only ones the attributes, and their annotations the types. A class has the
    attributes in its constructor, of which each node has one instance, and the inputs in `__call__`::

        @op("my.domain", shapes="x")
        def Scale(x: Float32, bias: Float32 | None = None, *, factor: float = 1.0) -> Float32:
            return x * np.float32(factor) + (0 if bias is None else bias)

    The function is called with read-only arrays (strings: object arrays of `str`; sequences: lists; absent inputs: None), and
    by several threads at once. What it raises reaches the caller of `session.run` as the `__cause__` of a
    `RuntimeException` that names the node.

    Args:
        domain: of the nodes that call it.
        name: the operator's name; by default that of the function or class.
        since_version, end_version: the versions of the domain in which it exists.
        device: where it computes: `cpu` with numpy arrays, or the device type of a provider (`cuda`: CuPy arrays).
        shapes: of the outputs: the name of an input whose shape they have, `broadcast`, or a signature like
            `(N, C), (...) -> (N, C+1)`; without it they are unknown unless `infer_types` says more.
        writable_inputs: hand it copies of its inputs, which it may write to.

    Raises:
        InvalidArgument: the signature is not one of an ONNX operator.
    """
    if not isinstance(domain, str):
        raise InvalidArgument(f"op needs the operator's domain, got {domain!r}. Write @op('my.domain').")
    if since_version < 1 or (end_version is not None and end_version < since_version):
        raise InvalidArgument(f"operator {domain}::{name}: versions {since_version} to {end_version} are no range")
    names = dict(sys._getframe(1).f_locals)

    def decorate(target: Any) -> Any:
        operator: Operator[..., Any] = Operator(
            target,
            read_signature(target, names),
            domain,
            name or target.__name__,
            since_version=since_version,
            end_version=end_version,
            device=device,
            shapes=shapes,
            writable_inputs=writable_inputs,
        )
        if not inspect.isclass(target):
            return operator
        if "__ort_custom_op__" in vars(target):
            raise InvalidArgument(
                f"class {target.__qualname__} is an operator already. Make a subclass for another one."
            )
        _take_inference(operator, inspect.getattr_static(target, "infer_types", None))
        target.__ort_custom_op__ = operator  # type: ignore[attr-defined]
        return target

    return decorate


def _take_inference(operator: Operator[..., Any], member: Any) -> None:
    """The static method `infer_types` of a class."""
    if member is None:
        return
    if not isinstance(member, staticmethod):
        raise InvalidArgument(
            f"operator {operator.label}: infer_types is called without an instance. Make it a @staticmethod with the inputs "
            "as its parameters and the attributes that it needs after a '*'."
        )
    operator.infer_types(member.__func__)
