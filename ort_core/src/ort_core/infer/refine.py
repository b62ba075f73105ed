"""Adds to inferred types what shape arithmetic proves.

It takes the place of the data propagation of `onnx.shape_inference`, which takes time and memory in proportion to the
declared length of every vector, and fails on valid broadcasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ort_core.infer.shape_facts import ShapeFacts
from ort_core.infer.shape_rules import SHAPE_RULES
from ort_core.infer.terms import DIMENSION, Symbol, Term
from ort_core.ir.graph import Graph, Model, Node, Value
from ort_core.ir.shapes import Dim
from ort_core.ir.types import MapType, SparseTensorType, TensorType, ValueType
from ort_core.progress import UNWATCHED, Progress

MADE_UP = "unk__"
"""How the names of unknown sizes begin that come from no model; within one inference equal names are equal sizes."""


def is_made_up(dim: Dim) -> bool:
    """Whether inference gave the size its name."""
    return isinstance(dim, str) and dim.startswith(MADE_UP)


def is_vague(type_: ValueType | None) -> bool:
    """Whether inference might still learn something about the type."""
    if not isinstance(type_, TensorType):
        return type_ is None
    return type_.shape is None or any(d is None or is_made_up(d) for d in type_.shape)


def refine_shapes(
    model: Model, found: dict[Value, ValueType], progress: Progress = UNWATCHED
) -> dict[Value, ValueType]:
    """Improves the types in `found`, which `Value.type` already has.

    Returns:
        The types that gained a size or a rank, if that may tell ONNX's inference more about an operator that shape
        arithmetic does not know.
    """
    gained: dict[Value, ValueType] = {}
    names: dict[Term, str] = {}
    for graph in model.graph.graphs():
        values = [v for node in graph.nodes for v in node.outputs if v is not None]
        if not any(is_vague(v.type) for v in values):
            continue
        facts = ShapeFacts(graph)
        for value in values:
            progress.advance()
            type_ = value.type
            if not isinstance(type_, TensorType) or not is_vague(type_):
                continue
            better = _refined(value, type_, facts, names)
            if better != type_:
                found[value] = better
                if _gains(type_, better):
                    gained[value] = better
    return gained if any(_needs_onnx(use.user) for value in gained for use in value.uses) else {}


def _needs_onnx(user: Node | Graph) -> bool:
    if isinstance(user, Graph):
        return user.parent is not None
    if not user.domain and user.op_type in SHAPE_RULES:
        return False
    return any(v is not None and is_vague(v.type) for v in user.outputs)


def _refined(value: Value, type_: TensorType, facts: ShapeFacts, names: dict[Term, str]) -> TensorType:
    shape = facts.shape(value)
    if shape is None or (type_.shape is not None and len(shape) != len(type_.shape)):
        return type_
    known = type_.shape or (None,) * len(shape)
    dims = tuple(
        dim if isinstance(dim, int) or (dim is not None and not is_made_up(dim)) else _dim(term, names)
        for dim, term in zip(known, shape, strict=True)
    )
    return TensorType(type_.element, dims)


def _dim(term: Term, names: dict[Term, str]) -> Dim:
    """A size, or a name that is the same for equal terms: the one of the dimension that the term stands for, if it has one."""
    if isinstance(term, int):
        return term
    if isinstance(term, Symbol) and term.kind == DIMENSION:
        shape = term.value.shape
        name = shape[term.place] if shape is not None and term.place < len(shape) else None
        if isinstance(name, str):
            return name
    return names.setdefault(term, f"{MADE_UP}x{len(names)}")


def _gains(before: TensorType, after: TensorType) -> bool:
    if before.shape is None or after.shape is None:
        return before.shape is not after.shape
    return any(isinstance(a, int) and not isinstance(b, int) for b, a in zip(before.shape, after.shape, strict=True))


def anonymous(type_: ValueType | None) -> ValueType | None:
    """The type without made-up names, which mean nothing outside the inference that made them."""
    if isinstance(type_, TensorType) and type_.shape and any(map(is_made_up, type_.shape)):
        return TensorType(type_.element, tuple([None if is_made_up(d) else d for d in type_.shape]))
    return type_


def more_precise(found: ValueType | None, known: ValueType | None) -> ValueType | None:
    """What an inference and an earlier one know together; on the kind of value the later one is right."""
    known = anonymous(known)
    if found is None or known is None or found == known:
        return known if found is None else found
    if not isinstance(found, TensorType) or not isinstance(known, TensorType) or found.element is not known.element:
        return found
    if found.shape is None or known.shape is None or len(found.shape) != len(known.shape):
        return known if found.shape is None else found
    dims = [
        k if isinstance(k, int) or (k is not None and (f is None or is_made_up(f))) else f
        for f, k in zip(found.shape, known.shape, strict=True)
    ]
    return TensorType(found.element, tuple(dims))


def unchanged(before: Mapping[Value, ValueType | None]) -> bool:
    """Whether no value knows more than before."""
    return all(v.type == t or anonymous(v.type) == anonymous(t) for v, t in before.items())


def without_shapes(type_: ValueType | None) -> ValueType | None:
    """The type with every shape in it unknown."""
    return None if type_ is None else _without_shapes(type_)


def _without_shapes(type_: ValueType) -> ValueType:
    if isinstance(type_, TensorType | SparseTensorType):
        return replace(type_, shape=None)
    if isinstance(type_, MapType):
        return replace(type_, value=_without_shapes(type_.value))
    return replace(type_, element=_without_shapes(type_.element))
