import numpy as np
import pytest

from ort_core.errors import InvalidGraph
from ort_core.ir.attributes import Attribute, AttributeKind
from ort_core.ir.graph import Function, Graph, Model, Node, Value, captures
from ort_core.ir.rewrite import (
    add_constant,
    add_node,
    check_invariants,
    clone_graph,
    inline_function,
    replace_node,
    replace_uses,
)
from ort_core.ir.types import ElementType, TensorType

FLOAT3 = TensorType(ElementType.FLOAT, (3,))


def chain() -> tuple[Graph, list[Node]]:
    graph = Graph("chain")
    value = graph.add_input(Value("x", FLOAT3))
    nodes = []
    for op in ("Relu", "Neg", "Abs"):
        (value,) = add_node(graph, op, [value])
        nodes.append(value.producer)
    graph.add_output(value, "y")
    return graph, nodes


def model(graph: Graph) -> Model:
    return Model(graph, {"": 28})


def test_uses_follow_inputs_and_outputs():
    graph, (relu, neg, absolute) = chain()
    assert [use.user for use in relu.outputs[0].uses] == [neg]
    assert absolute.outputs[0].is_graph_output
    replace_uses(absolute.outputs[0], relu.outputs[0])
    assert graph.outputs == (relu.outputs[0],)
    assert graph.output_names == ["y"]
    assert not absolute.outputs[0].uses
    check_invariants(model(graph))


def test_a_used_node_cannot_be_removed():
    graph, (relu, *_) = chain()
    with pytest.raises(InvalidGraph, match="is used by"):
        graph.remove(relu)


def test_replace_node_keeps_the_interface_name_and_the_known_type():
    graph, (relu, neg, _) = chain()
    neg.outputs[0].type = FLOAT3
    replace_node(neg, [relu.outputs[0]])
    assert relu.outputs[0].type == FLOAT3
    assert len(graph) == 2
    check_invariants(model(graph))


def test_sort_is_stable_and_counts_captures():
    graph = Graph("outer")
    x = graph.add_input(Value("x"))
    body = Graph("body")
    late = Value("late")
    inner = Node("Neg", [late], [Value("inner")])
    body.add(inner)
    body.add_output(inner.outputs[0], "inner")
    branch = Attribute(AttributeKind.GRAPH, body)
    condition = Node("If", [x], [Value("result")], {"then_branch": branch})
    graph.add(condition)
    producer = Node("Abs", [x], [late])
    graph.add(producer)
    graph.add_output(condition.outputs[0], "y")
    assert captures(condition) == (late,)
    graph.sort()
    assert graph.nodes == (producer, condition)
    check_invariants(model(graph))


def test_a_cycle_is_an_error_that_names_its_nodes():
    graph = Graph("cycle")
    a, b = Value("a"), Value("b")
    graph.add(Node("Neg", [b], [a], name="first"))
    graph.add(Node("Abs", [a], [b], name="second"))
    with pytest.raises(InvalidGraph, match="cycle through node 'first'"):
        graph.sort()


def test_fresh_names_are_unique_in_the_whole_model():
    graph, _ = chain()
    names = {graph.fresh_name("x") for _ in range(50)}
    assert len(names) == 50
    assert "x" not in names


def test_clone_is_independent():
    graph, _ = chain()
    copy = clone_graph(graph, {})
    for node in reversed(copy.nodes):
        for value in node.outputs:
            replace_uses(value, copy.inputs[0])
        copy.remove(node)
    assert len(graph) == 3
    check_invariants(model(graph))
    check_invariants(model(copy))


def scale_function() -> Function:
    body = Graph("scale")
    x = body.add_input(Value("x"))
    offset = body.add_input(Value("offset"))
    (constant,) = add_node(body, "Constant", [])
    constant.producer.attributes["value_float"] = Attribute(AttributeKind.FLOAT, None, ref="factor")
    (scaled,) = add_node(body, "Mul", [x, constant])
    (result,) = add_node(body, "Clip", [scaled, offset])
    body.add_output(result, "y")
    return Function("local", "Scale", "", body, {"factor": Attribute(AttributeKind.FLOAT, 2.0)})


@pytest.mark.parametrize(("given", "expected"), [({}, 2.0), ({"factor": Attribute(AttributeKind.FLOAT, 5.0)}, 5.0)])
def test_inlining_binds_attributes_and_drops_absent_inputs(given, expected):
    graph = Graph("main")
    x = graph.add_input(Value("x"))
    call = graph.add(Node("Scale", [x], [Value("y")], given, domain="local", name="call"))
    graph.add_output(call.outputs[0], "y")
    constant, mul, clip = inline_function(call, scale_function())
    assert constant.attr("value_float") == expected
    assert mul.inputs[0] is x
    assert clip.inputs[1] is None
    assert graph.output_names == ["y"]
    assert all(n.name.startswith("call/") for n in (constant, mul, clip) if n.name)
    check_invariants(model(graph))


def test_a_call_with_too_many_inputs_is_an_error():
    graph = Graph("main")
    x = graph.add_input(Value("x"))
    call = graph.add(Node("Scale", [x, x, x], [Value("y")], domain="local"))
    graph.add_output(call.outputs[0], "y")
    with pytest.raises(InvalidGraph, match="3 inputs"):
        inline_function(call, scale_function())


def test_constants_know_that_an_input_may_override_them():
    graph = Graph("main")
    fixed = add_constant(graph, np.ones(3, np.float32))
    overridable = graph.add_input(Value("w", FLOAT3))
    overridable.const = fixed.const
    graph.add_initializer(overridable)
    assert fixed.is_constant
    assert not overridable.is_constant


def test_dump_shows_types_attributes_and_interface_names():
    graph, _ = chain()
    text = graph.dump()
    assert "input %x: tensor(float) [3]" in text
    assert "= Relu(%x)" in text
    assert text.endswith("as y")
