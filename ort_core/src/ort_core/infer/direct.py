"""Type inference without the `onnx` package, for graphs whose operators all have a rule in `direct_rules`.

It answers only where nothing is in doubt: at the first node that has no rule, an input of unknown type, or anything that might
not fit, it gives up; ONNX's inference decides then, and words the error if it is one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ort_core.errors import OrtError
from ort_core.infer.constants import constant_type, constant_weight
from ort_core.infer.direct_rules import direct_rule
from ort_core.infer.direct_rules.common import UNKNOWN_RANKS, Output, Rule, Types, UndecidedError, UnknownRankError
from ort_core.infer.direct_rules.older import FIRST_VERSIONS, is_as_today
from ort_core.infer.refine import MADE_UP, more_precise
from ort_core.infer.replacements import REPLACEMENTS
from ort_core.ir.graph import Model, Node, Value
from ort_core.ir.schema import (
    ELEMENT_LETTERS,
    TABLE_VERSIONS,
    OperatorSignature,
    Parameter,
    is_defined,
    operator_signature,
)
from ort_core.ir.shapes import Shape, compatible
from ort_core.ir.types import ElementType, TensorType, ValueType

if TYPE_CHECKING:
    from ort_core.infer.custom import CustomInference

_NOTHING: Mapping[Value, ValueType] = {}


def infer_directly(
    model: Model, custom: CustomInference = REPLACEMENTS, hints: Mapping[Value, ValueType] = _NOTHING
) -> dict[Value, ValueType] | None:
    """The types of the values that nodes of the main graph compute; None if ONNX's inference has to find them.

    Models with functions or subgraphs are left to ONNX, and so are operators of versions for which their rule is not made.

    Args:
        custom: inference functions by domain and operator, for those of `REPLACEMENTS` and those that ONNX does not define.
        hints: what is known of values that nodes compute.
    """
    opsets = model.opset_imports
    if model.functions or not 1 <= opsets.get("", 0) <= TABLE_VERSIONS[""]:
        return None
    found: dict[Value, ValueType] = {}
    names = map(f"{MADE_UP}d{{}}".format, itertools.count())
    try:
        for node in model.graph.nodes:
            types = _output_types(node, opsets, found, custom)
            for value, type_ in zip(node.outputs, types, strict=True):
                if value is not None:
                    known = more_precise(_hinted(_named(type_, names), hints.get(value)), value.type)
                    if known is not None:
                        found[value] = known
    except (UndecidedError, OrtError):
        return None
    return found


def _named(type_: ValueType | None, names: Iterator[str]) -> ValueType | None:
    """The type with a name for each unknown size, as ONNX's inference makes them up: equal names are equal sizes."""
    if not isinstance(type_, TensorType) or not type_.shape or None not in type_.shape:
        return type_
    return replace(type_, shape=tuple([next(names) if d is None else d for d in type_.shape]))


def _hinted(type_: ValueType | None, hint: ValueType | None) -> ValueType | None:
    """The type with what the hint knows more; as in ONNX's inference its names stay."""
    if type_ is None or hint is None:
        return hint if type_ is None else type_
    if not isinstance(type_, TensorType) or not isinstance(hint, TensorType) or hint.shape is None:
        return type_
    if type_.shape is None:
        return replace(type_, shape=hint.shape)
    if not compatible(type_.shape, hint.shape):
        raise UndecidedError
    pairs = zip(type_.shape, hint.shape, strict=True)
    return replace(type_, shape=tuple([d if isinstance(d, int) or h is None else h for d, h in pairs]))


def _output_types(
    node: Node, opsets: Mapping[str, int], found: Mapping[Value, ValueType], custom: CustomInference
) -> Sequence[ValueType | None]:
    if node.attributes and any(a.ref for a in node.attributes.values()):
        raise UndecidedError
    key = (node.domain, node.op_type)
    if key == ("", "Constant"):
        weight = constant_weight(node)
        return [None if weight is None else constant_type(weight)]
    types = [None if value is None else found.get(value, value.type) for value in node.inputs]
    if key in REPLACEMENTS:
        return _custom_types(node, types, custom)
    signature = operator_signature(node.op_type, node.domain, opsets.get(node.domain, 1))
    if signature is None and not is_defined(node.op_type, node.domain):
        return _custom_types(node, types, custom)
    rule = direct_rule(node.domain, node.op_type)
    if rule is None or signature is None or signature.deprecated:
        raise UndecidedError
    return _standard_types(node, signature, rule, types)


def _custom_types(node: Node, types: Sequence[ValueType | None], custom: CustomInference) -> Sequence[ValueType | None]:
    """What the operator's inference function tells, completed by what the model declares."""
    function = custom.get((node.domain, node.op_type))
    try:
        given = [] if function is None else list(function(node, types))
    except Exception as error:
        raise UndecidedError from error
    if any(isinstance(t, TensorType) and t.shape and min(_sizes(t.shape), default=0) < 0 for t in given):
        raise UndecidedError
    known = [None if value is None else value.type for value in node.outputs]
    return [known if type_ is None else type_ for type_, known in itertools.zip_longest(given[: len(known)], known)]


def _sizes(shape: Shape) -> Iterator[int]:
    return (d for d in shape if isinstance(d, int))


def _standard_types(
    node: Node, signature: OperatorSignature, rule: Rule, types: Sequence[ValueType | None]
) -> Sequence[ValueType]:
    tensors = [type_ if isinstance(type_, TensorType) else None for type_ in types]
    if any((type_ is None) != (value is None) for type_, value in zip(tensors, node.inputs, strict=True)):
        raise UndecidedError
    if not _holds(node, signature, tensors) or not signature.min_inputs <= len(tensors) <= signature.max_inputs:
        raise UndecidedError
    bound: dict[str, str] = {}
    for index, type_ in enumerate(tensors):
        if type_ is not None:
            _bind(type_, _parameter(signature.inputs, index), signature, bound)
    try:
        outputs = rule(node, tensors)
    except UnknownRankError:
        outputs = UNKNOWN_RANKS
    if len(outputs) < len(node.outputs):
        raise UndecidedError
    return [
        _completed(output, _parameter(signature.outputs, index), signature, bound)
        for index, output in enumerate(outputs[: len(node.outputs)])
    ]


def _holds(node: Node, signature: OperatorSignature, types: Types) -> bool:
    """Whether the rule of the newest version of an operator holds for a node of the version with that signature."""
    newest = operator_signature(node.op_type, node.domain, TABLE_VERSIONS[node.domain])
    if newest is None or newest.since_version == signature.since_version:
        return newest is not None
    first = FIRST_VERSIONS.get((node.domain, node.op_type))
    return first is not None and first <= signature.since_version and is_as_today(node, types)


def _completed(output: Output, parameter: Parameter, signature: OperatorSignature, bound: dict[str, str]) -> ValueType:
    if output is None or isinstance(output, tuple):
        output = TensorType(_element(parameter, signature, bound), output)
    if isinstance(output, TensorType):
        _bind(output, parameter, signature, bound)
    return output


def _parameter(parameters: Sequence[Parameter], index: int) -> Parameter:
    return parameters[min(index, len(parameters) - 1)]


def _bind(type_: TensorType, parameter: Parameter, signature: OperatorSignature, bound: dict[str, str]) -> None:
    """Checks that an input or output may have the type, and notes the element type, as its letter, of its type constraint."""
    letter = ELEMENT_LETTERS[type_.element]
    if letter not in _allowed(parameter, signature):
        raise UndecidedError
    if parameter.mark != "**" and bound.setdefault(parameter.type, letter) != letter:
        raise UndecidedError


def _element(parameter: Parameter, signature: OperatorSignature, bound: Mapping[str, str]) -> ElementType:
    letter = bound.get(parameter.type)
    if letter is None:
        letter = _allowed(parameter, signature)
        if len(letter) != 1:
            raise UndecidedError
    return ElementType(ELEMENT_LETTERS.index(letter))


def _allowed(parameter: Parameter, signature: OperatorSignature) -> str:
    return parameter.type[1:] if parameter.type.startswith("=") else signature.types[parameter.type]
