"""Refuses models whose functions would expand without end, before anything walks through their calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from ort_core.errors import InvalidGraph
from ort_core.ir.graph import Graph, Model

MAX_DEPTH = 48
"""Levels of functions that call functions."""

MAX_NODES = 1 << 18
"""Nodes of the main graph when every call of a function of the model is replaced by its body."""

_Key: TypeAlias = tuple[str, str, str]


def check_functions(model: Model) -> None:
    """Checks how deep and how far the functions of a model expand.

    Raises:
        InvalidGraph: a function calls itself, however indirectly; or the calls are nested too deep or expand too far.
    """
    if not model.functions:
        return
    calls = {key: list(_calls(function.graph, model)) for key, function in model.functions.items()}
    sizes: dict[_Key, int] = {}
    depths: dict[_Key, int] = {}
    for key in _callees_first(calls):
        sizes[key] = sum(1 for _ in model.functions[key].graph.walk()) + sum(sizes[c] for c in calls[key])
        depths[key] = 1 + max((depths[c] for c in calls[key]), default=0)
        if depths[key] > MAX_DEPTH:
            raise InvalidGraph(
                f"function '{_label(key)}' calls functions more than {MAX_DEPTH} levels deep. Inline some of them when the "
                "model is exported."
            )
    total = len(model.graph) + sum(sizes[c] for c in _calls(model.graph, model))
    if total > MAX_NODES:
        raise InvalidGraph(
            f"the functions of graph '{model.graph.name}' expand it to {total} nodes, over the limit of {MAX_NODES}. The "
            "model is malformed or malicious; export it with less nesting of functions."
        )


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
