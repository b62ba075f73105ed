from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ort_core.errors import InvalidGraph, LimitExceeded
from ort_core.ir.proto import from_proto

N = helper.make_node
FLOATS = TensorProto.FLOAT


def info(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, FLOATS, [2])


def weight(name: str, dtype: type = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ones(2, dtype), name)


def build(
    nodes: list[onnx.NodeProto],
    inputs: tuple[str, ...] = ("x",),
    outputs: tuple[str, ...] = ("y",),
    initializers: tuple[onnx.TensorProto, ...] = (),
    opsets: tuple[tuple[str, int], ...] = (("", 21),),
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "main", [info(i) for i in inputs], [info(o) for o in outputs], list(initializers))
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid(*o) for o in opsets])


def branch(nodes: list[onnx.NodeProto], output: str) -> onnx.GraphProto:
    return helper.make_graph(nodes, "inner", [], [info(output)])


def if_node(then: onnx.GraphProto) -> onnx.NodeProto:
    return N("If", ["c"], ["y"], name="choose", then_branch=then, else_branch=branch([N("Neg", ["x"], ["e"])], "e"))


CONDITION = numpy_helper.from_array(np.array(True), "c")
RELU = [N("Relu", ["x"], ["y"])]

INVALID = {
    "dangling input": (build([N("Relu", ["nothing"], ["y"], name="r")]), "input 0 of node 'r'.*'nothing'"),
    "dangling input of a subgraph": (
        build([if_node(branch([N("Relu", ["nothing"], ["t"], name="r")], "t"))], initializers=(CONDITION,)),
        "node 'r'.*then_branch.*node 'choose'.*'nothing'",
    ),
    "value defined by two nodes": (build([*RELU, N("Neg", ["x"], ["y"])]), "defines 'y'.*already"),
    "value defined by input and node": (build([N("Relu", ["x"], ["x"])], outputs=("x",)), "'x'.*a graph input"),
    "value defined by initializer and node": (
        build([N("Relu", ["x"], ["w"])], outputs=("w",), initializers=(weight("w"),)),
        "'w'.*an initializer",
    ),
    "two inputs of one name": (build(RELU, inputs=("x", "x")), "'x'"),
    "two initializers of one name": (build(RELU, initializers=(weight("w"), weight("w"))), "'w'"),
    "initializer without a name": (build(RELU, initializers=(weight(""),)), "without a name"),
    "initializer of another type than its input": (
        build(RELU, inputs=("x", "w"), initializers=(weight("w", np.float64),)),
        r"tensor\(double\) \[2\].*tensor\(float\)",
    ),
    "cycle": (build([N("Add", ["z", "x"], ["y"]), N("Neg", ["y"], ["z"])]), "cycle"),
    "a subgraph reads the result of its own node": (
        build([if_node(branch([N("Relu", ["y"], ["t"])], "t"))], initializers=(CONDITION,)),
        "cycle",
    ),
    "name read from outside before the inner definition": (
        build(
            [N("Neg", ["x"], ["w"]), if_node(branch([N("Abs", ["w"], ["t"]), N("Neg", ["x"], ["w"])], "t"))],
            initializers=(CONDITION,),
        ),
        "unclear",
    ),
    "output that nothing produces": (build([N("Relu", ["x"], ["z"])]), "output 'y'.*never produced"),
    "contradicting imports": (build(RELU, opsets=(("", 21), ("ai.onnx", 13))), "ai.onnx.*21 and 13"),
    "node without an operator": (build([onnx.NodeProto(input=["x"], output=["y"])]), "op_type"),
}


def test_a_domain_that_is_not_imported_counts_as_version_1() -> None:
    model = from_proto(build([N("Foo", ["x"], ["y"], domain="foo")]))
    assert model.opset_imports["foo"] == 1


@pytest.mark.parametrize("case", INVALID)
def test_broken_graphs_are_refused_with_a_message_that_says_where(case: str) -> None:
    proto, text = INVALID[case]
    with pytest.raises(InvalidGraph, match=text):
        from_proto(proto)


def test_an_input_without_a_type_is_refused() -> None:
    proto = build(RELU)
    proto.graph.input[0].ClearField("type")
    with pytest.raises(InvalidGraph, match=r"input 'x'.*no type"):
        from_proto(proto)


def test_an_attribute_set_twice_is_refused() -> None:
    proto = build([N("LeakyRelu", ["x"], ["y"], name="leak", alpha=0.5)])
    proto.graph.node[0].attribute.append(helper.make_attribute("alpha", 0.7))
    with pytest.raises(InvalidGraph, match=r"'alpha'.*'leak' \(ai.onnx::LeakyRelu, opset 21\).*twice"):
        from_proto(proto)


@pytest.mark.parametrize(("type_", "text"), [(0, "type 0"), (onnx.AttributeProto.INT, "INT.*sets 'f' in place of 'i'")])
def test_an_attribute_whose_type_does_not_fit_is_refused(type_: int, text: str) -> None:
    proto = build([N("LeakyRelu", ["x"], ["y"], alpha=0.5)])
    proto.graph.node[0].attribute[0].type = type_
    with pytest.raises(InvalidGraph, match=text):
        from_proto(proto)


def test_an_attribute_that_leaves_its_zero_out_is_accepted() -> None:
    proto = build([N("Softmax", ["x"], ["y"])])
    proto.graph.node[0].attribute.add(name="axis", type=onnx.AttributeProto.INT)
    assert from_proto(proto).graph.nodes[0].attr("axis") == 0


@pytest.mark.parametrize(
    ("domain", "opsets", "version"),
    [
        ("com.microsoft", (("", 21),), 1),
        ("", (("com.microsoft", 1),), onnx.defs.onnx_opset_version()),
        ("ai.onnx.ml", (("", 21), ("ai.onnx.ml", 3)), 3),
    ],
)
def test_domains_of_onnxruntime_need_no_import(domain: str, opsets: tuple[tuple[str, int], ...], version: int) -> None:
    converted = from_proto(build([N("Any", ["x"], ["y"], domain=domain)], opsets=opsets))
    assert converted.opset_imports[domain] == version
    assert converted.graph.nodes[0].origin.opset == version
    assert converted.original_opsets == dict(opsets)


def test_equal_imports_of_one_domain_are_accepted() -> None:
    assert from_proto(build(RELU, opsets=(("", 21), ("ai.onnx", 21)))).opset_imports == {"": 21}


def test_a_function_defined_twice_is_refused() -> None:
    proto = build(RELU, opsets=(("", 21), ("my", 1)))
    function = helper.make_function("my", "F", ["a"], ["b"], [N("Neg", ["a"], ["b"])], [helper.make_opsetid("", 21)])
    proto.functions.extend([function, function])
    with pytest.raises(InvalidGraph, match="function 'my::F' is defined twice"):
        from_proto(proto)


def test_a_function_body_with_a_dangling_name_is_refused() -> None:
    proto = build(RELU, opsets=(("", 21), ("my", 1)))
    function = helper.make_function("my", "F", ["a"], ["b"], [N("Neg", ["q"], ["b"])], [helper.make_opsetid("", 21)])
    proto.functions.append(function)
    with pytest.raises(InvalidGraph, match=r"function 'my::F' is 'q'"):
        from_proto(proto)


def test_control_flow_nested_too_deeply_is_refused() -> None:
    proto = build([onnx.NodeProto(op_type="If", input=["c"], output=["y"])], initializers=(CONDITION,))
    graph = proto.graph
    for depth in range(80):
        graph = graph.node[0].attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH).g
        graph.node.add(op_type="If", input=["c"], output=[f"t{depth}"])
        graph.output.add(name=f"t{depth}")
    with pytest.raises(LimitExceeded, match="more than 48 levels of nesting"):
        from_proto(proto)
