"""Functions of older opsets that pass their attributes on: rules need the values, so their calls are expanded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ort_core.errors import InvalidGraph
from ort_core.ir.attributes import AttributeKind
from ort_core.ir.graph import Function, Graph, Model, Node
from ort_core.ir.rewrite import inline_function
from ort_core.load.opset_rules import pending

Imports = dict[str, int]

_MAX_NODES = 250_000


def bodies(model: Model) -> Iterator[tuple[Graph, Imports]]:
    """The main graph and the function bodies, each with its opset imports."""
    yield model.graph, model.opset_imports
    for function in model.functions.values():
        yield function.graph, function.opset_imports


def expand_bound_functions(model: Model) -> dict[Node, Imports]:
    """Expands every called function of which a node that refers to its attributes is outdated.

    Returns:
        The nodes that came from functions, with the opsets that they are of.

    Raises:
        InvalidGraph: such a function calls itself, or the expansion has no end in sight.
    """
    origins: dict[Node, Imports] = {}
    while True:
        function, calls = next(_to_expand(model, origins), (None, []))
        if function is None:
            return origins
        del model.functions[function.key]
        for call in calls:
            home = call.graph
            _record(function.graph.nodes, inline_function(call, function), function.opset_imports, origins)
            if home is not None:
                home.sort()
            if len(origins) > _MAX_NODES:
                raise InvalidGraph(
                    f"{_name(function)} expands to more than {_MAX_NODES} nodes together with the functions around it. "
                    "Simplify how they call each other, or export the model with a newer opset."
                )


def _to_expand(model: Model, origins: dict[Node, Imports]) -> Iterator[tuple[Function, list[Node]]]:
    for function in model.functions.values():
        if _is_bound(function, origins):
            calls = [n for g, _ in bodies(model) for n in g.walk() if (n.domain, n.op_type, n.overload) == function.key]
            if any(node in set(function.graph.walk()) for node in calls):
                raise InvalidGraph(f"{_name(function)} calls itself. ONNX functions cannot be recursive; use a Loop.")
            if calls:
                yield function, calls


def _is_bound(function: Function, origins: dict[Node, Imports]) -> bool:
    for node in function.graph.walk():
        if any(attribute.ref for attribute in node.attributes.values()):
            version = origins.get(node, function.opset_imports).get(node.domain)
            if version is not None and pending(node, version):
                return True
    return False


def _record(sources: Iterable[Node], copies: Iterable[Node], imports: Imports, origins: dict[Node, Imports]) -> None:
    """Notes which opsets the copied nodes are of, those in subgraphs of the body included."""
    for source, copy in zip(sources, copies, strict=True):
        origins[copy] = origins.get(source, imports)
        for name, attribute in source.attributes.items():
            if attribute.kind is AttributeKind.GRAPH and attribute.value is not None:
                _record(attribute.value.nodes, copy.attributes[name].value.nodes, imports, origins)
            elif attribute.kind is AttributeKind.GRAPHS and attribute.value is not None:
                for inner, inner_copy in zip(attribute.value, copy.attributes[name].value, strict=True):
                    _record(inner.nodes, inner_copy.nodes, imports, origins)


def _name(function: Function) -> str:
    return f"function '{function.domain or 'ai.onnx'}::{function.name}'"
