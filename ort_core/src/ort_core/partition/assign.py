"""Assignment of every node to a provider, with function expansion to a fixpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ort_core.custom_ops.catalog import CustomOps
from ort_core.errors import InvalidGraph
from ort_core.errors import NotImplemented as NoKernel
from ort_core.ir.graph import Model, Node
from ort_core.ir.rewrite import inline_function
from ort_core.partition.claims import NO_CUSTOM_OPS, Assignment, is_control_flow, offer
from ort_core.partition.functions import function_of
from ort_core.providers.spec import Provider

MAX_EXPANSIONS = 64
"""Rounds of function expansion: deeper nesting means that functions call each other in a circle."""


def assign(
    model: Model,
    providers: Sequence[Provider],
    *,
    fallback: Provider | None,
    retype: Callable[[Model], object],
    custom: CustomOps = NO_CUSTOM_OPS,
) -> Assignment:
    """Assigns every node of `model`; calls of functions that no provider takes are replaced by their bodies.

    Args:
        providers: in priority order.
        fallback: takes what is left when the providers and the functions are exhausted.
        retype: infers types again after functions were expanded.
        custom: the custom operators that nodes may call.

    Returns:
        An assignment that is complete unless it has failures: then assign again without those providers.

    Raises:
        NotImplemented: a node is left that nobody runs.
    """
    result = Assignment()
    for asked in ([*providers], [*providers, fallback] if fallback is not None else []):
        for _ in range(MAX_EXPANSIONS):
            offer(model.graph, asked, model.opset_imports, result, custom)
            if result.failures:
                return result
            if not _expand_functions(model, result):
                break
            retype(model)
        else:
            raise InvalidGraph(f"functions of the model call each other in a circle ({MAX_EXPANSIONS} levels expanded)")
    left = [n for n in model.graph.walk() if n not in result.claims and not is_control_flow(n)]
    if left:
        raise NoKernel(_message(left, result, providers, fallback))
    return result


def _expand_functions(model: Model, result: Assignment) -> bool:
    """Replaces unclaimed function calls by their bodies; whether there were any."""
    expanded = False
    for graph in list(model.graph.graphs()):
        for node in graph.nodes:
            if node in result.claims or is_control_flow(node):
                continue
            function = function_of(node, model)
            if function is not None:
                inline_function(node, function)
                result.declines.pop(node, None)
                expanded = True
        graph.sort()
    return expanded


def _message(left: Sequence[Node], result: Assignment, providers: Sequence[Provider], fallback: Provider | None) -> str:
    node = left[0]
    asked = dict.fromkeys(p.name for p in (*providers, *([fallback] if fallback else [])))
    reasons = "; ".join(f"{name}: {reason}" for name, reason in result.declines.get(node, ()))
    more = f" {len(left) - 1} more nodes have no kernel either." if len(left) > 1 else ""
    remedy = (
        "Add a provider or register a custom-op library that has the operator, check its domain and spelling, or unset "
        "session.disable_reference_fallback if it is set."
        if fallback is None
        else "Add a provider or register a custom-op library that has the operator; check its domain and spelling."
    )
    return (
        f"no kernel for {node.where()} in {', '.join(asked) or 'any provider'}"
        f"{': ' + reasons if reasons else ''}.{more} {remedy}"
    )
