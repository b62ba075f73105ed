"""Attribute values on which `onnx.shape_inference` crashes or never returns; such nodes must not reach it.

Found by fuzzing onnx 1.23.2: it indexes out of bounds (Split, GatherND) or loops (Einsum). A `keepdims` other than 0 and 1 it
takes for 0, and others for 1.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Any

from ort_core.errors import InvalidGraph
from ort_core.ir.graph import Function, Node

_MAX_RANK = 64
_EQUATION = frozenset(string.ascii_letters + " ")


def is_equation(text: str) -> bool:
    """Whether `text` has the form of an Einsum equation."""
    left, arrow, right = text.partition("->")
    terms = [*left.split(","), right] if arrow else left.split(",")
    return all(set(term.replace("...", "", 1)) <= _EQUATION for term in terms)


def _equation(node: Node, value: Any) -> str | None:
    if is_equation(value):
        return None
    return "terms of letters with at most one '...' each, separated by commas, and perhaps '->' and a result"


def _batch_dims(node: Node, value: Any) -> str | None:
    return None if 0 <= value <= _MAX_RANK else "a count of 0 or more"


def _num_outputs(node: Node, value: Any) -> str | None:
    return None if value == len(node.outputs) else f"the number of outputs, {len(node.outputs)}"


def _keepdims(node: Node, value: Any) -> str | None:
    return None if value in (0, 1) else "0 or 1"


_GUARDED: Mapping[str, tuple[str, Callable[[Node, Any], str | None]]] = {
    "Einsum": ("equation", _equation),
    "GatherND": ("batch_dims", _batch_dims),
    "Split": ("num_outputs", _num_outputs),
}


def check_guarded(node: Node) -> None:
    """Checks the attribute of a node of the ONNX domain on which inference might crash or go wrong.

    Raises:
        InvalidGraph: its value makes no sense.
    """
    if node.domain:
        return
    name, check = _GUARDED.get(node.op_type, ("keepdims", _keepdims))
    attribute = node.attributes.get(name)
    if attribute is None or attribute.ref:
        return
    value = node.attr(name)
    expected = check(node, value)
    if expected is not None:
        raise InvalidGraph(
            f"{node.where()}: attribute '{name}' is {value!r}, expected {expected}. Correct the attribute."
        )


def is_guarded(function: Function) -> bool:
    """Whether such an attribute in the body is given by the call, where nobody has checked it."""
    for node in function.graph.walk():
        guard = _GUARDED.get(node.op_type)
        if guard is not None and guard[0] in node.attributes and node.attributes[guard[0]].ref:
            return True
    return False
