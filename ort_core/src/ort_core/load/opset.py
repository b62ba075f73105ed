"""One opset: brings every node of a model to the canonical version of its operator, so that kernels exist once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from ort_core.ir.graph import ONNX_DOMAIN, Graph, Model, Node, Origin
from ort_core.load.gradient import bind_gradients, expand_gradients
from ort_core.load.opset_check import check_node, check_operator, is_experimental
from ort_core.load.opset_functions import Imports, bodies, expand_bound_functions
from ort_core.load.opset_rules import apply_rules, pending
from ort_core.progress import UNWATCHED, Progress

CANONICAL_OPSETS = {
    ONNX_DOMAIN: 28,
    "ai.onnx.ml": 5,
    "ai.onnx.preview": 1,
    "ai.onnx.preview.training": 1,
}
"""The version of each standard domain that every node means after `normalize_opset`."""

_IR_VERSION = 14
"""The oldest version of the file format that may declare `CANONICAL_OPSETS`."""


def normalize_opset(
    model: Model,
    *,
    infer: Callable[[Model], object] | None = None,
    custom: Collection[tuple[str, str]] = (),
    progress: Progress = UNWATCHED,
) -> Model:
    """Brings all graphs and functions of a model to `CANONICAL_OPSETS`, in place; other domains are left alone.

    Gradient nodes are replaced by nodes that compute the derivatives.

    The opset imports of model and functions are set, `model.original_opsets` keeps what the file declared, and each
    node keeps its `origin`. A function that refers to its attributes in a node that changes is expanded where it is
    called. ai.onnx.ml is declared as version 4 unless the model imports 5, which only adds TreeEnsemble and marks the
    older tree operators as deprecated.

    Args:
        infer: sets the types of values, for example `ort_core.infer.shapes.infer_types`. Called at most once, before any
            change, if a rule would give a simpler graph knowing them. Without it such rules compute shapes in the graph.
            Also called where the derivative of a node depends on ranks.
        custom: domain and name of the operators that plugins define in standard domains; they are left alone.

    Returns:
        The same model.

    Raises:
        InvalidGraph: a standard domain has no such operator at the opset that the model imports, or a node that has to
            change does not fit its operator.
        NotImplemented: a node is too new, or an old one has no equivalent.
    """
    progress.begin("normalize")
    model.original_opsets = model.original_opsets or dict(model.opset_imports)
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
    for _, imports in bodies(model):
        _declare(imports)
    if model.header is not None:
        model.header.ir_version = max(model.header.ir_version, _IR_VERSION)
    if gradients:
        expand_gradients(model, gradients, infer)
    return model


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


def _declare(imports: Imports) -> None:
    imports.setdefault(ONNX_DOMAIN, 0)
    for domain, canonical in CANONICAL_OPSETS.items():
        if domain in imports:
            imports[domain] = 4 if domain == "ai.onnx.ml" and imports[domain] < canonical else canonical
