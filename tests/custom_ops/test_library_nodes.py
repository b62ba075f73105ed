"""What kernels of compiled libraries learn of their nodes, which nodes they take, and which types they infer."""

from __future__ import annotations

import numpy as np
import pytest

from ort_core import errors
from ort_core.errors import InvalidArgument, InvalidGraph
from ort_core.ir.types import ElementType, SequenceType, TensorType
from tests.custom_ops.library_builder import bind, node_of, op_of, run

F, N, S = ElementType.FLOAT, ElementType.INT64, ElementType.STRING
X = np.array([1, 2], np.float32)


def told(attributes=None, inputs=(X,), **request):
    """What the operator `Describe` says of its node."""
    node = node_of("Describe", inputs, 1, attributes)
    lines = bind(node, **request).fn(*inputs).tolist()
    return dict(line.split("=" if "=" in line.split("!")[0] else "!", 1) for line in lines)


def test_kernel_learns_names_and_version():
    found = told()
    assert found["node"] == found["copied"] == "the_node"
    assert (found["type"], found["domain"], found["since"]) == ("Describe", "zoo", "1")
    assert (found["inputs"], found["outputs"]) == ("x0;", "y0;")


def test_kernel_learns_types_with_symbols():
    node = node_of("Describe", [TensorType(F, ("batch", 3, None))])
    lines = bind(node).fn(X).tolist()
    assert "input_type=batch3,-1," in lines


def test_attributes_of_every_kind_are_read():
    found = told(
        {
            "a_float": 1.5,
            "an_int": -(2**62),
            "a_string": "Grüße",
            "floats": [0.25, 2.0],
            "ints": [1, -2, 3],
            "strings": ["a", "", "日本"],
            "a_tensor": np.array([[1, 2], [3, 4]]),
        }
    )
    assert found["float"] == "1.500000"
    assert found["int"] == str(-(2**62))
    assert found["string"] == "Grüße"
    assert found["floats"] == "0.250000;2.000000;"
    assert found["ints"] == "1;-2;3;"
    assert found["strings"] == "a;;日本;"
    assert found["tensor"] == "2:1;2;3;4;"
    assert found["wrong_type"] == "attribute 'a_float' is of type float, the operator asks for int"
    assert found["missing"] == "No attribute with name:'nothing'is defined."


def test_constants_and_configuration_are_told():
    found = told(constants={0: np.array([2.5], np.float32)}, config={"zoo.key": "lions"})
    assert found["constant"] == "2.500000"
    assert found["config"] == "lions"
    assert told()["constant"] == told()["config"] == "none"


def test_kernels_call_operators_of_the_runtime():
    x = np.array([3, 9, 5, 7], np.float32)
    kernel = bind(node_of("CallsOperators", [x], 2))
    for _ in range(3):
        doubled, largest = kernel.fn(x)
        assert (doubled == 2 * x).all()
        assert largest.tolist() == [9, 7]


def test_operator_that_the_runtime_does_not_have_is_an_error():
    assert "Addition of ONNX version 14, which has no such operator" in told()["create_op"]


def test_error_of_a_called_operator_is_that_of_the_kernel():
    with pytest.raises(errors.NotImplemented, match=r"the_node.*TopK"):
        run("CallsOperators", np.array([3], np.float32), outputs=2)


@pytest.mark.parametrize(
    ("inputs", "mask"), [([X], 1), ([X, X], 3), ([X, None, X], 5), ([X, X, X], 7), ([X, None, None], 1)]
)
def test_absent_inputs_are_null(inputs, mask):
    assert run("Optionals", *inputs).item() == mask


@pytest.mark.parametrize("present", [(True,), (True, False), (False, True), (True, True)])
def test_outputs_that_the_node_leaves_out_have_scratch_memory(present):
    found = run("Optionals", X, outputs=present)
    found = found if isinstance(found, tuple) else (found,)
    assert [y is not None for y in found] == list(present)
    if len(present) > 1 and present[1]:
        assert found[1].item() == 2


def test_required_input_that_is_absent_at_run_time_is_an_error():
    kernel = bind(node_of("Optionals", [X]))
    with pytest.raises(InvalidArgument, match="input 0 is absent"):
        kernel.fn(None)


def test_variadic_ports_take_any_number():
    inputs = [np.full(k + 1, k, np.float32) for k in range(5)]
    outputs = run("Concatenate", *inputs, outputs=5)
    assert all((x == y).all() for x, y in zip(inputs, outputs, strict=True))
    assert run("Count", X, X, np.array(["a"], object), np.arange(3)).item() == 4
    assert run("Count", X).item() == 1


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "reason"),
    [
        ("Concatenate", [TensorType(F)], 2, "it has 1 inputs, the operator 2 or more"),
        ("Concatenate", [TensorType(F)] * 2, 1, "it has 1 outputs, the operator 2 or more"),
        (
            "Concatenate",
            [TensorType(F), TensorType(N)],
            2,
            r"input 1 is tensor(int64), the operator takes tensor(float)",
        ),
        (
            "CountAlike",
            [TensorType(F), TensorType(N)],
            1,
            r"input 1 is tensor(int64), the operator takes tensor(float)",
        ),
        ("Count", [TensorType(F), TensorType(N), TensorType(S)], 1, None),
        ("AddOne1", [TensorType(F)] * 2, 1, "it has 2 inputs, the operator 1"),
        ("AddOne1", [None], 1, "input 0 is left out"),
        ("AddOne1", [TensorType(F)], 2, "it has 2 outputs, the operator 1"),
        ("Optionals", [], 1, "it has 0 inputs, the operator 1 to 3"),
        ("Optionals", [TensorType(F), None, TensorType(F)], 1, None),
        ("Identity", [SequenceType(TensorType(F))], 2, "operators of libraries take tensors only"),
    ],
)
def test_nodes_that_do_not_fit_are_declined_with_a_reason(op, inputs, outputs, reason):
    node = node_of(op, inputs, outputs)
    found = op_of(op).decline_reason(node, [value and value.type for value in node.inputs])
    if reason is None:
        assert found is None
    else:
        assert reason in found


def test_unknown_types_fit():
    node = node_of("AddOne1", [TensorType(F)])
    assert op_of("AddOne1").decline_reason(node, [None]) is None


def test_overloads_are_told_apart_by_types_and_counts():
    def fitting(*types):
        node = node_of("Overloaded", types)
        return [which for which in range(3) if op_of("Overloaded", which).decline_reason(node, list(types)) is None]

    assert fitting(TensorType(F)) == [0]
    assert fitting(TensorType(N)) == [1]
    assert fitting(TensorType(F), TensorType(F)) == [2]
    assert fitting(TensorType(S)) == []


def inferred(op, *types, attributes=None, outputs=1):
    node = node_of(op, types, outputs, attributes)
    return list(op_of(op).infer(node, list(types)))


def test_declared_types_are_inferred_without_shapes():
    assert inferred("Optionals", TensorType(F, (2,)), outputs=2) == [TensorType(N), TensorType(N)]


def test_untyped_outputs_take_the_type_of_the_untyped_input():
    assert inferred("Identity", TensorType(S, (2,)), outputs=2) == [TensorType(S), TensorType(N)]
    node = node_of("Identity", [TensorType(F)], 2)
    assert list(op_of("Identity").infer(node, [None])) == [None, TensorType(N)]


def test_variadic_outputs_that_need_not_be_alike_have_types_of_their_own():
    inputs = [X, np.array(["a"], object), np.arange(3)]
    types = [TensorType(F), TensorType(S), TensorType(N)]
    assert inferred("Reverse", *types, outputs=3) == [None, None, None]
    kernel = bind(node_of("Reverse", inputs, 3, output_types=[N, S, F]))
    assert [y.tolist() for y in kernel.fn(*inputs)] == [[0, 1, 2], ["a"], [1, 2]]


def test_output_of_unknown_type_is_an_error():
    with pytest.raises(errors.NotImplemented, match="element type of output 0 is not known"):
        run("Reverse", X)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((2, 3), (6, 3)), (("n", 4, None), ("rows", 4, None)), ((0,), (0,)), (None, None)],
)
def test_shapes_are_those_that_the_operator_infers(shape, expected):
    assert inferred("Repeat", TensorType(F, shape), attributes={"times": 3}) == [TensorType(F, expected)]


def test_inference_that_throws_is_an_invalid_graph():
    with pytest.raises(InvalidGraph, match=r"the_node.*Repeat takes no scalars.*zoo"):
        inferred("Repeat", TensorType(F, ()), attributes={"times": 3})
    with pytest.raises(InvalidGraph, match="no attribute 'times'"):
        inferred("Repeat", TensorType(F, (2,)))


def test_inferred_shapes_are_those_of_the_results():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    y = run("Repeat", x, times=3)
    assert inferred("Repeat", TensorType(F, x.shape), attributes={"times": 3}) == [TensorType(F, y.shape)]
    assert (y == np.tile(x, (3, 1))).all()
