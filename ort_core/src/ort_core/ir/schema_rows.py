"""The rows of `operators.txt` from the schemas of the installed `onnx`: `python -m ort_core.ir.schema_rows` writes the file.

A row is `domain|operator|version|flags|counts|inputs|outputs|types|attributes`, where flags may have a `d` for a deprecated
operator, counts are the least and most inputs and outputs, and `ort_core.ir.schema` says how the lists are written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ort_core.ir.attributes import AttributeKind
from ort_core.ir.schema import ELEMENT_LETTERS, TABLE_VERSIONS
from ort_core.ir.types import ElementType

if TYPE_CHECKING:
    from onnx.defs import OpSchema

_LETTERS = {f"tensor({t.onnx_name})": ELEMENT_LETTERS[t] for t in ElementType}


def row_of(schema: OpSchema) -> str:
    """The row of one version of an operator."""
    constraints = {c.type_param_str for c in schema.type_constraints}
    types = [f"{c.type_param_str}={_letters(c.allowed_type_strs)}" for c in schema.type_constraints]
    attributes = [f"{name}={int(_kind(a))}{'!' if a.required else ''}" for name, a in sorted(schema.attributes.items())]
    counts = (schema.min_input, schema.max_input, schema.min_output, schema.max_output)
    columns = (
        schema.domain,
        schema.name,
        str(schema.since_version),
        "d" if schema.deprecated else "",
        " ".join(map(str, counts)),
        " ".join(_parameters(schema.inputs, constraints)),
        " ".join(_parameters(schema.outputs, constraints)),
        " ".join(sorted(types)),
        " ".join(attributes),
    )
    return "|".join(columns)


def rows() -> Iterator[str]:
    """The rows of all operators, the newest version of each first."""
    import onnx.defs

    schemas = [
        s for s in onnx.defs.get_all_schemas_with_history() if s.since_version <= TABLE_VERSIONS.get(s.domain, 0)
    ]
    for schema in sorted(schemas, key=lambda s: (s.domain, s.name, -s.since_version)):
        yield row_of(schema)


def _kind(attribute: Any) -> AttributeKind:
    return AttributeKind[str(attribute.type).rpartition(".")[2]]


def _letters(names: Iterable[str]) -> str:
    return "".join(sorted(_LETTERS[name] for name in names if name in _LETTERS))


def _parameters(formal: Iterable[Any], constraints: set[str]) -> Iterator[str]:
    for parameter in formal:
        type_ = parameter.type_str
        given = type_ if type_ in constraints else f"={_letters([type_])}"
        option = parameter.option.name
        mark = {"Single": "", "Optional": "?"}.get(option, "*" if parameter.is_homogeneous else "**")
        yield f"{parameter.name}:{given}{mark}"


if __name__ == "__main__":
    text = "\n" + "".join(f"{row}\n" for row in rows())
    with open(os.path.join(os.path.dirname(__file__), "operators.txt"), "w", encoding="ascii", newline="\n") as file:
        file.write(text)
