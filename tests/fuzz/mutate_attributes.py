"""Mutations of attributes: values, kinds, missing, unexpected and repeated ones."""

from __future__ import annotations

import random

import onnx
from onnx import AttributeProto, TensorProto, helper

from tests.fuzz.fuzz_protos import BAD_CODES, CODES, FLOATS, INTS, TEXTS, attributes, graphs, nodes, pick
from tests.fuzz.mutant import Mutant, mutation

_LISTS = ("floats", "ints", "strings")


@mutation("attributes")
def change_number(rng: random.Random, mutant: Mutant) -> str | None:
    found = pick(rng, (a for a in attributes(mutant.proto) if a.type in (AttributeProto.INT, AttributeProto.FLOAT)))
    if found is None:
        return None
    if found.type == AttributeProto.INT:
        found.i = rng.choice(INTS)
    else:
        found.f = rng.choice(FLOATS)
    return f"{found.name} = {found.i or found.f}"


@mutation("attributes")
def change_list(rng: random.Random, mutant: Mutant) -> str | None:
    found = pick(rng, (a for a in attributes(mutant.proto) if a.ints or a.floats))
    if found is None:
        return None
    items = found.ints or found.floats
    items[rng.randrange(len(items))] = rng.choice(INTS if found.ints else FLOATS)
    return f"{found.name} = {list(items)[:8]}"


@mutation("attributes")
def change_text(rng: random.Random, mutant: Mutant) -> str | None:
    found = pick(rng, (a for a in attributes(mutant.proto) if a.type == AttributeProto.STRING or a.strings))
    if found is None:
        return None
    text = rng.choice(TEXTS)
    if found.strings:
        found.strings[rng.randrange(len(found.strings))] = text
    else:
        found.s = text
    return f"{found.name} = {text[:40]!r}"


@mutation("attributes")
def change_length(rng: random.Random, mutant: Mutant) -> str | None:
    found = pick(rng, (a for a in attributes(mutant.proto) if any(getattr(a, f) for f in _LISTS)))
    if found is None:
        return None
    field = next(f for f in _LISTS if getattr(found, f))
    items = list(getattr(found, field))
    changed = rng.choice([[], items[:-1], items + items, items + items[:1], items * 40, items[::-1]])
    del getattr(found, field)[:]
    getattr(found, field).extend(changed)
    return f"{found.name}: {len(items)} items to {len(changed)}"


@mutation("attributes")
def change_kind(rng: random.Random, mutant: Mutant) -> str | None:
    found = pick(rng, attributes(mutant.proto))
    if found is None:
        return None
    found.type = rng.choice(AttributeProto.AttributeType.values())
    return f"{found.name} says it is of kind {found.type}"


@mutation("attributes")
def change_kind_and_value(rng: random.Random, mutant: Mutant) -> str | None:
    found = pick(rng, attributes(mutant.proto))
    if found is None:
        return None
    value = rng.choice(
        [1, -1, 1.5, "text", [1, 2], [0.5], ["a"], [], helper.make_tensor("t", 7, [1], [1]), helper.make_graph([], "e", [], []),
         helper.make_tensor_type_proto(1, [2])]
    )  # fmt: skip
    made = (
        AttributeProto(name=found.name, type=AttributeProto.INTS)
        if value == []
        else helper.make_attribute(found.name, value)
    )
    found.CopyFrom(made)
    return f"{found.name} becomes a {AttributeProto.AttributeType.Name(found.type)}"


@mutation("attributes")
def remove_attribute(rng: random.Random, mutant: Mutant) -> str | None:
    node = pick(rng, (n for n in nodes(mutant.proto) if n.attribute))
    if node is None:
        return None
    name = node.attribute.pop(rng.randrange(len(node.attribute))).name
    return f"{node.op_type} without {name}"


@mutation("attributes")
def repeat_attribute(rng: random.Random, mutant: Mutant) -> str | None:
    node = pick(rng, (n for n in nodes(mutant.proto) if n.attribute))
    if node is None:
        return None
    node.attribute.add().CopyFrom(rng.choice(node.attribute))
    return f"{node.op_type} has {node.attribute[-1].name} twice"


@mutation("attributes")
def rename_attribute(rng: random.Random, mutant: Mutant) -> str | None:
    found = pick(rng, attributes(mutant.proto))
    if found is None:
        return None
    old, found.name = (
        found.name,
        rng.choice(["", "axis", "axes", "to", "value", "body", "shape", "k", found.name + "x"]),
    )
    return f"{old} is called {found.name!r}"


@mutation("attributes")
def add_known_attribute(rng: random.Random, mutant: Mutant) -> str | None:
    """An attribute of the operator's newest schema with an odd value."""
    node = pick(rng, (n for n in nodes(mutant.proto) if onnx.defs.has(n.op_type, n.domain)))
    if node is None:
        return None
    wanted = pick(rng, onnx.defs.get_schema(node.op_type, node.domain).attributes.values())
    if wanted is None:
        return None
    kind = int(wanted.type.value)
    made = AttributeProto(name=wanted.name, type=kind)
    match kind:
        case AttributeProto.INT:
            made.i = rng.choice([*INTS, *CODES])
        case AttributeProto.FLOAT:
            made.f = rng.choice(FLOATS)
        case AttributeProto.STRING:
            made.s = rng.choice(TEXTS)
        case AttributeProto.INTS:
            made.ints.extend(rng.choices(INTS, k=rng.randrange(5)))
        case AttributeProto.FLOATS:
            made.floats.extend(rng.choices(FLOATS, k=rng.randrange(5)))
        case AttributeProto.STRINGS:
            made.strings.extend(rng.choices(TEXTS, k=rng.randrange(5)))
        case AttributeProto.TENSOR:
            made.t.CopyFrom(helper.make_tensor("t", rng.choice([1, 6, 7, 9]), [1], [rng.randrange(2)]))
        case AttributeProto.GRAPH:
            made.g.CopyFrom(rng.choice(graphs(mutant.proto)))
    old = [a for a in node.attribute if a.name == wanted.name]
    if old:
        node.attribute.remove(old[0])
    node.attribute.append(made)
    return f"{node.op_type} gets {str(made)[:120]!r}"


@mutation("attributes")
def refer_to_outer_attribute(rng: random.Random, mutant: Mutant) -> str | None:
    found = pick(rng, attributes(mutant.proto))
    if found is None:
        return None
    found.ref_attr_name = rng.choice(["factor", "alpha", found.name, "nobody"])
    return f"{found.name} refers to {found.ref_attr_name}"


@mutation("attributes")
def swap_attributes(rng: random.Random, mutant: Mutant) -> str | None:
    found = [a for a in attributes(mutant.proto) if not a.HasField("g")]
    if len(found) < 2:
        return None
    a, b = rng.sample(found, 2)
    kept = AttributeProto()
    kept.CopyFrom(a)
    a.CopyFrom(b)
    b.CopyFrom(kept)
    a.name, b.name = b.name, a.name
    return f"{a.name} and {b.name} exchange values"


@mutation("attributes")
def change_element_type(rng: random.Random, mutant: Mutant) -> str | None:
    """Attributes that hold an element type, such as Cast's `to`."""
    known = (
        "to",
        "dtype",
        "output_dtype",
        "stash_type",
        "saturate",
        "precision",
        "softmax_precision",
        "output_datatype",
    )
    found = pick(rng, (a for a in attributes(mutant.proto) if a.name in known))
    if found is None:
        return None
    found.i = rng.choice([*CODES, *BAD_CODES])
    return f"{found.name} = {found.i}"


@mutation("attributes")
def change_tensor_value(rng: random.Random, mutant: Mutant) -> str | None:
    found = pick(rng, (a for a in attributes(mutant.proto) if a.type == AttributeProto.TENSOR))
    if found is None:
        return None
    code = rng.choice([c for c in CODES if c not in (TensorProto.STRING,)])
    dims = rng.choice([[], [1], [0], [2], [1, 1]])
    found.t.CopyFrom(TensorProto(name="t", data_type=code, dims=dims, raw_data=b"\1" * 16))
    return f"{found.name} is of element type {code} and shape {dims}"
