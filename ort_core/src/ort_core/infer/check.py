"""Checks nodes against the schemas of their operators: counts of inputs and outputs, and attributes."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

from ort_core.errors import InvalidGraph
from ort_core.infer.constants import check_constant
from ort_core.infer.guards import check_guarded
from ort_core.ir.attributes import AttributeKind
from ort_core.ir.graph import Graph, Model, Node
from ort_core.ir.schema import operator_schema

if TYPE_CHECKING:
    from onnx.defs import OpSchema

ONNX_DOMAINS = frozenset({"", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training", "ai.onnx.training"})


class _Rules(NamedTuple):
    min_inputs: int
    max_inputs: int
    min_outputs: int
    max_outputs: int
    required_inputs: tuple[str, ...]
    kinds: Mapping[str, AttributeKind]
    required_attributes: frozenset[str]


@functools.cache
def _rules(op_type: str, domain: str, opset: int) -> _Rules | None:
    schema = operator_schema(op_type, domain, opset)
    return None if schema is None or schema.deprecated else _read(schema)


def _read(schema: OpSchema) -> _Rules:
    single = schema.FormalParameterOption.Single
    required = []
    for parameter in schema.inputs:
        if parameter.option != single:
            break
        required.append(parameter.name)
    attributes = schema.attributes
    return _Rules(
        schema.min_input,
        schema.max_input,
        schema.min_output,
        schema.max_output,
        tuple(required),
        {name: AttributeKind[str(a.type).rpartition(".")[2]] for name, a in attributes.items()},
        frozenset(name for name, a in attributes.items() if a.required),
    )


@functools.cache
def is_onnx_operator(op_type: str, domain: str) -> bool:
    """Whether the `onnx` package knows the operator at any opset."""
    import onnx.defs

    return bool(onnx.defs.has(op_type, domain))


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
        rules = _rules(node.op_type, node.domain, imports.get(node.domain, 1))
        if rules is not None:
            if (node.domain, node.op_type) not in called:
                _check_node(node, rules)
        elif (
            node.domain in ONNX_DOMAINS
            and (node.domain, node.op_type) not in called
            and not is_onnx_operator(node.op_type, node.domain)
        ):
            raise InvalidGraph(
                f"{node.where()}: ONNX has no operator of that name. Correct the name, give the node the domain of its "
                "custom operator, or define a function for it in the model."
            )


def _check_node(node: Node, rules: _Rules) -> None:
    inputs, outputs = node.inputs, node.outputs
    if not rules.min_inputs <= len(inputs) <= rules.max_inputs:
        raise InvalidGraph(_count(node, "inputs", len(inputs), rules.min_inputs, rules.max_inputs))
    if not rules.min_outputs <= len(outputs) <= rules.max_outputs:
        raise InvalidGraph(_count(node, "outputs", len(outputs), rules.min_outputs, rules.max_outputs))
    if None in inputs[: len(rules.required_inputs)]:
        name = rules.required_inputs[inputs.index(None)]
        raise InvalidGraph(
            f"{node.where()}: input {inputs.index(None)} ('{name}') is left out but required. Connect it."
        )
    for name, attribute in node.attributes.items():
        kind = rules.kinds.get(name)
        if kind is None:
            raise InvalidGraph(
                f"{node.where()}: it has no attribute '{name}'; its attributes are "
                f"{', '.join(rules.kinds) or 'none'}. Remove or rename the attribute."
            )
        if kind is not attribute.kind:
            raise InvalidGraph(
                f"{node.where()}: attribute '{name}' is of type {attribute.kind.name}, expected "
                f"{kind.name}. Export the model again with the right type."
            )
    check_guarded(node)
    if node.op_type == "Constant" and not node.domain:
        check_constant(node)
    if not rules.required_attributes <= node.attributes.keys():
        missing = sorted(rules.required_attributes - node.attributes.keys())
        raise InvalidGraph(f"{node.where()}: attribute '{missing[0]}' is required but not set. Set it.")


def _count(node: Node, what: str, got: int, least: int, most: int) -> str:
    wanted = str(least) if least == most else f"{least} to {most}" if most < 1 << 20 else f"at least {least}"
    return f"{node.where()}: got {got} {what}, expected {wanted}. Correct the node or its opset."
