"""Operator schemas of the `onnx` package, cached."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx.defs import OpSchema

CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})
"""Operators of the ONNX domain with bodies: the core runs them unless a provider takes them whole."""


@functools.cache
def operator_schema(op_type: str, domain: str, opset: int) -> OpSchema | None:
    """The schema of an operator at an opset of its domain, or None if ONNX has none."""
    import onnx.defs

    if not 0 <= opset < 1 << 31:
        return None
    try:
        return onnx.defs.get_schema(op_type, opset, domain)
    except onnx.defs.SchemaError:
        return None
