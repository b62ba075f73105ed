"""Which types are swept: each one that a schema allows for a type variable of inputs, or that an attribute chooses."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ort_core.ir.schema import operator_schema
from ort_core.load.opset import CANONICAL_OPSETS
from ort_core.testing.conformance.dtypes.exceptions import exception

if TYPE_CHECKING:
    from onnx.defs import OpSchema

OUTPUT_ATTRIBUTES = ("dtype", "to", "output_dtype", "output_datatype")
"""Attributes that choose the type of an output by its number."""

TENSOR_ATTRIBUTE = "value"
"""The attribute whose type Constant and ConstantOfShape give to their output."""

LAST_ML_OPSET_WITH_TREES = 4
"""TreeEnsembleClassifier and TreeEnsembleRegressor are deprecated afterwards."""


@dataclass(frozen=True)
class Variant:
    """An operator with a type for one of its type variables.

    Attributes:
        type: as the schema writes it: `tensor(float16)`, `seq(tensor(float))`.
    """

    domain: str
    op_type: str
    variable: str
    type: str

    @property
    def operator(self) -> str:
        """The operator as the report names it."""
        return f"{self.domain or 'ai.onnx'}::{self.op_type}"

    @property
    def label(self) -> str:
        """A short name that tells it from all other variants."""
        prefix = f"{self.domain}." if self.domain else ""
        return f"{prefix}{self.op_type}-{self.variable}-{self.type.replace('tensor(', '', 1).replace(')', '', 1)}"

    @property
    def schema(self) -> OpSchema:
        """The operator's schema."""
        return swept_schemas()[self.domain, self.op_type]

    @property
    def allowed_types(self) -> list[str]:
        """What the schema allows for the variable."""
        return next(
            list(c.allowed_type_strs) for c in self.schema.type_constraints if c.type_param_str == self.variable
        )

    @property
    def opsets(self) -> dict[str, int]:
        """What a model of the operator imports."""
        opsets = {"": CANONICAL_OPSETS[""], self.domain: CANONICAL_OPSETS[self.domain]}
        if self.domain == "ai.onnx.ml" and self.schema.since_version <= LAST_ML_OPSET_WITH_TREES:
            opsets[self.domain] = LAST_ML_OPSET_WITH_TREES
        return opsets


@functools.cache
def swept_schemas() -> dict[tuple[str, str], OpSchema]:
    """Every operator of ONNX's domains that a model of the newest opset may use, by domain and name."""
    import onnx.defs

    found = {}
    for domain, op_type in sorted({(s.domain, s.name) for s in onnx.defs.get_all_schemas()}):
        schema = operator_schema(op_type, domain, CANONICAL_OPSETS[domain])
        if schema is not None and schema.deprecated and domain == "ai.onnx.ml":
            schema = operator_schema(op_type, domain, LAST_ML_OPSET_WITH_TREES)
        if schema is not None and not schema.deprecated:
            found[domain, op_type] = schema
    return found


@functools.cache
def variants() -> tuple[Variant, ...]:
    """All of them, but for what `exceptions` lists."""
    return tuple(
        Variant(domain, op_type, variable, name)
        for (domain, op_type), schema in swept_schemas().items()
        for variable, types in free_variables(schema)
        for name in types
        if exception(domain, op_type, variable, name) is None
    )


def free_variables(schema: OpSchema) -> Iterator[tuple[str, list[str]]]:
    """The type variables that inputs or an attribute decide, with what they may be."""
    for constraint in schema.type_constraints:
        name = constraint.type_param_str
        if any(i.type_str == name for i in schema.inputs) or output_attribute(schema, name):
            yield name, sorted(constraint.allowed_type_strs)


def output_attribute(schema: OpSchema, variable: str) -> str | None:
    """The attribute that decides a variable which no input has."""
    if any(i.type_str == variable for i in schema.inputs) or all(o.type_str != variable for o in schema.outputs):
        return None
    return next((name for name in (*OUTPUT_ATTRIBUTES, TENSOR_ATTRIBUTE) if name in schema.attributes), None)
