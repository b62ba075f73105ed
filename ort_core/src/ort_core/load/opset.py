"""One opset: brings every node of a model to the canonical version of its operator, so that kernels exist once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from ort_core.ir.graph import ONNX_DOMAIN, AttributeKind, Function, Graph, Model, Node, Origin
from ort_core.ir.rewrite import inline_function
from ort_core.load.opset_errors import check_operator, expands_too_far, is_recursive
from ort_core.load.opset_rules import apply_rules, pending

CANONICAL_OPSETS = {
    ONNX_DOMAIN: 28,
    "ai.onnx.ml": 5,
    "ai.onnx.preview": 1,
    "ai.onnx.preview.training": 1,
}
"""The version of each standard domain that every node means after `normalize_opset`."""

_MIN_IR_VERSION = 14
_MAX_INLINED_NODES = 250_000


def normalize_opset(
    model: Model,
    *,
    infer: Callable[[Model], None] | None = None,
    custom: Collection[tuple[str, str]] = (),
) -> Model:
    """Brings all graphs and functions of a model to `CANONICAL_OPSETS`, in place; other domains are left alone.

    The opset imports of model and functions are set, `model.original_opsets` keeps what the file declared, and each
    node keeps its `origin`. A function that refers to its attributes in a node that changes is expanded where it is
    called. ai.onnx.ml is declared as version 4 unless the model imports 5, which only adds TreeEnsemble and marks the
    older tree operators as deprecated.

    Args:
        infer: sets the types of values; called at most once, before any change, if a rule would do better knowing them.
        custom: domain and name of the operators that plugins define in standard domains; they are left alone.

    Returns:
        The same model.

    Raises:
        InvalidGraph: a standard domain has no such operator at the opset that the model imports.
        NotImplemented: a node is too new, or an old one has no equivalent.
    """
    model.original_opsets = model.original_opsets or dict(model.opset_imports)
    origins = _expand_bound_functions(model)
    work = list(_outdated(model, origins, custom))
    if infer is not None and any(rule.wants and rule.wants(n) for n, version in work for rule in pending(n, version)):
        infer(model)
    changed: dict[Graph, None] = {}
    for node, version in work:
        if node.graph is not None:
            changed[node.graph] = None
            apply_rules(node, version)
    for graph in changed:
        graph.sort()
    for _, imports in _bodies(model):
        _declare(imports)
    if model.header is not None:
        model.header.ir_version = max(model.header.ir_version, _MIN_IR_VERSION)
    return model


def _bodies(model: Model) -> Iterator[tuple[Graph, dict[str, int]]]:
    yield model.graph, model.opset_imports
    for function in model.functions.values():
        yield function.graph, function.opset_imports


def _outdated(
    model: Model, origins: dict[Node, dict[str, int]], custom: Collection[tuple[str, str]]
) -> Iterator[tuple[Node, int]]:
    """The nodes that some rule applies to, with their versions; checks every operator on the way."""
    seen: dict[tuple[str, str, int], bool] = {}
    for graph, imports in _bodies(model):
        for node in graph.walk():
            canonical = CANONICAL_OPSETS.get(node.domain)
            if canonical is None:
                continue
            version = (origins.get(node, imports) if origins else imports).get(node.domain, canonical)
            key = (node.domain, node.op_type, version)
            outdated = seen.get(key)
            if outdated is None or node.overload:
                if (node.domain, node.op_type, node.overload) in model.functions or key[:2] in custom:
                    outdated = False
                else:
                    check_operator(node, version, canonical)
                    outdated = bool(pending(node, version))
                seen[key] = outdated
            if outdated:
                node.origin = node.origin or Origin(node.op_type, node.domain, version)
                yield node, version


def _declare(imports: dict[str, int]) -> None:
    imports.setdefault(ONNX_DOMAIN, 0)
    for domain, canonical in CANONICAL_OPSETS.items():
        if domain in imports:
            imports[domain] = 4 if domain == "ai.onnx.ml" and imports[domain] < canonical else canonical


def _expand_bound_functions(model: Model) -> dict[Node, dict[str, int]]:
    """Expands the functions whose attributes a rule would have to know; returns the opsets of the nodes from them."""
    origins: dict[Node, dict[str, int]] = {}
    while True:
        function = next((f for f in model.functions.values() if _needs_attributes(f, origins)), None)
        if function is None:
            return origins
        if any(True for _ in _calls(function.graph, function)):
            raise is_recursive(function)
        del model.functions[function.key]
        for graph, _ in _bodies(model):
            for node in list(_calls(graph, function)):
                home = node.graph
                _record(function.graph.nodes, inline_function(node, function), function.opset_imports, origins)
                if len(origins) > _MAX_INLINED_NODES:
                    raise expands_too_far(function, _MAX_INLINED_NODES)
                if home is not None:
                    home.sort()


def _needs_attributes(function: Function, origins: dict[Node, dict[str, int]]) -> bool:
    for node in function.graph.walk():
        if any(attribute.ref for attribute in node.attributes.values()):
            version = origins.get(node, function.opset_imports).get(node.domain)
            if version is not None and pending(node, version):
                return True
    return False


def _calls(graph: Graph, function: Function) -> Iterator[Node]:
    return (n for n in graph.walk() if (n.domain, n.op_type, n.overload) == function.key)


def _record(
    sources: Iterable[Node], copies: Iterable[Node], imports: dict[str, int], origins: dict[Node, dict[str, int]]
) -> None:
    """Notes which opsets the copied nodes are of, those in subgraphs of the body included."""
    for source, copy in zip(sources, copies, strict=True):
        origins[copy] = origins.get(source, imports)
        for name, attribute in source.attributes.items():
            if attribute.kind is AttributeKind.GRAPH and attribute.value is not None:
                _record(attribute.value.nodes, copy.attributes[name].value.nodes, imports, origins)
            elif attribute.kind is AttributeKind.GRAPHS and attribute.value is not None:
                for inner, inner_copy in zip(attribute.value, copy.attributes[name].value, strict=True):
                    _record(inner.nodes, inner_copy.nodes, imports, origins)
