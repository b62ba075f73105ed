"""Type inference without the `onnx` package, for graphs of tensors whose operators all have a rule in `direct_rules`.

It answers only where nothing is in doubt: at the first node that has no rule, an input of unknown type, or anything that might
not fit, it gives up; ONNX's inference decides then, and words the error if it is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ort_core.errors import OrtError
from ort_core.infer.constants import constant_type, constant_weight
from ort_core.infer.direct_rules import DIRECT_RULES, UndecidedError
from ort_core.infer.refine import more_precise
from ort_core.infer.replacements import REPLACEMENTS
from ort_core.ir.attributes import SparseWeight
from ort_core.ir.graph import Model, Node, Value
from ort_core.ir.schema import ELEMENT_LETTERS, TABLE_VERSIONS, OperatorSignature, Parameter, operator_signature
from ort_core.ir.types import ElementType, TensorType, ValueType


def infer_directly(model: Model) -> dict[Value, ValueType] | None:
    """The types of the values that nodes of the main graph compute; None if ONNX's inference has to find them.

    Models that are not at the newest opset, and those with functions or subgraphs, are left to ONNX.
    """
    opsets = model.opset_imports
    if model.functions or opsets.get("") != TABLE_VERSIONS[""]:
        return None
    found: dict[Value, ValueType] = {}
    try:
        for node in model.graph.nodes:
            types = _output_types(node, opsets, found)
            for value, type_ in zip(node.outputs, types, strict=True):
                if value is not None:
                    known = more_precise(type_, value.type)
                    if known is not None:
                        found[value] = known
    except (UndecidedError, OrtError):
        return None
    return found


def _output_types(node: Node, opsets: Mapping[str, int], found: Mapping[Value, ValueType]) -> list[ValueType]:
    key = (node.domain, node.op_type)
    if node.op_type == "Constant" and not node.domain:
        weight = constant_weight(node)
        if weight is None or isinstance(weight, SparseWeight):
            raise UndecidedError
        return [constant_type(weight)]
    signature = operator_signature(node.op_type, node.domain, opsets.get(node.domain, 1))
    if signature is None or signature.deprecated or any(a.ref for a in node.attributes.values()):
        raise UndecidedError
    if not signature.min_inputs <= len(node.inputs) <= signature.max_inputs:
        raise UndecidedError
    types = [None if value is None else _known(value, found) for value in node.inputs]
    elements = _bind(signature, types)
    replacement = REPLACEMENTS.get(key)
    if replacement is not None:
        given = [type_ for type_ in replacement(node, types) if type_ is not None]
    elif (rule := DIRECT_RULES.get(key)) is not None:
        element = rule.element(node) if rule.element is not None else _element(signature, elements)
        given = [TensorType(element, shape) for shape in rule.shapes(node, types)]
    else:
        raise UndecidedError
    if len(given) < len(node.outputs):
        raise UndecidedError
    return given[: len(node.outputs)]


def _known(value: Value, found: Mapping[Value, ValueType]) -> TensorType:
    type_ = found.get(value, value.type)
    if not isinstance(type_, TensorType) or type_.shape is None:
        raise UndecidedError
    return type_


def _bind(signature: OperatorSignature, types: Sequence[TensorType | None]) -> dict[str, str]:
    """The element type, as its letter, that the inputs give each type constraint."""
    bound: dict[str, str] = {}
    parameters = signature.inputs
    for index, type_ in enumerate(types):
        parameter = parameters[min(index, len(parameters) - 1)]
        if type_ is None:
            continue
        letter = ELEMENT_LETTERS[type_.element]
        if letter not in _allowed(parameter, signature):
            raise UndecidedError
        if parameter.mark != "**" and bound.setdefault(parameter.type, letter) != letter:
            raise UndecidedError
    return bound


def _element(signature: OperatorSignature, bound: Mapping[str, str]) -> ElementType:
    parameter = signature.outputs[0]
    letter = bound.get(parameter.type)
    if letter is None:
        allowed = _allowed(parameter, signature)
        if len(allowed) != 1:
            raise UndecidedError
        letter = allowed
    return ElementType(ELEMENT_LETTERS.index(letter))


def _allowed(parameter: Parameter, signature: OperatorSignature) -> str:
    return parameter.type[1:] if parameter.type.startswith("=") else signature.types[parameter.type]
