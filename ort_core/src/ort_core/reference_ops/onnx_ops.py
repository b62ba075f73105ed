"""Finds and instantiates the operator classes of `onnx.reference`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ort_core.ir.graph import Node

if TYPE_CHECKING:
    from onnx.reference.op_run import OpRun

_MODULES = {
    "": "onnx.reference.ops",
    "ai.onnx.ml": "onnx.reference.ops.aionnxml",
    "ai.onnx.preview": "onnx.reference.ops.aionnx_preview",
    "ai.onnx.preview.training": "onnx.reference.ops.aionnx_preview_training",
}

DOMAINS = frozenset(_MODULES)
"""The domains that `onnx.reference` knows."""


@functools.cache
def find_class(op_type: str, domain: str, opset: int) -> type[OpRun] | None:
    """The class that computes an operator, or None if `onnx.reference` has none or expands a function body."""
    import importlib

    from onnx.reference.op_run import OpRun

    load_op = importlib.import_module(_MODULES[domain]).load_op
    try:
        found = load_op(domain, op_type, opset)
    except (NotImplementedError, RuntimeError, AssertionError, TypeError, ValueError):
        return None
    return found if isinstance(found, type) and issubclass(found, OpRun) else None


def make_run(node: Node, op_class: type[OpRun], opsets: Mapping[str, int]) -> Callable[..., Any]:
    """The class's computation with the attributes of `node` bound, to be called with the inputs."""
    from onnx.reference.ops._op import OpRunBinary, OpRunUnary

    from ort_core.ir.proto import node_to_proto

    instance = op_class(
        node_to_proto(node),
        {"log": _no_log, "opsets": dict(opsets), "verbose": 0, "new_ops": None},
    )
    if isinstance(instance, OpRunUnary | OpRunBinary):
        return instance._run
    attributes = {name: getattr(instance, name) for name in instance.attributes_names_}
    return functools.partial(instance._run, **attributes) if attributes else instance._run


def _no_log(pattern: str, *args: object) -> None:
    pass
