"""Takes the nodes of an older opset to the common one, by the rules of `opset_rules`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from ort_core.ir.graph import Graph, Model, Node, Origin
from ort_core.load.gradient import bind_gradients
from ort_core.load.opset import CANONICAL_OPSETS
from ort_core.load.opset_check import check_node, check_operator, is_experimental
from ort_core.load.opset_functions import Imports, bodies, expand_bound_functions
from ort_core.load.opset_rules import apply_rules, pending
from ort_core.progress import Progress


def upgrade_nodes(
    model: Model, infer: Callable[[Model], object] | None, custom: Collection[tuple[str, str]], progress: Progress
) -> list[Node]:
    """Checks and rewrites the nodes of all graphs and functions; the arguments are those of `normalize_opset`.

    Returns:
        The Gradient nodes, whose tensors are further inputs of theirs now.

    Raises:
        InvalidGraph, NotImplemented: as `normalize_opset`.
    """
    gradients = bind_gradients(model)
    work = list(_outdated(model, expand_bound_functions(model), custom))
    if infer is not None and _wants_types(work):
        infer(model)
    changed: dict[Graph, None] = {}
    for node, version in work:
        progress.advance()
        if node.graph is not None:
            changed[node.graph] = None
            apply_rules(node, version)
    for graph in changed:
        graph.sort()
    return gradients


def _outdated(
    model: Model, origins: dict[Node, Imports], custom: Collection[tuple[str, str]]
) -> Iterator[tuple[Node, int]]:
    """The nodes that some rule applies to, with their versions; checks every operator on the way."""
    seen: dict[tuple[str, str, int], bool] = {}
    for graph, imports in bodies(model):
        for node in graph.walk():
            canonical = CANONICAL_OPSETS.get(node.domain)
            if canonical is None or (node.domain, node.op_type, node.overload) in model.functions:
                continue
            version = (origins.get(node, imports) if origins else imports).get(node.domain, canonical)
            key = (node.domain, node.op_type, version)
            outdated = seen.get(key)
            if outdated is None:
                outdated = False
                if key[:2] not in custom:
                    check_operator(node, version, canonical)
                    outdated = bool(pending(node, version))
                seen[key] = outdated
            if outdated:
                node.origin = node.origin or Origin(node.op_type, node.domain, version)
                check_node(node, version)
                yield node, version


def _wants_types(work: list[tuple[Node, int]]) -> bool:
    wanted = any(rule.wants and rule.wants(node) for node, version in work for rule in pending(node, version))
    return wanted and not any(is_experimental(node, version) for node, version in work)
