from __future__ import annotations

import itertools
from typing import TypeVar

import numpy as np
import onnx
import pytest

from ort_core.errors import InvalidArgument
from ort_custom_ops import Float32, Int64, NodeInfo, String, op
from ort_custom_ops.testing import check_op, make_model, run_op
from tests.custom_ops.operator_helpers import DOMAIN, strings

T = TypeVar("T")
X = np.array([[1, np.nan, -0.0]], np.float32)
numbers = itertools.count()


@op(DOMAIN)
def Same(x: T, *, factor: float = 0.1, names: list[str] = ["a"]) -> T:  # noqa: B006
    return x


def test_model_has_one_node_with_types_and_attributes():
    model = onnx.load_from_string(make_model(Same, X, factor=0.5, names=["b"]))
    (node,) = model.graph.node
    assert (node.domain, node.op_type, list(node.input), list(node.output)) == (DOMAIN, "Same", ["x0"], ["y0"])
    assert {a.name for a in node.attribute} == {"factor", "names"}
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [1, 3]


def test_nan_and_negative_zero_are_compared_bit_for_bit():
    assert np.isnan(check_op(Same, X)).sum() == 1
    assert check_op(Same, strings("a", "b")).tolist() == ["a", "b"]


def test_floats_reach_the_direct_call_as_a_node_holds_them():
    @op(DOMAIN)
    def Times(x: Float32, *, factor: float) -> Float32:
        return (x.astype(np.float64) * factor).astype(np.float32)

    check_op(Times, np.array([1e8 + 8], np.float32), factor=0.1)


def test_results_that_differ_from_call_to_call_are_found():
    @op(DOMAIN)
    def Random(x: Float32) -> Int64:
        return next(numbers)

    with pytest.raises(
        AssertionError, match="called directly and in a model of known shapes, value 0: 1 of 1 elements differ"
    ):
        check_op(Random, X)


def test_results_that_depend_on_the_shape_being_known_are_found():
    @op(DOMAIN, shapes="(...) -> (...)")
    def Growing(x: Float32) -> Float32:
        return np.zeros((next(numbers) % 2 + 1, 3), np.float32)

    with pytest.raises(Exception, match=r"promised this shape|called directly"):
        check_op(Growing, X)


def test_inputs_that_are_changed_by_a_direct_call_are_found():
    def clear(x: Float32) -> Float32:
        x[:] = 0
        return x

    with pytest.raises(AssertionError, match="changed its inputs"):
        check_op(op(DOMAIN)(clear), np.ones(3, np.float32))
    permitted = op(DOMAIN, name="Clear", writable_inputs=True)(clear)
    assert check_op(permitted, np.ones(3, np.float32)).tolist() == [0, 0, 0]


def test_misuse_is_explained():
    with pytest.raises(InvalidArgument, match=r"Decorate it with ort_custom_ops.op"):
        run_op(len, X)

    @op(DOMAIN)
    def Join(items: list[T]) -> T:
        return np.concatenate(items)

    with pytest.raises(InvalidArgument, match="the type of input 0, a list of 0"):
        run_op(Join, [])

    @op(DOMAIN)
    def Words(items: list[String]) -> Int64:
        return len(items)

    assert check_op(Words, []).item() == 0


def test_operators_with_any_number_of_outputs_and_with_node_info():
    @op(DOMAIN)
    def Unstack(x: T) -> tuple[T, ...]:
        return tuple(x)

    @op(DOMAIN)
    def Named(x: T, *, node: NodeInfo) -> String:
        return f"{node.name} {node.n_outputs}"

    assert [part.tolist() for part in check_op(Unstack, np.eye(3))] == np.eye(3).tolist()
    assert len(onnx.load_from_string(make_model(Unstack, np.eye(3))).graph.node[0].output) == 3
    assert run_op(Named, X).item() == "Named 1"
