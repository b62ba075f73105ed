"""The cases of the opset sweep in other element types: those that each version of an operator allows in place of float."""

from collections import defaultdict
from dataclasses import replace

import onnx

from ort_core.ir.types import ElementType
from ort_core.testing.conformance.dtypes.values import cast
from ort_core.testing.conformance.opset_cases import operator_versions, opset_cases

FLOAT = "tensor(float)"
ELEMENTS = [
    element
    for element in ElementType
    if element.name in ("FLOAT16", "DOUBLE", "BFLOAT16", "BOOL")
    or (element.name.lstrip("U").startswith("INT") and element.bits >= 8)
]

LEFT_OUT = {
    ("BitCast", None): "the width of its type is tied to that of the output",
    ("Range", "bfloat16"): "onnxruntime gives a matrix, see opset_differences.py",
    ("ReduceProd", "int32"): "the product is too large",
    ("ReduceProd", "int64"): "the product is too large",
    ("SequenceInsert", None): "the types of its inputs are tied to each other",
    ("TreeEnsemble", None): "its type is tied to those of attributes",
}
"""Operator and type, or all types, that have no case, with the reason."""

COMPUTED_IN_FLOAT = {"AffineGrid", "DeformConv", "GroupNormalization", "LayerNormalization"}
"""Operators that compute doubles in float, as their definition says or in onnxruntime."""


def typed_cases():
    """Version of an operator to its cases in other types: one for each type variable and type."""
    known = set(operator_versions())
    found = defaultdict(dict)
    for case in opset_cases():
        if case.random or case.opset != case.operator.opset or case.operator not in known:
            continue
        for variable, names, allowed in _float_variables(case):
            for element in ELEMENTS:
                name = element.onnx_name
                key = f"{variable}-{name}"
                if key in found[case.operator] or f"tensor({name})" not in allowed:
                    continue
                if (case.operator.name, None) not in LEFT_OUT and (case.operator.name, name) not in LEFT_OUT:
                    found[case.operator][key] = _retype(case, names, element, key)
    return {operator: list(cases.values()) for operator, cases in found.items() if cases}


def _float_variables(case):
    """Each type variable whose inputs are all fed as floats, with them and the types that it may be."""
    graph = onnx.ModelProto.FromString(case.model).graph
    node = graph.node[0]
    if len(graph.node) > 1 or any(attribute.HasField("g") for attribute in node.attribute):
        return
    schema = onnx.defs.get_schema(node.op_type, case.opset, node.domain)
    fed = {info.name for info in graph.input if info.type.tensor_type.elem_type == ElementType.FLOAT}
    names = defaultdict(set)
    for index, name in enumerate(node.input):
        if name:
            names[schema.inputs[min(index, len(schema.inputs) - 1)].type_str].add(name)
    for constraint in schema.type_constraints:
        variable = constraint.type_param_str
        if names[variable] and names[variable] <= fed and FLOAT in constraint.allowed_type_strs:
            yield variable, names[variable], constraint.allowed_type_strs


def _retype(case, names, element, key):
    model = onnx.ModelProto.FromString(case.model)
    for info in model.graph.input:
        if info.name in names:
            info.type.tensor_type.elem_type = int(element)
    for info in model.graph.output:
        info.ClearField("type")
    feeds = {name: cast(value, element) if name in names else value for name, value in case.feeds.items()}
    content = model.SerializeToString()
    return replace(case, name=f"{case.name}-{key}", model=content, feeds=feeds, expected=None)
