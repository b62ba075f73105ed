"""Models that must be refused, and what they are refused with."""

from __future__ import annotations

import onnx
from onnx import TensorProto, helper
from session_models import ADD, graph_model, tensor

X, Y = tensor("x", ["N"]), tensor("y", ["N"])


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, name="the_node", **attributes)


def one(op, inputs=("x",), outputs=("y",), *, domain="", domains=(), opset=17, **attributes):
    return graph_model(
        [node(op, list(inputs), list(outputs), domain=domain, **attributes)], [X], [Y], domains=domains, opset=opset
    )


def weight(name, dims, data=b"", kind=TensorProto.FLOAT):
    proto = TensorProto(name=name, data_type=kind, raw_data=data)
    proto.dims.extend(dims)
    return proto


def with_weight(*weights):
    return graph_model([node("Add", ["x", "w"], ["y"])], [X], [Y], weights)


def external(location, offset=None, length=None):
    proto = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            proto.external_data.add(key=key, value=str(value))
    return graph_model([node("Add", ["x", "w"], ["y"])], [tensor("x", [2])], [tensor("y", [2])], [proto])


def changed(change):
    proto = onnx.load_from_string(ADD)
    change(proto)
    return proto.SerializeToString()


def functions(*bodies):
    made = [
        helper.make_function(
            "loc", name, ["a"], ["b"], nodes, [helper.make_opsetid("", 17), helper.make_opsetid("loc", 1)]
        )
        for name, nodes in bodies
    ]
    call = node("F0", ["x"], ["y"], domain="loc")
    return graph_model([call], [X], [Y], domains=[("loc", 1)], functions=made)


def function_tower(levels, width):
    """F0 calls F1 `width` times, F1 calls F2 `width` times, ..."""
    bodies = []
    for level in range(levels):
        names = ["a", *(f"t{i}" for i in range(width - 1)), "b"]
        bodies.append(
            (
                f"F{level}",
                [helper.make_node(f"F{level + 1}", [names[i]], [names[i + 1]], domain="loc") for i in range(width)],
            )
        )
    return functions(*bodies, (f"F{levels}", [helper.make_node("Relu", ["a"], ["b"])]))


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def nested_ifs(depth):
    """An If in an If in an If, ...; written by hand, as protobuf's own writer refuses deep messages."""
    out = field(12, tensor("o", ["N"]).SerializeToString())
    leaf = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["o"])], "b", [], [tensor("o", ["N"])]
    ).SerializeToString()

    def branch(name, graph):
        return field(5, field(1, name) + field(6, graph) + varint(20 << 3) + varint(5))

    graph = leaf
    for level in range(depth):
        last = level == depth - 1
        body = field(1, b"c") + field(2, b"y" if last else b"o") + field(4, b"If")
        body += branch(b"then_branch", graph) + branch(b"else_branch", leaf)
        graph = field(1, body) + field(2, b"b") + (b"" if last else out)
    condition = tensor("c", [], TensorProto.BOOL).SerializeToString()
    graph += field(11, X.SerializeToString()) + field(11, condition) + field(12, Y.SerializeToString())
    return varint(1 << 3) + varint(8) + field(7, graph) + field(8, varint(2 << 3) + varint(17))


def chain(count, op="Sin"):
    names = ["x", *(f"v{i}" for i in range(count - 1)), "y"]
    return graph_model([helper.make_node(op, [names[i]], [names[i + 1]]) for i in range(count)], [X], [Y])


RAW = {
    "truncated": (ADD[:-7], "InvalidProtobuf", "only 83 are left"),
    "half": (ADD[: len(ADD) // 2], "InvalidProtobuf", "incomplete"),
    "zeros": (bytes(100), "InvalidProtobuf", "no valid ONNX model"),
    "all ones": (b"\xff" * 100, "InvalidProtobuf", "no valid ONNX model"),
    "text": (b"hello world, this is text\n" * 5, "InvalidProtobuf", "no valid ONNX model"),
    "empty": (b"", "InvalidProtobuf", "empty"),
    "json": (b'{"ir_version": 8}', "InvalidProtobuf", "no valid ONNX model"),
    "zip": (b"PK\x03\x04" + bytes(50), "InvalidProtobuf", "zip archive"),
    "gzip": (b"\x1f\x8b" + bytes(30), "InvalidProtobuf", "gzip"),
    "web page": (b"<!DOCTYPE html><html></html>", "InvalidProtobuf", "web page"),
    "ort format": (b"\x18\x00\x00\x00ORTM" + bytes(50), "NotImplemented", ".ort format"),
}

NODES = {
    "unknown operator": (one("NoSuchOp"), "InvalidGraph", "'the_node' (ai.onnx::NoSuchOp, opset 17)"),
    "unknown domain": (
        one("Add", ("x", "x"), domain="no.such", domains=[("no.such", 1)]), "NotImplemented",
        "'the_node' (no.such::Add, opset 1)",
    ),
    "opset beyond 32 bits": (
        one("Add", ("x", "x"), domain="no.such", domains=[("no.such", (1 << 63) - 1)]), "NotImplemented",
        "(no.such::Add, opset 9",
    ),
    "domain not imported": (one("Add", ("x", "x"), domain="no.such"), "NotImplemented", "(no.such::Add, opset 1)"),
    "opset 999": (one("Relu", opset=999), "NotImplemented", "pip install"),
    "opset 0": (one("Relu", opset=0), "InvalidGraph", "version 0"),
    "operator too new": (one("Gelu", opset=13), "InvalidGraph", "from version 20 on"),
    "operator removed": (one("Upsample"), "InvalidGraph", "Use Resize"),
    "missing input": (one("Relu", ("nope",)), "InvalidGraph", "'nope'"),
    "too few inputs": (one("Add", ("x",)), "InvalidGraph", "'the_node'"),
    "too many inputs": (one("Relu", ("x", "x")), "InvalidGraph", "got 2 inputs, expected 1"),
    "too many outputs": (one("Relu", ("x",), ("y", "z")), "InvalidGraph", "got 2 outputs, expected 1"),
    "required input left out": (one("Add", ("x", "")), "InvalidGraph", "input 1 ('B')"),
    "no operator": (changed(lambda p: p.graph.node[0].ClearField("op_type")), "InvalidGraph", "op_type"),
    "attribute of a wrong type": (one("Softmax", axis="1"), "InvalidGraph", "'axis' is of type STRING, expected INT"),
    "attribute list for a number": (one("Softmax", axis=[1, 2]), "InvalidGraph", "INTS, expected INT"),
    "attribute float for an int": (one("Softmax", axis=1.5), "InvalidGraph", "FLOAT, expected INT"),
    "unknown attribute": (one("Relu", foo=1), "InvalidGraph", "no attribute 'foo'"),
    "missing attribute": (one("Cast"), "InvalidGraph", "'to' is required"),
    "attribute out of range": (one("Softmax", axis=7), "Fail", "'the_node' (ai.onnx::Softmax, opset 17)"),
    "attribute with an unknown value": (one("Cast", to=999), "Fail", "'the_node'"),
    "attribute without type": (
        changed(lambda p: p.graph.node[0].attribute.add(name="axis")), "InvalidGraph", "'axis'"
    ),
    "cycle": (
        graph_model(
            [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])], [X], [tensor("a", ["N"])]
        ),
        "InvalidGraph", "cycle",
    ),
    "node that reads itself": (
        graph_model([helper.make_node("Add", ["x", "a"], ["a"])], [X], [tensor("a", ["N"])]), "InvalidGraph", "cycle"
    ),
    "types that disagree": (
        graph_model([node("Add", ["x", "i"], ["y"])], [X, tensor("i", ["N"], TensorProto.INT64)], [Y]), "Fail",
        "tensor(int64)",
    ),
    "type that the operator does not take": (one("And", ("x", "x")), "InvalidGraph", "does not take tensor(float)"),
    "output declared of another type": (
        graph_model([node("Relu", ["x"], ["y"])], [X], [tensor("y", ["N"], TensorProto.DOUBLE)]), "InvalidGraph",
        "declares tensor(double)",
    ),
    "two producers": (
        graph_model([helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["y"])], [X], [Y]),
        "InvalidGraph", "'y'",
    ),
    "input twice": (graph_model([node("Relu", ["x"], ["y"])], [X, X], [Y]), "InvalidGraph", "'x'"),
    "input that a node produces": (graph_model([node("Relu", ["x"], ["x"])], [X], [X]), "InvalidGraph", "'x'"),
    "output that nobody produces": (graph_model([node("Relu", ["x"], ["a"])], [X], [Y]), "InvalidGraph", "'y'"),
}  # fmt: skip

STRUCTURE = {
    "no opset": (changed(lambda p: p.ClearField("opset_import")), "InvalidGraph", "operator set"),
    "no IR version": (changed(lambda p: p.ClearField("ir_version")), "InvalidProtobuf", "ir_version"),
    "IR version 99": (changed(lambda p: setattr(p, "ir_version", 99)), "Fail", "IR version 99"),
    "no graph": (changed(lambda p: p.ClearField("graph")), "InvalidProtobuf", "no graph"),
    "input without type": (changed(lambda p: p.graph.input[0].ClearField("type")), "InvalidGraph", "'x'"),
    "input without element type": (
        changed(lambda p: p.graph.input[0].type.tensor_type.ClearField("elem_type")), "InvalidGraph", "'x'"
    ),
    "initializer without name": (changed(lambda p: p.graph.initializer[0].ClearField("name")), "InvalidGraph", "name"),
    "function that calls itself": (
        functions(("F0", [helper.make_node("F0", ["a"], ["b"], domain="loc")])), "InvalidGraph", "loc::F0 -> loc::F0"
    ),
    "functions in a circle": (
        functions(
            ("F0", [helper.make_node("F1", ["a"], ["b"], domain="loc")]),
            ("F1", [helper.make_node("F0", ["a"], ["b"], domain="loc")]),
        ),
        "InvalidGraph", "loc::F0 -> loc::F1 -> loc::F0",
    ),
    "function twice": (functions(*[("F0", [helper.make_node("Relu", ["a"], ["b"])])] * 2), "InvalidGraph", "twice"),
    "function without its output": (functions(("F0", [helper.make_node("Relu", ["a"], ["c"])])), "InvalidGraph", "'b'"),
    "functions that expand to 2**40 nodes": (function_tower(40, 2), "LimitExceeded", "65536 nodes"),
    "functions 5000 levels deep": (function_tower(5000, 1), "LimitExceeded", "48 levels of nesting"),
    "1000 nested Ifs": (nested_ifs(1000), "InvalidProtobuf", "nested more than 100 deep"),
}  # fmt: skip

WEIGHTS = {
    "size overflow": (with_weight(weight("w", [1 << 40, 1 << 40], b"1234")), "InvalidGraph", "overflows"),
    "element count overflow": (with_weight(weight("w", [1 << 62, 4])), "InvalidGraph", "overflows"),
    "overflow beside a zero": (with_weight(weight("w", [0, 1 << 62, 1 << 62])), "InvalidGraph", "overflows"),
    "negative size": (with_weight(weight("w", [-1], b"1234")), "InvalidGraph", "negative"),
    "rank 1000": (with_weight(weight("w", [1] * 1000, b"1234")), "InvalidGraph", "rank 1000"),
    "too little data": (with_weight(weight("w", [5], b"1234")), "InvalidGraph", "takes 20 bytes, got 4"),
    "too much data": (with_weight(weight("w", [1], b"12345678")), "InvalidGraph", "takes 4 bytes, got 8"),
    "huge but empty": (with_weight(weight("w", [1 << 34])), "InvalidGraph", "'w'"),
    "unknown element type": (with_weight(weight("w", [1], b"1234", 99)), "InvalidGraph", "element type 99"),
    "no element type": (with_weight(weight("w", [1], b"1234", 0)), "InvalidGraph", "element type 0"),
    "initializer twice": (with_weight(weight("w", [1], b"1234"), weight("w", [1], b"1234")), "InvalidGraph", "'w'"),
    "external data": (external("w.bin"), "InvalidArgument", "reads no files"),
    "external data in the parent": (external("../w.bin"), "InvalidArgument", "parent folder"),
    "external data with an absolute path": (external("/etc/passwd"), "InvalidArgument", "absolute"),
    "external data nowhere": (external(""), "InvalidArgument", "empty"),
    "external data before the file": (external("w.bin", -1, 8), "InvalidGraph", "offset"),
    "external data of another length": (external("w.bin", 0, 4), "InvalidGraph", "takes 8 bytes"),
    "external data with a text for a number": (external("w.bin", "abc", 8), "InvalidGraph", "'abc'"),
}

REFUSED = {**RAW, **NODES, **STRUCTURE, **WEIGHTS}
