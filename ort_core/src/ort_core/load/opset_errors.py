"""The check that an operator exists at the opset that a model imports, with messages that say what to do."""

from __future__ import annotations

from ort_core import errors
from ort_core.errors import InvalidGraph
from ort_core.ir.graph import Function, Node
from ort_core.load.opset_rules import RULES, pending

EXTENSIONS = frozenset(
    {"LayerNormalization", "MeanVarianceNormalization", "SimplifiedLayerNormalization", "ThresholdedRelu"}
)
"""Operators that onnxruntime has in the ONNX domain at opsets at which ONNX has no such operator, or none yet."""

_REPLACED_BY = {"Upsample": "Resize", "Scatter": "ScatterElements"}


def check_operator(node: Node, version: int, canonical: int) -> None:
    """Checks that the operator of `node` exists at `version` of its standard domain.

    Args:
        canonical: the version that nodes are brought to.

    Raises:
        InvalidGraph: there is no such operator at that version.
        NotImplemented: the operator is newer than `canonical`.
    """
    import onnx

    domain = node.domain or "ai.onnx"
    newest = {"": onnx.defs.onnx_opset_version(), "ai.onnx.ml": onnx.helper.VERSION_TABLE[-1][3]}
    known = newest.get(node.domain, canonical)
    if version < 1:
        raise InvalidGraph(f"{node.where()}: the model imports version {version} of {domain}; versions start at 1.")
    if version > known:
        raise errors.NotImplemented(
            f"{node.where()}: the model imports version {version} of {domain}, but this ort-core works at {canonical} and "
            f"onnx {onnx.__version__} knows versions up to {known}. Upgrade both: pip install -U ort-core onnx."
        )
    try:
        schema = onnx.defs.get_schema(node.op_type, version, node.domain)
    except onnx.defs.SchemaError as error:
        if node.op_type in EXTENSIONS or _is_experimental(node, version):
            return
        raise InvalidGraph(_unknown(node, version, domain)) from error
    if schema.deprecated and not pending(node, version):
        instead = _REPLACED_BY.get(node.op_type, "TreeEnsemble")
        raise InvalidGraph(
            f"{node.where()}: {domain}::{node.op_type} is deprecated since version {schema.since_version} and the model "
            f"imports {version}. Use {instead}, or import a version below {schema.since_version}."
        )
    if schema.since_version > canonical:
        raise errors.NotImplemented(
            f"{node.where()}: {domain}::{node.op_type} changed in version {schema.since_version}, but this ort-core works "
            f"at {canonical}. Upgrade it (pip install -U ort-core), or export the model with opset {canonical} or lower."
        )


def is_recursive(function: Function) -> InvalidGraph:
    """The error for a function that calls itself."""
    return InvalidGraph(
        f"function '{function.domain or 'ai.onnx'}::{function.name}' calls itself. ONNX functions cannot be recursive; "
        "use a Loop."
    )


def expands_too_far(function: Function, limit: int) -> InvalidGraph:
    """The error for functions that multiply beyond any use."""
    return InvalidGraph(
        f"expanding function '{function.domain or 'ai.onnx'}::{function.name}' gives more than {limit} nodes. "
        "The functions of the model call each other too often; simplify them or export with a newer opset."
    )


def _is_experimental(node: Node, version: int) -> bool:
    import onnx

    rules = RULES.get((node.domain, node.op_type))
    return rules is not None and rules[-1].to > version and not onnx.defs.has(node.op_type, domain=node.domain)


def _unknown(node: Node, version: int, domain: str) -> str:
    import difflib

    import onnx

    since: dict[str, int] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == node.domain:
            since[schema.name] = min(since.get(schema.name, schema.since_version), schema.since_version)
    first = since.get(node.op_type)
    if first is not None:
        return (
            f"{node.where()}: {domain}::{node.op_type} exists from version {first} on, but the model imports {version}. "
            f"Export the model with opset {first} or higher."
        )
    near = difflib.get_close_matches(node.op_type, [n for n, v in since.items() if v <= version], cutoff=0.7)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return (
        f"{node.where()}: {domain} has no operator '{node.op_type}' at version {version}. {hint}"
        "A custom operator needs a domain of its own and a registered library, or a model-local function."
    )
