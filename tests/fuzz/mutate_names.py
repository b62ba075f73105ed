"""Mutations of names and of how nodes are wired: dangling, repeated, cyclic and empty names, other operators."""

from __future__ import annotations

import random

from onnx import helper

from tests.fuzz.fuzz_protos import NAMES, OPERATORS, bodies, graphs, nodes, pick, visible_names
from tests.fuzz.mutant import Mutant, mutation


@mutation("names")
def rewire_input(rng: random.Random, mutant: Mutant) -> str | None:
    node = pick(rng, (n for n in nodes(mutant.proto) if n.input))
    if node is None:
        return None
    index = rng.randrange(len(node.input))
    choices = [*visible_names(mutant.proto)] * 2 + ["", "nobody", *node.output, *node.input]
    node.input[index] = rng.choice(choices)
    return f"input {index} of {node.op_type} is {node.input[index]!r}"


@mutation("names")
def change_input_count(rng: random.Random, mutant: Mutant) -> str | None:
    node = pick(rng, nodes(mutant.proto))
    if node is None:
        return None
    names = visible_names(mutant.proto) or [""]
    before = len(node.input)
    how = rng.choice(["drop", "add", "add empty", "many", "none"])
    if how == "drop" and node.input:
        node.input.pop(rng.randrange(len(node.input)))
    elif how == "add":
        node.input.append(rng.choice(names))
    elif how == "add empty":
        node.input.extend([""] * rng.randint(1, 3))
    elif how == "many":
        node.input.extend([rng.choice(names)] * 300)
    else:
        del node.input[:]
    return f"{node.op_type} has {len(node.input)} inputs in place of {before}"


@mutation("names")
def change_output(rng: random.Random, mutant: Mutant) -> str | None:
    node = pick(rng, (n for n in nodes(mutant.proto) if n.output))
    if node is None:
        return None
    how = rng.choice(["rename", "drop", "add", "repeat", "empty"])
    index = rng.randrange(len(node.output))
    if how == "rename":
        node.output[index] = rng.choice([*visible_names(mutant.proto), *NAMES])
    elif how == "drop":
        node.output.pop(index)
    elif how == "add":
        node.output.extend(f"extra{i}" for i in range(rng.choice([1, 2, 50])))
    elif how == "repeat":
        node.output.append(node.output[index])
    else:
        node.output[index] = ""
    return f"{how} output {index} of {node.op_type}"


@mutation("names")
def change_operator(rng: random.Random, mutant: Mutant) -> str | None:
    node = pick(rng, nodes(mutant.proto))
    if node is None:
        return None
    old, node.op_type = node.op_type, rng.choice([*OPERATORS, *OPERATORS, "NoSuchOp", "", "relu"])
    return f"{old} becomes {node.op_type!r}"


@mutation("names")
def change_domain(rng: random.Random, mutant: Mutant) -> str | None:
    node = pick(rng, nodes(mutant.proto))
    if node is None:
        return None
    node.domain = rng.choice(
        ["ai.onnx", "ai.onnx.ml", "com.microsoft", "ai.onnx.preview.training", "no.such", " ", "\0"]
    )
    return f"{node.op_type} is of domain {node.domain!r}"


@mutation("names")
def change_node_name(rng: random.Random, mutant: Mutant) -> str | None:
    node = pick(rng, nodes(mutant.proto))
    if node is None:
        return None
    node.name = rng.choice(NAMES)
    node.overload = rng.choice(["", "", "x"])
    node.doc_string = rng.choice(NAMES)
    return f"{node.op_type} is called {node.name[:10]!r}, overload {node.overload!r}"


@mutation("names")
def reorder_nodes(rng: random.Random, mutant: Mutant) -> str | None:
    body = pick(rng, (b for b in bodies(mutant.proto) if b.node))
    if body is None:
        return None
    how = rng.choice(["shuffle", "remove", "repeat", "reverse"])
    items = list(body.node)
    if how == "shuffle":
        rng.shuffle(items)
    elif how == "remove":
        items.pop(rng.randrange(len(items)))
    elif how == "repeat":
        items.append(rng.choice(items))
    else:
        items.reverse()
    copies = [type(n).FromString(n.SerializeToString()) for n in items]
    del body.node[:]
    body.node.extend(copies)
    return f"{how} {len(items)} nodes"


@mutation("names")
def insert_node(rng: random.Random, mutant: Mutant) -> str | None:
    """A random operator between a value and those that read it."""
    node = pick(rng, (n for n in mutant.proto.graph.node if n.input))
    if node is None:
        return None
    op = rng.choice([*OPERATORS, "Identity", "Shape", "Cast", "Transpose", "Neg", "Unsqueeze", "Squeeze", "Reshape"])
    index = rng.randrange(len(node.input))
    names = [node.input[index], *rng.choices(visible_names(mutant.proto), k=rng.choice([0, 0, 1, 2]))]
    made = helper.make_node(op, names, ["inserted"])
    if op == "Cast":
        made.attribute.append(helper.make_attribute("to", rng.randrange(1, 24)))
    node.input[index] = "inserted"
    mutant.proto.graph.node.insert(0, made)
    return f"{op} before input {index} of {node.op_type}"


@mutation("names")
def change_graph_outputs(rng: random.Random, mutant: Mutant) -> str | None:
    graph = rng.choice(graphs(mutant.proto))
    how = rng.choice(["none", "alias", "repeat", "any", "rename", "many"])
    if how == "none":
        del graph.output[:]
    elif how == "alias" and graph.input:
        graph.output.add().CopyFrom(rng.choice(graph.input))
    elif how == "repeat" and graph.output:
        graph.output.add().CopyFrom(rng.choice(graph.output))
    elif how == "any":
        graph.output.add(name=pick(rng, visible_names(mutant.proto)) or "")
    elif how == "many":
        for name in visible_names(mutant.proto):
            if all(o.name != name for o in graph.output):
                graph.output.add(name=name)
    elif graph.output:
        rng.choice(graph.output).name = rng.choice(NAMES)
    return how


@mutation("names")
def shadow_name(rng: random.Random, mutant: Mutant) -> str | None:
    """An inner name that an outer graph has too."""
    inner = pick(rng, graphs(mutant.proto)[1:])
    if inner is None:
        return None
    old = pick(rng, [name for n in inner.node for name in n.output])
    new = pick(rng, visible_names(mutant.proto))
    if not old or not new:
        return None
    for node in inner.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new
    return f"{old} in {inner.name} is called {new}"
