"""What is provable of the shapes of values and of the contents of small integer tensors.

Unlike the symbolic dimensions in `Value.type`, whose names only repeat what the model claims, two equal terms here are
equal in every run: a symbol is one dimension of one value. Facts stay true while the graph is rewritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from ort_core.infer.constants import known_array
from ort_core.infer.terms import DIMENSION, Symbol, Term, fits_int64
from ort_core.ir.graph import Graph, Node, Value
from ort_core.ir.types import ElementType, TensorType

Terms: TypeAlias = "tuple[Term, ...]"

MAX_ELEMENTS = 128
_INTEGERS = (ElementType.INT64, ElementType.BOOL)


class ShapeFacts:
    """The facts of one graph, computed in topological order; values of outer graphs have what their types say."""

    def __init__(self, graph: Graph) -> None:
        from ort_core.infer.element_rules import ELEMENT_RULES
        from ort_core.infer.shape_rules import SHAPE_RULES

        self._shapes: dict[Value, Terms | None] = {}
        self._elements: dict[Value, Terms | None] = {}
        for node in graph.nodes:
            if node.domain or (node.attributes and any(a.ref for a in node.attributes.values())):
                continue
            value = node.outputs[0] if node.outputs else None
            static = None if value is None or len(node.outputs) > 1 else _static_shape(value)
            if value is not None and static is not None:
                self._shapes[value] = static
            elif (rule := SHAPE_RULES.get(node.op_type)) is not None:
                self._set_shapes(node, rule(self, node))
            if value is not None and node.op_type in ELEMENT_RULES and value.element in _INTEGERS:
                elements = ELEMENT_RULES[node.op_type](self, node)
                if elements is not None and len(elements) <= MAX_ELEMENTS and all(map(fits_int64, elements)):
                    self._elements[value] = elements

    def _set_shapes(self, node: Node, shapes: Sequence[Sequence[Term | None] | None] | None) -> None:
        for value, shape in zip(node.outputs, shapes or (), strict=False):
            if value is not None and shape is not None:
                self._shapes[value] = _confirmed(value, shape)

    def shape(self, value: Value | None) -> Terms | None:
        """The dimensions, or None while the rank is unknown."""
        if value is None:
            return None
        found = self._shapes.get(value)
        if found is None:
            found = self._shapes[value] = _from_type(value)
        return found

    def rank(self, value: Value | None) -> int | None:
        """The number of dimensions, or None."""
        shape = self.shape(value)
        return None if shape is None else len(shape)

    def elements(self, value: Value | None) -> Terms | None:
        """The contents of an int64 or bool tensor (as 0 and 1) of rank 0 or 1, or None."""
        if value is None:
            return None
        if value not in self._elements:
            self._elements[value] = _constant_elements(value)
        return self._elements[value]

    def integers(self, value: Value | None) -> tuple[int, ...] | None:
        """As `elements`, if all of them are known."""
        elements = self.elements(value)
        if elements is None:
            return None
        known = tuple(e for e in elements if isinstance(e, int))
        return known if len(known) == len(elements) else None


def operand(node: Node, index: int) -> Value | None:
    """Input `index` of a node, or None if it is absent."""
    return node.inputs[index] if index < len(node.inputs) else None


def dimensions(value: Value, rank: int) -> Terms:
    """Fresh symbols for the dimensions of a value, or their sizes where the type has them."""
    shape = value.shape if value.shape is not None and len(value.shape) == rank else (None,) * rank
    return tuple(d if isinstance(d, int) else Symbol(DIMENSION, value, axis) for axis, d in enumerate(shape))


def _static_shape(value: Value) -> Terms | None:
    shape = value.shape
    if shape is None:
        return None
    sizes = tuple(d for d in shape if isinstance(d, int))
    return sizes if len(sizes) == len(shape) else None


def _from_type(value: Value) -> Terms | None:
    if value.const is not None and value.is_constant:
        return tuple(value.const.shape)
    return dimensions(value, len(value.shape)) if value.shape is not None else None


def _confirmed(value: Value, shape: Sequence[Term | None]) -> Terms:
    """The shape with sizes from the type, which ONNX inferred, where the rule has a symbol or nothing."""
    typed = value.shape
    if typed is None or len(typed) != len(shape):
        typed = (None,) * len(shape)
    out: list[Term] = []
    for axis, (term, dim) in enumerate(zip(shape, typed, strict=True)):
        if isinstance(dim, int) and not isinstance(term, int):
            out.append(dim)
        else:
            out.append(Symbol(DIMENSION, value, axis) if term is None else term)
    return tuple(out)


def _constant_elements(value: Value) -> Terms | None:
    type_ = value.type
    if not isinstance(type_, TensorType) or type_.element not in _INTEGERS:
        return None
    if type_.shape is None or len(type_.shape) > 1 or any(d > MAX_ELEMENTS for d in type_.shape if isinstance(d, int)):
        return None
    array = known_array(value)
    if array is None or array.ndim > 1:
        return None
    items: Terms = tuple(np.asarray(array, np.int64).reshape(-1).tolist())
    return items


def facts_of(graph: Graph, memo: dict[Any, Any]) -> ShapeFacts:
    """The facts of a graph that `memo` holds, or new ones; older facts lack values that were made since."""
    facts: ShapeFacts | None = memo.get((ShapeFacts, graph))
    return new_facts(graph, memo) if facts is None else facts


def new_facts(graph: Graph, memo: dict[Any, Any]) -> ShapeFacts:
    """The facts of a graph as it is now, which `memo` keeps."""
    facts = memo[ShapeFacts, graph] = ShapeFacts(graph)
    return facts
