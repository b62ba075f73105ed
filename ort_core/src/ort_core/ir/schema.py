"""What operators take and give: the schemas of the `onnx` package, and signatures that are read from a table without it."""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from ort_core.ir.attributes import AttributeKind

if TYPE_CHECKING:
    from onnx.defs import OpSchema

CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})
"""Operators of the ONNX domain with bodies: the core runs them unless a provider takes them whole."""

TABLE_VERSIONS = {"": 28, "ai.onnx.ml": 5, "ai.onnx.preview": 1, "ai.onnx.preview.training": 1}
"""Up to which version of each domain `operators.txt` has the operators; `ort_core.ir.schema_rows` writes that file."""

_CACHED = 4096
"""Operators that are remembered: a process may load any number of models with names of their own."""

ELEMENT_LETTERS = "-abcdefghijklmnopqrstuvwxyzABCDEF"
"""The letter of each element type in a row, by its number."""


class Parameter(NamedTuple):
    """An input or output of an operator.

    Attributes:
        type: the name of the type constraint, or `=` and the letters of the element types.
        mark: empty for a required one, `?` for an optional one, `*` for any number of values of one type, `**` of any types.
    """

    name: str
    type: str
    mark: str


class OperatorSignature(NamedTuple):
    """The part of an operator's schema that checks and inference need.

    Attributes:
        types: the letters of the tensor element types that each constraint allows.
        attributes: the type of each attribute.
    """

    since_version: int
    deprecated: bool
    min_inputs: int
    max_inputs: int
    min_outputs: int
    max_outputs: int
    inputs: tuple[Parameter, ...]
    outputs: tuple[Parameter, ...]
    types: dict[str, str]
    attributes: dict[str, AttributeKind]
    required_attributes: frozenset[str]


def operator_signature(op_type: str, domain: str, opset: int) -> OperatorSignature | None:
    """The signature of an operator at an opset of its domain, or None if ONNX has none."""
    if opset <= TABLE_VERSIONS.get(domain, 0):
        return _from_table(op_type, domain, opset)
    # Only a program that has imported onnx can have registered operators of other domains there.
    return _from_onnx(op_type, domain, opset) if domain in TABLE_VERSIONS or "onnx" in sys.modules else None


@functools.lru_cache(_CACHED)
def _from_table(op_type: str, domain: str, opset: int) -> OperatorSignature | None:
    for row in _rows_of(op_type, domain):
        signature = _parse(row)
        if signature.since_version <= opset:
            return signature
    return None


@functools.lru_cache(_CACHED)
def _from_onnx(op_type: str, domain: str, opset: int) -> OperatorSignature | None:
    from ort_core.ir.schema_rows import row_of

    schema = operator_schema(op_type, domain, opset)
    return None if schema is None else _parse(row_of(schema))


@functools.cache
def operator_schema(op_type: str, domain: str, opset: int) -> OpSchema | None:
    """The schema of an operator at an opset of its domain, or None if ONNX has none."""
    import onnx.defs

    if not 0 <= opset < 1 << 31:
        return None
    try:
        return onnx.defs.get_schema(op_type, opset, domain)
    except onnx.defs.SchemaError:
        return None


@functools.cache
def newest_version(domain: str) -> int:
    """The newest version of the ONNX or the `ai.onnx.ml` domain that the installed `onnx` knows."""
    import onnx

    return int(onnx.helper.VERSION_TABLE[-1][3]) if domain else int(onnx.defs.onnx_opset_version())


def is_defined(op_type: str, domain: str) -> bool:
    """Whether the `onnx` package knows the operator at any opset."""
    if domain in TABLE_VERSIONS:
        return bool(_rows_of(op_type, domain)) or _is_registered(op_type, domain)
    return "onnx" in sys.modules and _is_registered(op_type, domain)


@functools.lru_cache(_CACHED)
def _is_registered(op_type: str, domain: str) -> bool:
    import onnx.defs

    return bool(onnx.defs.has(op_type, domain))


@functools.lru_cache(_CACHED)
def _rows_of(op_type: str, domain: str) -> tuple[str, ...]:
    """The rows of an operator, the newest first."""
    text = _table()
    start = f"\n{domain}|{op_type}|"
    first = text.find(start)
    if first < 0 or start.count("|") != 2 or start.count("\n") != 1:
        return ()
    last = text.find("\n", text.rfind(start) + 1)
    return tuple(text[first + 1 : last].split("\n"))


@functools.cache
def _table() -> str:
    path = os.path.join(os.path.dirname(__file__), "operators.txt")
    loader: Any = __spec__.loader
    data: bytes = loader.get_data(path)
    return data.decode("ascii").replace("\r\n", "\n")


def _parse(row: str) -> OperatorSignature:
    _, _, since, flags, counts, inputs, outputs, types, attributes = row.split("|")
    min_inputs, max_inputs, min_outputs, max_outputs = map(int, counts.split())
    given = [item.partition("=") for item in attributes.split()]
    return OperatorSignature(
        int(since),
        "d" in flags,
        min_inputs,
        max_inputs,
        min_outputs,
        max_outputs,
        _parameters(inputs),
        _parameters(outputs),
        {name: letters for name, _, letters in (item.partition("=") for item in types.split())},
        {name: AttributeKind(int(kind.rstrip("!"))) for name, _, kind in given},
        frozenset(name for name, _, kind in given if kind.endswith("!")),
    )


def _parameters(text: str) -> tuple[Parameter, ...]:
    found = []
    for item in text.split():
        name, _, rest = item.partition(":")
        type_ = rest.rstrip("?*")
        found.append(Parameter(name, type_, rest[len(type_) :]))
    return tuple(found)
