"""Mutations of model-local functions: recursive, exponential, shadowing and malformed ones."""

from __future__ import annotations

import random

import onnx
from onnx import AttributeProto, helper

from tests.fuzz.fuzz_protos import OPERATORS, nodes, pick
from tests.fuzz.mutant import Mutant, mutation

_DOMAIN = "fuzz.functions"


def _import(mutant: Mutant, domain: str = _DOMAIN) -> None:
    if all(o.domain != domain for o in mutant.proto.opset_import):
        mutant.proto.opset_import.add(domain=domain, version=1)


def _opsets(mutant: Mutant) -> list[onnx.OperatorSetIdProto]:
    return list(mutant.proto.opset_import)


@mutation("functions")
def wrap_node(rng: random.Random, mutant: Mutant) -> str | None:
    """A node becomes the call of a function that has it as its body; some attributes become the function's own."""
    node = pick(rng, (n for n in mutant.proto.graph.node if not any(a.HasField("g") for a in n.attribute)))
    if node is None:
        return None
    _import(mutant)
    inner = onnx.NodeProto()
    inner.CopyFrom(node)
    names = list(dict.fromkeys(n for n in node.input if n))
    call = helper.make_node(f"F{len(mutant.proto.functions)}", names, node.output, domain=_DOMAIN)
    exposed = [a for a in inner.attribute if rng.random() < 0.5]
    for attribute in exposed:
        call.attribute.add().CopyFrom(attribute)
        kept = AttributeProto(name=attribute.name, type=attribute.type, ref_attr_name=attribute.name)
        attribute.CopyFrom(kept)
    if exposed and rng.random() < 0.2:
        call.attribute.pop()
    outputs = [o for o in node.output if o]
    function = helper.make_function(
        _DOMAIN, call.op_type, names, outputs, [inner], _opsets(mutant), [a.name for a in exposed]
    )
    mutant.proto.functions.append(function)
    node.CopyFrom(call)
    mutant.proto.ir_version = max(mutant.proto.ir_version, 8)
    return f"{inner.op_type} with attributes {[a.name for a in exposed]}"


@mutation("functions")
def add_tower(rng: random.Random, mutant: Mutant) -> str | None:
    """Functions that call functions: deep, exponential or in a circle, in front of a node."""
    node = pick(rng, (n for n in mutant.proto.graph.node if n.input and n.input[0]))
    if node is None:
        return None
    _import(mutant)
    levels, width = rng.choice([(3, 2), (10, 2), (40, 2), (60, 1), (3000, 1), (16, 2), (5, 8)])
    circle = rng.random() < 0.2
    for level in range(levels):
        names = ["a", *(f"t{i}" for i in range(width - 1)), "b"]
        callee = f"T{(level + 1) % levels if circle else level + 1}"
        calls = [helper.make_node(callee, [names[i]], [names[i + 1]], domain=_DOMAIN) for i in range(width)]
        mutant.proto.functions.append(helper.make_function(_DOMAIN, f"T{level}", ["a"], ["b"], calls, _opsets(mutant)))
    if not circle:
        leaf = [helper.make_node("Identity", ["a"], ["b"])]
        mutant.proto.functions.append(helper.make_function(_DOMAIN, f"T{levels}", ["a"], ["b"], leaf, _opsets(mutant)))
    mutant.proto.graph.node.insert(0, helper.make_node("T0", [node.input[0]], ["tower"], domain=_DOMAIN))
    node.input[0] = "tower"
    return f"{levels} levels of {width} calls{' in a circle' if circle else ''}"


@mutation("functions")
def shadow_operator(rng: random.Random, mutant: Mutant) -> str | None:
    """A function under the name of an operator of ONNX."""
    node = pick(rng, nodes(mutant.proto))
    if node is None or not node.output:
        return None
    inner = rng.choice(["Identity", "Neg", node.op_type])
    formals = [f"a{i}" for i in range(max(1, len(node.input)))]
    results = [f"b{i}" for i in range(len(node.output))]
    body = [helper.make_node(inner, formals[:1], [r]) for r in results]
    mutant.proto.functions.append(
        helper.make_function(node.domain, node.op_type, formals, results, body, _opsets(mutant))
    )
    return f"{node.op_type} is a function of {inner}"


@mutation("functions")
def change_function(rng: random.Random, mutant: Mutant) -> str | None:
    function = pick(rng, mutant.proto.functions)
    if function is None:
        return None
    how = rng.choice(
        ["repeat", "inputs", "outputs", "opsets", "opset", "name", "attributes", "empty", "overload", "operator"]
    )
    if how == "repeat":
        mutant.proto.functions.add().CopyFrom(function)
    elif how == "inputs":
        function.input.append(rng.choice(["", "extra", *function.input]))
    elif how == "outputs":
        function.output.append(rng.choice(["", "nobody", *function.input, *function.output]))
    elif how == "opsets":
        del function.opset_import[:]
    elif how == "opset":
        function.opset_import.add(domain=rng.choice(["", "no.such"]), version=rng.choice([1, 7, 13, 21, 99]))
    elif how == "name":
        function.name = rng.choice(["", "nobody", rng.choice(OPERATORS)])
    elif how == "attributes":
        function.attribute.extend(["factor", "factor", ""])
        function.attribute_proto.append(helper.make_attribute("alpha", 0.5))
    elif how == "empty":
        del function.node[:]
    elif how == "overload":
        function.overload = "x"
    elif function.node:
        rng.choice(function.node).op_type = rng.choice([function.name, *OPERATORS])
    return f"{how} of {function.name}"


@mutation("functions")
def call_function(rng: random.Random, mutant: Mutant) -> str | None:
    """Some node calls a function of the model, whatever it takes."""
    function, node = pick(rng, mutant.proto.functions), pick(rng, nodes(mutant.proto))
    if function is None or node is None:
        return None
    node.op_type, node.domain = function.name, function.domain
    return f"a node calls {function.name}"
