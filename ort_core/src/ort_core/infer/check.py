"""Checks nodes against the schemas of their operators: counts of inputs and outputs, and attributes."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ort_core.errors import InvalidGraph
from ort_core.infer.constants import check_constant
from ort_core.infer.guards import check_guarded
from ort_core.ir.graph import Graph, Model, Node
from ort_core.ir.schema import OperatorSignature, is_defined, operator_signature

ONNX_DOMAINS = frozenset({"", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", "ai.onnx.training"})


def check_nodes(model: Model, known: Collection[tuple[str, str]] = ()) -> None:
    """Checks every node of the model against its operator's schema, as far as ONNX has one.

    Args:
        known: operators of ONNX's own domains that somebody implements although ONNX does not define them.

    Raises:
        InvalidGraph: an operator does not exist in ONNX's domains, has a wrong number of inputs or outputs, lacks a
            required input or attribute, or has an attribute that is unknown or of the wrong type.
    """
    called = {key[:2] for key in model.functions} | set(known)
    _check_graph(model.graph, model.opset_imports, called)
    for function in model.functions.values():
        _check_graph(function.graph, function.opset_imports or model.opset_imports, called)


def _check_graph(graph: Graph, imports: Mapping[str, int], called: Collection[tuple[str, str]]) -> None:
    for node in graph.walk():
        signature = operator_signature(node.op_type, node.domain, imports.get(node.domain, 1))
        if signature is not None and not signature.deprecated:
            if (node.domain, node.op_type) not in called:
                _check_node(node, signature)
        elif (
            node.domain in ONNX_DOMAINS
            and (node.domain, node.op_type) not in called
            and not is_defined(node.op_type, node.domain)
        ):
            raise InvalidGraph(
                f"{node.where()}: ONNX has no operator of that name. Correct the name, give the node the domain of its "
                "custom operator, or define a function for it in the model."
            )


def _check_node(node: Node, signature: OperatorSignature) -> None:
    inputs, outputs = node.inputs, node.outputs
    if not signature.min_inputs <= len(inputs) <= signature.max_inputs:
        raise InvalidGraph(_count(node, "inputs", len(inputs), signature.min_inputs, signature.max_inputs))
    if not signature.min_outputs <= len(outputs) <= signature.max_outputs:
        raise InvalidGraph(_count(node, "outputs", len(outputs), signature.min_outputs, signature.max_outputs))
    if None in inputs:
        _check_required(node, signature)
    for name, attribute in node.attributes.items():
        kind = signature.attributes.get(name)
        if kind is None:
            raise InvalidGraph(
                f"{node.where()}: it has no attribute '{name}'; its attributes are "
                f"{', '.join(signature.attributes) or 'none'}. Remove or rename the attribute."
            )
        if kind is not attribute.kind:
            raise InvalidGraph(
                f"{node.where()}: attribute '{name}' is of type {attribute.kind.name}, expected "
                f"{kind.name}. Export the model again with the right type."
            )
    check_guarded(node)
    if node.op_type == "Constant" and not node.domain:
        check_constant(node)
    if not signature.required_attributes <= node.attributes.keys():
        missing = sorted(signature.required_attributes - node.attributes.keys())
        raise InvalidGraph(f"{node.where()}: attribute '{missing[0]}' is required but not set. Set it.")


def _check_required(node: Node, signature: OperatorSignature) -> None:
    for index, (parameter, value) in enumerate(zip(signature.inputs, node.inputs, strict=False)):
        if parameter.mark:
            break
        if value is None:
            raise InvalidGraph(
                f"{node.where()}: input {index} ('{parameter.name}') is left out but required. Connect it."
            )


def _count(node: Node, what: str, got: int, least: int, most: int) -> str:
    wanted = str(least) if least == most else f"{least} to {most}" if most < 1 << 20 else f"at least {least}"
    return f"{node.where()}: got {got} {what}, expected {wanted}. Correct the node or its opset."
