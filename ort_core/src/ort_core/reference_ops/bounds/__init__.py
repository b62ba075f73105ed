"""How many bytes the outputs of a node take on concrete inputs, known before they are computed."""

from __future__ import annotations

import functools
import importlib
import math
import pkgutil
from collections.abc import Sequence

from ort_core.ir.graph import Node
from ort_core.ir.shapes import is_static
from ort_core.reference_ops.bounds.rules import RULES, Rule
from ort_core.values import RuntimeValue

_MISFITS = (ValueError, ArithmeticError, AttributeError, LookupError, TypeError, StopIteration, OSError)
"""What a rule raises on inputs or attributes that the operator does not accept."""


def result_bytes(node: Node, inputs: Sequence[RuntimeValue]) -> int | None:
    """An upper bound, exact in most cases, on the bytes of all outputs of `node` for concrete `inputs`.

    The operator is taken at the canonical opset. Nothing is computed but sizes; the costliest rules count the true
    elements of a condition or the separators in strings. Strings count as the references that arrays hold, but for
    StringConcat, which makes longer ones.

    Returns:
        None if it is not known: the operator has no rule, or does not accept these inputs.
    """
    rule = find_rule(node.domain, node.op_type)
    if rule is not None:
        try:
            return max(0, rule(node, *inputs))
        except _MISFITS:
            pass
    return _declared_bytes(node)


def exceeds(node: Node, inputs: Sequence[RuntimeValue], max_bytes: int) -> bool:
    """Whether the outputs of `node` on `inputs` are, or may be, larger than `max_bytes`."""
    size = result_bytes(node, inputs)
    return size is None or size > max_bytes


@functools.cache
def find_rule(domain: str, op_type: str) -> Rule | None:
    """The rule of an operator, importing no more families of rules than needed to find it."""
    for family in _families():
        if (domain, op_type) in RULES:
            break
        importlib.import_module(family)
    return RULES.get((domain, op_type))


@functools.cache
def _families() -> tuple[str, ...]:
    return tuple(module.name for module in pkgutil.iter_modules(__path__, __name__ + "."))


def _declared_bytes(node: Node) -> int | None:
    """The size by the inferred types, where these are tensors of static shapes."""
    total = 0
    for value in node.outputs:
        if value is None:
            continue
        if value.element is None or not is_static(value.shape):
            return None
        total += math.prod(value.shape or ()) * value.element.dtype.itemsize
    return total
