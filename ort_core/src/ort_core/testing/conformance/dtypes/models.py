"""One-node models of the sweep with their feeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ort_core.ir.types import ElementType
from ort_core.testing.conformance.dtypes.bases import Base, bases
from ort_core.testing.conformance.dtypes.values import cast, parse_type, recast, type_proto, type_text, with_element
from ort_core.testing.conformance.dtypes.variants import OUTPUT_ATTRIBUTES, Variant, output_attribute
from ort_core.testing.conformance.tolerances import TOLERANCES, Tolerance, tolerance_of

if TYPE_CHECKING:
    import onnx
    from onnx.defs import OpSchema

_IR_VERSION = 14

TIED = {
    "BitCast": ("T1", "T2"),
    "RMSNormalization": ("T", "V"),
    "SequenceInsert": ("T", "S"),
}
"""Type variables that are free in the schema, but have to have one element type (or its width) in each model."""

STASH_TYPE = "stash_type"
"""The attribute of operators that compute in float, whatever their type."""

TYPED_ATTRIBUTES = {"TreeEnsemble": ("nodes_splits", "leaf_weights", "membership_values")}
"""Tensor attributes of the same type as the inputs."""


class Unsuited(Exception):
    """No case of the operator can be recast to a type."""


@dataclass(frozen=True, eq=False)
class DtypeModel:
    """A model of one node, made for a variant.

    Attributes:
        base: what it was made from.
        variables: the type variables that got the variant's element type.
    """

    variant: Variant
    model: onnx.ModelProto
    feeds: Mapping[str, Any]
    base: Base
    variables: Sequence[str]

    @property
    def input_types(self) -> list[str]:
        """The types of the model's inputs, as schemas write them."""
        return [type_text(info.type) for info in self.model.graph.input]

    @property
    def output_types(self) -> list[str]:
        """The types of the model's outputs."""
        return [type_text(info.type) for info in self.model.graph.output]

    @property
    def output_names(self) -> list[str]:
        """The names of the model's outputs."""
        return [info.name for info in self.model.graph.output]

    @property
    def tolerance(self) -> Tolerance:
        """That of the coarsest type of inputs, outputs, and of what the operator computes in."""
        elements = [parse_type(text)[1] for text in (*self.input_types, *self.output_types)]
        return tolerance_of(
            [*elements, ElementType.FLOAT] if STASH_TYPE in self.variant.schema.attributes else elements
        )

    @property
    def decides_inputs(self) -> bool:
        """Whether the variant's type is that of inputs, rather than of an output that an attribute chooses."""
        return any(_inputs_of(self.base, self.variant.schema, variable) for variable in self.variables)

    def widened(self, type_: str) -> DtypeModel:
        """The same values in another type, which must have them all."""
        base = Base(self.model.graph.node[0], dict(zip(self.feeds, self.input_types, strict=True)), self.feeds)
        return _make(replace(self.variant, type=type_), base, self.variables)


def dtype_model(variant: Variant) -> DtypeModel:
    """The model for a variant.

    Raises:
        Unsuited: no case of the operator can be recast so that ONNX's type inference accepts it.
    """
    from onnx.shape_inference import InferenceError

    tied = TIED.get(variant.op_type, ())
    problem = "no case has the input"
    for variables in [(variant.variable,), tied][: 2 if variant.variable in tied else 1]:
        for base in _candidates(variant):
            try:
                return _make(variant, base, variables)
            except InferenceError as error:
                problem = str(error)
    raise Unsuited(f"{variant.label}: {problem}")


def _candidates(variant: Variant) -> list[Base]:
    """The bases that have what the variant recasts, nearest first."""
    by_attribute = output_attribute(variant.schema, variant.variable) is not None
    found = bases().get((variant.domain, variant.op_type), [])
    if not by_attribute:
        found = [base for base in found if _inputs_of(base, variant.schema, variant.variable)]
    return sorted(found, key=lambda base: _distance(base, variant))


def _distance(base: Base, variant: Variant) -> tuple[bool, bool, bool]:
    """Values rather than empty tensors, the wanted type rather than another one, the wanted containers rather than none."""
    have = {base.types[name] for name in _inputs_of(base, variant.schema, variant.variable)}
    empty = any(isinstance(value, np.ndarray) and not value.size for value in base.values.values())
    structures = {parse_type(text)[0] for text in have}
    return empty, have != {variant.type}, structures != {parse_type(variant.type)[0]}


def _zero_points(node: onnx.NodeProto, schema: OpSchema) -> list[str]:
    """The inputs that are zero points; those of floating-point types must be 0."""
    return [n for n, formal in zip(node.input, schema.inputs, strict=False) if n and formal.name.endswith("zero_point")]


def _inputs_of(base: Base, schema: OpSchema, variable: str) -> list[str]:
    """The inputs of the node that have the type variable."""
    formals = schema.inputs
    return [
        name
        for index, name in enumerate(base.node.input)
        if name and formals[min(index, len(formals) - 1)].type_str == variable
    ]


def _make(variant: Variant, base: Base, variables: Sequence[str]) -> DtypeModel:
    """The base with the element type of `variant` for `variables`."""
    import onnx
    from onnx import helper

    schema, element = variant.schema, parse_type(variant.type)[1]
    node = onnx.NodeProto()
    node.CopyFrom(base.node)
    types = dict(base.types)
    for variable in variables:
        for name in _inputs_of(base, schema, variable):
            types[name] = variant.type if variable == variant.variable else with_element(types[name], element)
        if attribute := output_attribute(schema, variable):
            _set_type(node, attribute, element)
    for attribute in TYPED_ATTRIBUTES.get(variant.op_type, ()):
        if any(a.name == attribute for a in node.attribute):
            _set_type(node, attribute, element)
    feeds = {name: recast(base.values[name], text) for name, text in types.items()}
    for name in _zero_points(node, schema):
        if parse_type(types[name])[1] in TOLERANCES:
            feeds[name] = np.zeros_like(feeds[name])
    inputs = [helper.make_value_info(name, type_proto(types[name], value)) for name, value in feeds.items()]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    graph = helper.make_graph([node], "case", inputs, outputs)
    opsets = [helper.make_opsetid(domain, version) for domain, version in variant.opsets.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
    model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    return DtypeModel(variant, model, feeds, base, variables)


def _set_type(node: onnx.NodeProto, attribute: str, element: ElementType) -> None:
    """Makes an attribute choose an element type."""
    from onnx import helper, numpy_helper

    old = next((a for a in node.attribute if a.name == attribute), None)
    value: Any = int(element)
    if attribute not in OUTPUT_ATTRIBUTES:
        array = np.ones(1, np.float32) if old is None else numpy_helper.to_array(old.t)
        value = numpy_helper.from_array(cast(array, element))
    others = [a for a in node.attribute if a is not old]
    del node.attribute[:]
    node.attribute.extend([*others, helper.make_attribute(attribute, value)])
