"""Runs single nodes: with a kernel of ours where there is one, otherwise with the operator of `onnx.reference`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ort_core.errors import InvalidGraph, OrtError, OutOfMemory, RuntimeException
from ort_core.errors import NotImplemented as NotImplementedByReference
from ort_core.ir.attributes import AttributeKind
from ort_core.ir.graph import Node
from ort_core.ir.schema import operator_schema
from ort_core.ir.types import TensorType, describe
from ort_core.providers.names import REFERENCE
from ort_core.reference_ops.bounds import exceeds
from ort_core.reference_ops.exact import exact
from ort_core.reference_ops.onnx_ops import DOMAINS, find_class, make_run
from ort_core.reference_ops.registry import find_kernel
from ort_core.values import RuntimeValue, type_of

if TYPE_CHECKING:
    from ort_core.providers.spec import CompileContext

RANDOM = frozenset(
    {
        "Bernoulli", "Dropout", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
    }
)  # fmt: skip
"""Operators of the ONNX domain that draw random numbers; Dropout in training mode only."""

_PLAIN_KINDS = frozenset(
    {
        AttributeKind.FLOAT, AttributeKind.FLOATS, AttributeKind.INT, AttributeKind.INTS, AttributeKind.STRING,
        AttributeKind.STRINGS,
    }
)  # fmt: skip


def supports(node: Node, opsets: Mapping[str, int]) -> str | None:
    """Why `node` cannot be bound, or None if it can.

    Control flow and operators that exist only as a function body are declined: the core runs the one and expands the other.
    """
    if any(True for _ in node.subgraphs):
        return "operators with subgraphs are run by the core"
    if node.overload:
        return f"overload '{node.overload}' names a function of the model"
    if unbound := next((name for name, a in node.attributes.items() if a.ref), None):
        return f"attribute '{unbound}' refers to an attribute of a function"
    if spec := find_kernel(node.op_type, node.domain):
        return spec.decline_reason(node, None)
    if node.domain not in DOMAINS:
        return f"domain '{node.domain}' is unknown to onnx.reference"
    opset = opsets.get(node.domain, 1)
    if find_class(node.op_type, node.domain, opset) is not None:
        return None
    schema = operator_schema(node.op_type, node.domain, opset)
    if schema is None:
        return f"{node.label} does not exist in opset {opset}"
    if getattr(schema, "has_function", False) or getattr(schema, "has_context_dependent_function", False):
        return f"{node.label} is a function: the core expands its body"
    return f"onnx.reference does not implement {node.label}"


def bind(
    node: Node, opsets: Mapping[str, int], ctx: CompileContext | None = None
) -> Callable[..., tuple[RuntimeValue, ...]]:
    """The computation of one node: called with its inputs (None for an absent one), it returns its outputs.

    Inputs are never written; outputs may be views of inputs. The caller silences numpy's floating-point warnings
    (`np.errstate`) for all nodes of a run at once.

    Raises:
        NotImplemented: `supports` gives a reason.
        InvalidGraph: the attributes do not make sense.
        RuntimeException: from the returned callable, when the operator fails.
    """
    call = bind_kernel(node, opsets, ctx)
    if len(node.outputs) != 1:
        return cast("Callable[..., tuple[RuntimeValue, ...]]", call)
    return lambda *inputs: (call(*inputs),)


def bind_kernel(
    node: Node, opsets: Mapping[str, int], ctx: CompileContext | None = None
) -> Callable[..., RuntimeValue | tuple[RuntimeValue, ...]]:
    """As `bind`, but a node with one output returns it bare, as the executable of kernel providers likes it."""
    reason = supports(node, opsets)
    if reason is not None:
        raise NotImplementedByReference(
            f"{REFERENCE} has no kernel for {node.where()}: {reason}. Add a provider that implements it."
        )
    try:
        run = _make_run(node, opsets, ctx)
    except OrtError:
        raise
    except Exception as error:
        raise InvalidGraph(
            f"{node.where()} cannot be prepared on {REFERENCE}: {error}. Check its attributes: {sorted(node.attributes)}."
        ) from error
    if len(node.outputs) == 1:
        return _single(node, run)
    return _several(node, run)


def evaluate(
    node: Node,
    inputs: Sequence[np.ndarray | None],
    opsets: Mapping[str, int],
    *,
    max_bytes: int | None = None,
) -> tuple[RuntimeValue, ...] | None:
    """The outputs of `node` on constant inputs, or None if it cannot be computed, draws random numbers, or fails.

    Args:
        max_bytes: give up, before computing, on outputs that are or may be larger than this.
    """
    if max_bytes is not None and exceeds(node, inputs, max_bytes):
        return None
    if _is_random(node, inputs):
        return None
    try:
        call = _bind_cached(node, opsets)
        if call is None:
            return None
        with np.errstate(all="ignore"):
            result = call(*inputs)
    except Exception:  # a node that fails here fails again, with its message, when the model runs
        return None
    return result if len(node.outputs) != 1 else (result,)


def _is_random(node: Node, inputs: Sequence[np.ndarray | None]) -> bool:
    if node.domain or node.op_type not in RANDOM:
        return False
    return node.op_type != "Dropout" or bool(len(inputs) > 2 and inputs[2] is not None and inputs[2].any())


_CACHE_LIMIT = 512
_cache: dict[Any, Callable[..., Any] | None] = {}


def _bind_cached(node: Node, opsets: Mapping[str, int]) -> Callable[..., Any] | None:
    """`bind_kernel`, shared by nodes that differ in names only; None for what is not supported."""
    key: Any = None
    if all(a.kind in _PLAIN_KINDS for a in node.attributes.values()):
        key = (
            node.op_type,
            node.domain,
            opsets.get(node.domain),
            tuple(v is not None for v in node.inputs),
            tuple(
                v.element if v is not None and isinstance(v.type, TensorType) else v and v.type for v in node.outputs
            ),
            tuple((name, a.kind, a.value, a.ref) for name, a in node.attributes.items()),
        )
        if key in _cache:
            return _cache[key]
    call = bind_kernel(node, opsets) if supports(node, opsets) is None else None
    if key is not None:
        if len(_cache) >= _CACHE_LIMIT:
            _cache.clear()
        _cache[key] = call
    return call


def _make_run(node: Node, opsets: Mapping[str, int], ctx: CompileContext | None) -> Callable[..., Any]:
    spec = find_kernel(node.op_type, node.domain)
    if spec is not None:
        return spec.bind(node, cast("CompileContext", ctx)).call
    op_class = find_class(node.op_type, node.domain, opsets.get(node.domain, 1))
    if op_class is None:
        raise NotImplementedByReference(f"{REFERENCE} has no kernel for {node.where()}")
    return make_run(node, op_class, opsets)


def _single(node: Node, run: Callable[..., Any]) -> Callable[..., RuntimeValue]:
    type_ = node.outputs[0].type if node.outputs[0] is not None else None
    dtype = type_.element.dtype if isinstance(type_, TensorType) else None
    ndarray = np.ndarray

    def call(*inputs: RuntimeValue) -> RuntimeValue:
        try:
            result = run(*inputs)
            if result.__class__ is tuple:
                result = result[0]
            if result.__class__ is ndarray and result.dtype is dtype and result.flags.c_contiguous:
                return result
            return exact(result, type_)
        except Exception as error:
            raise _failure(node, inputs, error) from error

    return call


def _several(node: Node, run: Callable[..., Any]) -> Callable[..., tuple[RuntimeValue, ...]]:
    types = tuple(v.type if v is not None else None for v in node.outputs)
    wanted = tuple(v is not None for v in node.outputs)

    def call(*inputs: RuntimeValue) -> tuple[RuntimeValue, ...]:
        try:
            results = run(*inputs)
            if not isinstance(results, tuple):
                results = (results,)
            if len(results) < len(types):
                raise ValueError(f"got {len(results)} outputs, the node has {len(types)}")
            return tuple(exact(r, t) if want else None for r, t, want in zip(results, types, wanted, strict=False))
        except Exception as error:
            raise _failure(node, inputs, error) from error

    return call


def _failure(node: Node, inputs: Sequence[RuntimeValue], error: Exception) -> OrtError:
    shown = ", ".join(_describe(v) for v in inputs)
    place = f"{node.where()} failed on {REFERENCE} with inputs ({shown})"
    if isinstance(error, MemoryError):
        return OutOfMemory(f"{place}: {str(error).rstrip('.')}. Make the inputs smaller, or free memory.")
    what = (str(error) if isinstance(error, OrtError) else f"{type(error).__name__}: {error}").rstrip(".")
    if isinstance(error, NotImplementedError):
        return NotImplementedByReference(f"{place}: {what}. Run the node on another provider.")
    return RuntimeException(f"{place}: {what}. Check the types, shapes and values of its inputs against the operator.")


def _describe(value: RuntimeValue) -> str:
    if value is None:
        return "absent"
    type_ = type_of(value)
    return type(value).__name__ if type_ is None else describe(type_)
