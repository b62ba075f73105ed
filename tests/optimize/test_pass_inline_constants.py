import numpy as np
import onnx
import pytest
from onnx import helper
from optimize_helpers import apply_pass, assert_same_results, load, ops

from ort_core.errors import InvalidGraph
from ort_core.infer.shapes import infer_types
from ort_core.ir.types import ElementType, TensorType

FORMS = {
    "value": "value = float[2] {1, 2}",
    "value_int": "value_int = 3",
    "value_ints": "value_ints = [3, 4]",
    "value_float": "value_float = 1.5",
    "value_floats": "value_floats = [1.5, 2.5]",
    "value_string": 'value_string = "a"',
    "value_strings": 'value_strings = ["a", "bc"]',
}


@pytest.mark.parametrize("form", FORMS)
def test_constant_node_becomes_initializer_of_same_content(form: str) -> None:
    text = f"g () => (float z) {{ z = Constant<{FORMS[form]}>() }}"
    if form.startswith("value_int"):
        text = text.replace("float z", "int64 z")
    elif form.startswith("value_string"):
        text = text.replace("float z", "string z")
    model = apply_pass("inline_constants", text)
    assert ops(model) == []
    assert list(model.graph.initializers) == ["z"]
    assert_same_results(text, model, {})


def test_constants_in_subgraphs_stay_in_their_subgraph() -> None:
    text = """g (bool c, float[2] x) => (float[2] z) {
        z = If(c) <then_branch = t () => (float[2] a) { k = Constant<value_float = 2.0>() a = Mul(x, k) },
                   else_branch = e () => (float[2] b) { b = Neg(x) }>
    }"""
    model = apply_pass("inline_constants", text)
    branch = next(model.graph.nodes[0].subgraphs)
    assert list(branch.initializers) == ["k"]
    assert_same_results(text, model, {"c": np.array(True), "x": np.ones(2, np.float32)})


def _sparse(shape: list[int], indices: list[int]) -> onnx.ModelProto:
    values = helper.make_tensor("", onnx.TensorProto.FLOAT, [len(indices)], [float(i + 1) for i in range(len(indices))])
    where = helper.make_tensor("", onnx.TensorProto.INT64, [len(indices)], indices)
    node = helper.make_node("Constant", [], ["z"], sparse_value=helper.make_sparse_tensor(values, where, shape))
    graph = helper.make_graph([node], "g", [], [helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, shape)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 28)], ir_version=10)


def test_sparse_constant_becomes_dense() -> None:
    model = apply_pass("inline_constants", _sparse([2, 3], [1, 5]))
    assert model.graph.initializers["z"].type == TensorType(ElementType.FLOAT, (2, 3))
    np.testing.assert_array_equal(model.graph.initializers["z"].const.array(), [[0, 1, 0], [0, 0, 2]])


def test_sparse_constant_larger_than_the_limit_stays() -> None:
    assert ops(apply_pass("inline_constants", _sparse([2, 3], [1, 5]), max_fold_bytes=23)) == ["Constant"]


def test_sparse_index_out_of_bounds_is_refused() -> None:
    with pytest.raises(InvalidGraph, match="outside the shape"):
        apply_pass("inline_constants", _sparse([2, 3], [1, 6]))


def test_constant_that_takes_a_function_attribute_stays() -> None:
    text = """g (float[2] x) => (float[2] z) { z = my.scale<by = 2.0>(x) }
        <domain: "my", opset_import: ["": 28]> scale <by> (a) => (b) {
            k = Constant<value_float: float = @by>()
            b = Mul(a, k)
        }"""
    model = apply_pass("inline_constants", text)
    (function,) = model.functions.values()
    assert [n.op_type for n in function.graph.nodes] == ["Constant", "Mul"]


def test_constant_without_a_value_is_refused() -> None:
    model = load("g () => (float z) { z = Constant<value_float = 1.0>() }")
    model.graph.nodes[0].attributes.clear()
    with pytest.raises(InvalidGraph, match=r"node 'z' \(ai.onnx::Constant, opset 28\): got 0 attributes"):
        infer_types(model)
