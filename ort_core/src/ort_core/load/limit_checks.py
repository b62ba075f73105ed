"""Refuses models that are not within a session's limits, before anything is inferred or expanded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from ort_core.errors import InvalidGraph, LimitExceeded, OutOfMemory
from ort_core.ir.attributes import SparseWeight
from ort_core.ir.graph import Graph, Model
from ort_core.ir.tensors import WeightRef, packed_size_bytes
from ort_core.limits import Limits

_Key: TypeAlias = tuple[str, str, str]


def check_limits(model: Model, limits: Limits) -> None:
    """Checks operators, functions and the sizes of constants; what a reader of files has checked already is quick.

    Raises:
        InvalidGraph: a function calls itself, however indirectly.
        LimitExceeded: an operator is not allowed; there are too many nodes when functions are expanded, functions are nested
            too deep, or constants are too large.
        OutOfMemory: the constants are larger than the memory that the session may use.
    """
    _check_operators(model, limits)
    _check_functions(model, limits)
    _check_constants(model, limits)


def _check_operators(model: Model, limits: Limits) -> None:
    if limits.operators is None:
        return
    for graph in (model.graph, *(f.graph for f in model.functions.values())):
        for node in graph.walk():
            if (node.domain, node.op_type, node.overload) not in model.functions:
                limits.check_operator(node.domain, node.op_type, node.where)


def _check_constants(model: Model, limits: Limits) -> None:
    caps = [
        (limits.initializer_bytes, LimitExceeded, "Limits.initializer_bytes"),
        (limits.memory_bytes, OutOfMemory, "Limits.memory_bytes"),
    ]
    if all(cap is None for cap, _, _ in caps):
        return
    total = constant_bytes(model)
    for cap, kind, name in caps:
        if cap is not None and total > cap:
            raise kind(
                f"the constants of graph '{model.graph.name}' take {total} bytes, and {name} allows {cap}. If the model is "
                "trustworthy, set SessionOptions.limits with a larger number."
            )


def constant_bytes(model: Model) -> int:
    """The size of all constants of a model in memory, sparse ones made dense."""
    total = 0
    for graph in model.graphs():
        consts = [v.const for v in graph.initializers.values()]
        for node in graph.nodes:
            for attribute in node.attributes.values():
                consts += attribute.value if isinstance(attribute.value, tuple) else (attribute.value,)
        for const in consts:
            if isinstance(const, SparseWeight):
                total += packed_size_bytes(const.values.element, const.shape)
            elif isinstance(const, WeightRef):
                total += const.nbytes
    return total


def _check_functions(model: Model, limits: Limits) -> None:
    if not model.functions:
        return
    calls = {key: list(_calls(function.graph, model)) for key, function in model.functions.items()}
    sizes: dict[_Key, int] = {}
    depths: dict[_Key, int] = {}
    for key in _callees_first(calls):
        sizes[key] = sum(1 for _ in model.functions[key].graph.walk()) + sum(sizes[c] for c in calls[key])
        depths[key] = 1 + max((depths[c] for c in calls[key]), default=0)
        limits.check("nesting", depths[key], f"function '{_label(key)}'")
    expanded = sum(1 for _ in model.graph.walk()) + sum(sizes[c] for c in _calls(model.graph, model))
    limits.check("expanded_nodes", expanded, f"graph '{model.graph.name}'")


def _calls(graph: Graph, model: Model) -> Iterator[_Key]:
    for node in graph.walk():
        key = (node.domain, node.op_type, node.overload)
        if key in model.functions:
            yield key


def _callees_first(calls: dict[_Key, list[_Key]]) -> Iterator[_Key]:
    done: set[_Key] = set()
    for start, callees in calls.items():
        path: dict[_Key, Iterator[_Key]] = {} if start in done else {start: iter(callees)}
        while path:
            key = next(reversed(path))
            callee = next((c for c in path[key] if c not in done), None)
            if callee is None:
                done.add(key)
                del path[key]
                yield key
            elif callee in path:
                names = [_label(k) for k in path]
                cycle = [*names[names.index(_label(callee)) :], _label(callee)]
                raise InvalidGraph(
                    f"functions of the model call each other in a circle: {' -> '.join(cycle[:8])}. Functions must not be "
                    "recursive; use a Loop."
                )
            else:
                path[callee] = iter(calls[callee])


def _label(key: _Key) -> str:
    domain, name, overload = key
    return f"{domain}::{name}" + (f":{overload}" if overload else "")
