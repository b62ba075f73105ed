"""The check that a node fits its operator at the opset that a model imports, with messages that say what to do."""

from __future__ import annotations

from ort_core import errors
from ort_core.errors import InvalidGraph
from ort_core.ir.graph import Node
from ort_core.ir.schema import is_defined, newest_version, operator_signature
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
    domain = node.domain or "ai.onnx"
    if version < 1:
        raise InvalidGraph(
            f"{node.where()}: the model imports version {version} of {domain}, expected at least 1. Correct opset_import."
        )
    if version > canonical:
        _check_known(node, version, canonical)
    signature = operator_signature(node.op_type, node.domain, version)
    if signature is None:
        if node.op_type in EXTENSIONS or is_experimental(node, version):
            return
        raise InvalidGraph(_unknown(node, version, domain))
    if signature.deprecated and not pending(node, version):
        instead = _REPLACED_BY.get(node.op_type, "TreeEnsemble")
        raise InvalidGraph(
            f"{node.where()}: {domain}::{node.op_type} is deprecated since version {signature.since_version} and the model "
            f"imports {version}. Use {instead}, or import a version below {signature.since_version}."
        )
    if signature.since_version > canonical:
        raise errors.NotImplemented(
            f"{node.where()}: {domain}::{node.op_type} changed in version {signature.since_version}, but this ort-core works "
            f"at {canonical}. Upgrade it (pip install -U ort-core), or export the model with opset {canonical} or lower."
        )


def _check_known(node: Node, version: int, canonical: int) -> None:
    import onnx

    known = newest_version(node.domain) if node.domain in ("", "ai.onnx.ml") else canonical
    if version > known:
        raise errors.NotImplemented(
            f"{node.where()}: the model imports version {version} of {node.domain or 'ai.onnx'}, but this ort-core works at "
            f"{canonical} and onnx {onnx.__version__} knows versions up to {known}. Upgrade both: pip install -U ort-core onnx."
        )


def check_node(node: Node, version: int) -> None:
    """Checks the inputs and attributes of a node that is to be rewritten, since a rewrite would hide what is wrong.

    Raises:
        InvalidGraph: the number of inputs is wrong, or an attribute is unknown or of the wrong type.
    """
    signature = operator_signature(node.op_type, node.domain, version)
    if signature is None:
        return
    least, most = signature.min_inputs, signature.max_inputs
    if not least <= len(node.inputs) <= most:
        raise InvalidGraph(
            f"{node.where()}: got {len(node.inputs)} inputs, expected {least if least == most else f'{least} to {most}'}. "
            "Correct the node, or the opset that the model imports."
        )
    for name, attribute in node.attributes.items():
        kind = signature.attributes.get(name)
        if kind is not attribute.kind:
            expected = f"one of {', '.join(signature.attributes) or '(none)'}" if kind is None else kind.name
            raise InvalidGraph(
                f"{node.where()}: got attribute '{name}' of type {attribute.kind.name}, expected {expected}. "
                "Correct the node, or the opset that the model imports."
            )


def is_experimental(node: Node, version: int) -> bool:
    """Whether ONNX no longer defines the operator at any opset, but a rule replaces it."""
    rules = RULES.get((node.domain, node.op_type))
    return rules is not None and rules[-1].to > version and not is_defined(node.op_type, node.domain)


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
