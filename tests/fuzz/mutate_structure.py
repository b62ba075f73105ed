"""Mutations of control flow, operator set imports and the model's own fields."""

from __future__ import annotations

import random

import onnx
from onnx import TensorProto, helper

from tests.fuzz.fuzz_protos import INTS, NAMES, graphs, infos, nodes, pick
from tests.fuzz.mutant import Mutant, mutation

_VERSIONS = (
    0,
    1,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    20,
    21,
    22,
    23,
    24,
    25,
    26,
    27,
    28,
    29,
    99,
    -1,
    1 << 31,
    (1 << 63) - 1,
)
_MOST_GRAPHS = 12
"""With more, wrapping nodes again might nest the message deeper than protobuf takes."""
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "ai.onnx.preview.training", "no.such", "com.microsoft")


@mutation("structure")
def change_opset(rng: random.Random, mutant: Mutant) -> str | None:
    found = pick(rng, mutant.proto.opset_import)
    if found is None:
        return None
    found.version = rng.choice(_VERSIONS)
    return f"{found.domain or 'ai.onnx'} {found.version}"


@mutation("structure")
def change_opset_imports(rng: random.Random, mutant: Mutant) -> str | None:
    imports = mutant.proto.opset_import
    how = rng.choice(["add", "add", "repeat", "remove", "clear"])
    if how == "add":
        imports.add(domain=rng.choice(_DOMAINS), version=rng.choice(_VERSIONS))
    elif how == "repeat" and imports:
        imports.add().CopyFrom(rng.choice(imports))
        imports[-1].version = rng.choice(_VERSIONS)
    elif how == "remove" and imports:
        imports.pop()
    else:
        del imports[:]
    return f"{how}: {[(o.domain, o.version) for o in imports]}"


@mutation("structure")
def change_header(rng: random.Random, mutant: Mutant) -> str | None:
    proto = mutant.proto
    how = rng.choice(
        ["ir_version", "ir_version", "no ir_version", "no graph", "texts", "metadata", "training", "no graph name"]
    )
    if how == "ir_version":
        proto.ir_version = rng.choice([0, 1, 2, 3, 4, 7, 9, 13, 99, -1, (1 << 63) - 1])
    elif how == "no ir_version":
        proto.ClearField("ir_version")
    elif how == "no graph":
        proto.ClearField("graph")
    elif how == "texts":
        proto.producer_name, proto.domain, proto.model_version = rng.choice(NAMES), rng.choice(NAMES), rng.choice(INTS)
    elif how == "metadata":
        for key in rng.choices(NAMES, k=3):
            proto.metadata_props.add(key=key, value=rng.choice(NAMES))
    elif how == "training":
        proto.training_info.add().algorithm.CopyFrom(proto.graph)
    else:
        proto.graph.ClearField("name")
    return how


def _outputs_of(graph: onnx.GraphProto) -> list[str]:
    return [o.name for o in graph.output]


@mutation("structure")
def wrap_in_if(rng: random.Random, mutant: Mutant) -> str | None:
    """All nodes go into a branch of an If, perhaps many levels deep."""
    graph = mutant.proto.graph
    if not graph.output or len(graph.node) > 60 or len(graphs(mutant.proto)) > _MOST_GRAPHS:
        return None
    depth = rng.choice([1, 1, 2, 3, 8])
    body = list(graph.node)
    for level in range(depth):
        branches = {}
        for name in ("then_branch", "else_branch"):
            branch = onnx.GraphProto(name=f"{name}{level}", output=graph.output)
            branch.node.extend(body if name == "then_branch" or level == 0 else _fresh(branch, graph))
            branches[name] = branch
        body = [helper.make_node("If", ["fuzz_condition"], _outputs_of(graph), **branches)]
    graph.initializer.append(helper.make_tensor("fuzz_condition", TensorProto.BOOL, [], [rng.random() < 0.5]))
    if rng.random() < 0.5:
        graph.input.append(helper.make_tensor_value_info("fuzz_condition", TensorProto.BOOL, []))
    del graph.node[:]
    graph.node.extend(body)
    return f"{depth} levels"


def _fresh(branch: onnx.GraphProto, graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """A branch that passes the first input on, of whatever type."""
    source = graph.input[0].name if graph.input else "fuzz_condition"
    return [helper.make_node("Identity", [source], [o.name]) for o in branch.output]


@mutation("structure")
def wrap_in_loop(rng: random.Random, mutant: Mutant) -> str | None:
    """All nodes go into the body of a Loop, whose outputs are scanned."""
    graph = mutant.proto.graph
    if not graph.output or len(graph.node) > 60:
        return None
    trips = rng.choice([0, 1, 3, 3, -1, 1 << 20, 1 << 62, -(1 << 63)])
    body = onnx.GraphProto(name="fuzz_body", node=graph.node)
    body.input.append(helper.make_tensor_value_info("fuzz_i", TensorProto.INT64, []))
    body.input.append(helper.make_tensor_value_info("fuzz_go", TensorProto.BOOL, []))
    body.output.append(helper.make_tensor_value_info("fuzz_go_on", TensorProto.BOOL, []))
    body.output.extend(graph.output)
    body.node.append(helper.make_node("Identity", ["fuzz_go"], ["fuzz_go_on"]))
    graph.initializer.append(helper.make_tensor("fuzz_trips", TensorProto.INT64, [], [trips]))
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    del graph.node[:]
    first = rng.choice(["fuzz_trips", "fuzz_trips", ""])
    graph.node.append(helper.make_node("Loop", [first, ""], _outputs_of(graph), body=body))
    return f"{trips if first else 'endless'} iterations"


@mutation("structure")
def wrap_in_scan(rng: random.Random, mutant: Mutant) -> str | None:
    graph = mutant.proto.graph
    if not graph.output or len(graph.node) > 60:
        return None
    length = rng.choice([0, 1, 3, 1000])
    body = onnx.GraphProto(name="fuzz_body", node=graph.node, output=graph.output)
    body.input.append(helper.make_tensor_value_info("fuzz_item", TensorProto.FLOAT, []))
    graph.initializer.append(helper.make_tensor("fuzz_items", TensorProto.FLOAT, [length], [0.5] * length))
    for output in graph.output:
        output.type.tensor_type.ClearField("shape")
    del graph.node[:]
    more = rng.choice(
        [{}, {"scan_input_axes": [rng.choice(INTS)]}, {"scan_output_axes": [rng.choice([0, 1, -1, *INTS])]}]
    )
    count = rng.choice([1, 1, 1, 0, 2, -1, 1 << 62])
    graph.node.append(
        helper.make_node("Scan", ["fuzz_items"], _outputs_of(graph), body=body, num_scan_inputs=count, **more)
    )
    return f"{length} items, {more}, num_scan_inputs {count}"


@mutation("structure")
def change_subgraph_interface(rng: random.Random, mutant: Mutant) -> str | None:
    inner = pick(rng, graphs(mutant.proto)[1:])
    if inner is None:
        return None
    how = rng.choice(["more inputs", "fewer inputs", "more outputs", "fewer outputs", "outer output", "untyped"])
    if how == "more inputs":
        inner.input.add().CopyFrom(pick(rng, infos(mutant.proto)))
    elif how == "fewer inputs" and inner.input:
        inner.input.pop()
    elif how == "more outputs" and inner.output:
        inner.output.add().CopyFrom(rng.choice(inner.output))
    elif how == "fewer outputs" and inner.output:
        inner.output.pop()
    elif how == "outer output" and inner.output:
        rng.choice(inner.output).name = pick(rng, infos(mutant.proto)).name
    else:
        for info in (*inner.input, *inner.output):
            info.ClearField("type")
    return how


@mutation("structure")
def replace_subgraph(rng: random.Random, mutant: Mutant) -> str | None:
    """A body becomes a copy of another graph, even of the one around it."""
    found = graphs(mutant.proto)
    if len(found) < 2:
        return None
    target = rng.choice(found[1:])
    source = onnx.GraphProto()
    source.CopyFrom(rng.choice(found))
    if source.ByteSize() > 100_000:
        return None
    target.CopyFrom(source)
    return f"a body is a copy of {source.name[:40]!r}"


@mutation("structure")
def change_control_flow_counts(rng: random.Random, mutant: Mutant) -> str | None:
    node = pick(rng, (n for n in nodes(mutant.proto) if n.op_type in {"If", "Loop", "Scan"}))
    if node is None:
        return None
    part = rng.choice([node.input, node.output])
    if part and rng.random() < 0.5:
        part.pop()
    else:
        part.append(rng.choice(["", "fuzz_more", *node.input]))
    return f"{node.op_type} has {len(node.input)} inputs and {len(node.output)} outputs"
