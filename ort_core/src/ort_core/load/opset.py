"""One opset: brings every node of a model to the canonical version of its operator, so that kernels exist once."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ort_core.ir.graph import ONNX_DOMAIN, Model, Node
from ort_core.ir.schema import operator_signature
from ort_core.progress import UNWATCHED, Progress

CANONICAL_OPSETS = {
    ONNX_DOMAIN: 28,
    "ai.onnx.ml": 5,
    "ai.onnx.preview": 1,
    "ai.onnx.preview.training": 1,
}
"""The version of each standard domain that every node means after `normalize_opset`."""

_TRAINING = "ai.onnx.preview.training"
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
    gradients: list[Node] = []
    if not _is_current(model):
        from ort_core.load.opset_upgrade import upgrade_nodes

        gradients = upgrade_nodes(model, infer, custom, progress)
    for imports in (model.opset_imports, *(f.opset_imports for f in model.functions.values())):
        _declare(imports)
    if model.header is not None:
        model.header.ir_version = max(model.header.ir_version, _IR_VERSION)
    if gradients:
        from ort_core.load.gradient import expand_gradients

        expand_gradients(model, gradients, infer)
    return model


def _is_current(model: Model) -> bool:
    """Whether every operator of the model is as it is at the common opset; if so, no rule is loaded."""
    imports = model.opset_imports
    if model.functions or _TRAINING in imports:
        return False
    return all(
        _is_unchanged(node.op_type, node.domain, imports.get(node.domain, canonical), canonical)
        for node in model.graph.walk()
        if (canonical := CANONICAL_OPSETS.get(node.domain)) is not None
    )


def _is_unchanged(op_type: str, domain: str, version: int, canonical: int) -> bool:
    if not 1 <= version <= canonical:
        return False
    signature = operator_signature(op_type, domain, version)
    newest = operator_signature(op_type, domain, canonical)
    if signature is None or newest is None or signature.deprecated:
        return False
    return signature.since_version == newest.since_version


def _declare(imports: dict[str, int]) -> None:
    imports.setdefault(ONNX_DOMAIN, 0)
    for domain, canonical in CANONICAL_OPSETS.items():
        if domain in imports:
            imports[domain] = 4 if domain == "ai.onnx.ml" and imports[domain] < canonical else canonical
