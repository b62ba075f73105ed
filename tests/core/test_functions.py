"""Expansion of functions that nobody claims."""

import numpy as np
import pytest
from onnx import TensorProto, helper

import ort_core as ort
from ort_core.errors import InvalidGraph


def session_of(nodes, functions=(), *, opset=21, **options):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3, 4, 5])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("local", 1)]
    model = helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=10)
    return ort.InferenceSession(model.SerializeToString(), providers=["ReferenceExecutionProvider"], **options)


def function(name, nodes, attributes=(), defaults=()):
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]
    return helper.make_function("local", name, ["a"], ["b"], nodes, imports, attributes, defaults)


X = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)


def test_an_operator_body_gets_the_defaults_of_its_schema():
    with session_of([helper.make_node("MeanVarianceNormalization", ["x"], ["y"])]) as session:
        (y,) = session.run(None, {"x": X})
    expected = (X - X.mean((0, 2, 3), keepdims=True)) / X.std((0, 2, 3), keepdims=True)
    np.testing.assert_allclose(y, expected, atol=1e-5)


def scale(default):
    constant = helper.make_node("Constant", [], ["factor"])
    attribute = constant.attribute.add()
    attribute.name, attribute.ref_attr_name, attribute.type = "value_float", "by", 1
    nodes = [constant, helper.make_node("Mul", ["a", "factor"], ["b"])]
    if default is None:
        return function("Scale", nodes, ["by"])
    return function("Scale", nodes, [], [helper.make_attribute("by", default)])


@pytest.mark.parametrize(("default", "given", "expected"), [(3.0, None, 3.0), (3.0, 5.0, 5.0), (None, 0.5, 0.5)])
def test_attributes_of_a_model_function(default, given, expected):
    attributes = {} if given is None else {"by": given}
    nodes = [helper.make_node("Scale", ["x"], ["y"], domain="local", **attributes)]
    with session_of(nodes, [scale(default)]) as session:
        (y,) = session.run(None, {"x": X})
    np.testing.assert_allclose(y, X * np.float32(expected), rtol=1e-6)


def test_functions_may_call_functions():
    inner = scale(2.0)
    outer = function(
        "Twice",
        [
            helper.make_node("Scale", ["a"], ["m"], domain="local"),
            helper.make_node("Scale", ["m"], ["b"], domain="local", by=10.0),
        ],
    )
    with session_of([helper.make_node("Twice", ["x"], ["y"], domain="local")], [inner, outer]) as session:
        (y,) = session.run(None, {"x": X})
    np.testing.assert_allclose(y, X * 20, rtol=1e-6)


def test_functions_that_call_each_other_in_a_circle_are_refused():
    a = function("A", [helper.make_node("B", ["a"], ["b"], domain="local")])
    b = function("B", [helper.make_node("A", ["a"], ["b"], domain="local")])
    with pytest.raises(InvalidGraph):
        session_of([helper.make_node("A", ["x"], ["y"], domain="local")], [a, b])


def test_names_tell_which_call_a_node_came_from():
    with session_of([helper.make_node("Scale", ["x"], ["y"], domain="local", name="call")], [scale(2.0)]) as session:
        assert any(n.name.startswith("call") for n in session.explain().nodes)
