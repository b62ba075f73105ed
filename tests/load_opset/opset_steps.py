"""Which version steps ONNX's schemas have, and which of them the schemas prove to change nothing."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict

import onnx
from onnx.defs import OpSchema

OPTIONAL = OpSchema.FormalParameterOption.Optional
SINGLE = OpSchema.FormalParameterOption.Single


def steps() -> list[tuple[OpSchema, OpSchema]]:
    """Each version of each operator with the one that follows."""
    history = defaultdict(list)
    for schema in onnx.defs.get_all_schemas_with_history():
        history[schema.domain, schema.name].append(schema)
    pairs = []
    for schemas in history.values():
        schemas.sort(key=lambda s: s.since_version)
        pairs += itertools.pairwise(schemas)
    return sorted(pairs, key=lambda pair: (pair[0].domain, pair[0].name, pair[1].since_version))


def differences(old: OpSchema, new: OpSchema) -> list[str]:
    """What keeps the schemas from proving that every old node means the same under the new one."""
    found = ["deprecated"] if new.deprecated and not old.deprecated else []
    for kind in ("inputs", "outputs"):
        found += _parameter_differences(kind, getattr(old, kind), getattr(new, kind))
    if new.min_input > old.min_input or new.max_input < old.max_input:
        found.append("fewer inputs")
    for name, attribute in old.attributes.items():
        successor = new.attributes.get(name)
        if successor is None:
            found.append(f"no attribute {name}")
        elif attribute.type != successor.type or _default(attribute) != _default(successor):
            found.append(f"other type or default of {name}")
        elif successor.required and not attribute.required:
            found.append(f"required {name}")
    for name, attribute in new.attributes.items():
        if name not in old.attributes and (attribute.required or _default(attribute)):
            found.append(f"new attribute {name}")
    if _text(old) != _text(new):
        found.append("text")
    return found


def _parameter_differences(kind, old, new):
    found = []
    for index, parameter in enumerate(old):
        if index >= len(new):
            found.append(f"no {kind} {parameter.name}")
            continue
        successor = new[index]
        if parameter.option != successor.option and (parameter.option, successor.option) != (SINGLE, OPTIONAL):
            found.append(f"other {kind} {parameter.name}")
        if not set(parameter.types) <= set(successor.types):
            found.append(f"types of {kind} {parameter.name}")
    return found + [f"new {kind} {p.name}" for p in new[len(old) :] if p.option != OPTIONAL]


def _default(attribute):
    return attribute.default_value.SerializeToString() if attribute.default_value.type else b""


def _text(schema):
    parts = [schema.doc or "", *(f"{n} {a.description}" for n, a in sorted(schema.attributes.items()))]
    parts += [f"{p.description}" for p in (*schema.inputs, *schema.outputs)]
    return [re.sub(r"[^a-z0-9]", "", part.lower()) for part in parts]
