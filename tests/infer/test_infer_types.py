from __future__ import annotations

import logging
import time

import numpy as np
import onnx
import pytest
from infer_helpers import inferred, load, parse, value

from ort_core.errors import Fail, InvalidGraph
from ort_core.infer.shapes import infer_types, output_types
from ort_core.ir.proto import from_proto
from ort_core.ir.tensors import ArrayWeight
from ort_core.ir.types import ElementType, OptionalType, SequenceType, TensorType

FLOAT, INT64, BOOL = ElementType.FLOAT, ElementType.INT64, ElementType.BOOL


def test_types_follow_from_the_inputs() -> None:
    model = inferred("""g (float[N,3] x, float[3,4] w) => (float[N,4] z) {
        y = MatMul(x, w) s = Shape(y) z = Relu(y)
    }""")
    assert value(model, "y").type == TensorType(FLOAT, ("N", 4))
    assert value(model, "s").type == TensorType(INT64, (2,))
    assert value(model, "z").type == TensorType(FLOAT, ("N", 4))


def test_data_is_propagated_through_shape_arithmetic() -> None:
    model = inferred("""g (float[N,6] x) => (float[A,B,C] z) {
        s = Shape(x) i = Constant<value_ints = [0]>() n = Gather(s, i) t = Constant<value_ints = [2, 3]>()
        u = Concat<axis = 0>(n, t) z = Reshape(x, u)
    }""")
    assert value(model, "z").shape == ("N", 2, 3)


def test_constants_in_every_form_have_their_exact_type() -> None:
    model = inferred("""g () => (int64 a) {
        a = Constant<value_int = 1>() b = Constant<value_floats = [1.0, 2.0]>()
        c = Constant<value = double[1,2] {1, 2}>() d = Constant<value_strings = ["x"]>()
    }""")
    found = {n: value(model, n).type for n in "abcd"}
    assert found == {
        "a": TensorType(INT64, ()),
        "b": TensorType(FLOAT, (2,)),
        "c": TensorType(ElementType.DOUBLE, (1, 2)),
        "d": TensorType(ElementType.STRING, (1,)),
    }


def test_nothing_new_the_second_time() -> None:
    model = load("g (float[N,3] x) => (float[N,3] z) { y = Relu(x) c = NonZero(y) z = Neg(y) }")
    assert infer_types(model)
    assert not infer_types(model, declared=False)


def test_branches_and_loop_bodies_get_types() -> None:
    model = inferred("""g (float[N,3] x, bool c, int64 n) => (float[A,B] z, float[C,D] w, float[E,F,G] v) {
        z = If(c) <then_branch = t () => (float[P,Q] a) { h = Relu(x) a = Neg(h) },
                   else_branch = e () => (float[P2,Q2] b) { k = Constant<value_float = 1.0>() b = Add(x, k) }>
        w, v = Loop(n, c, x) <body = b (int64 i, bool ci, float s) => (bool co, float p, float q) {
            co = Identity(ci) p = Relu(s) q = Sqrt(x)
        }>
    }""")
    assert value(model, "h").type == value(model, "b").type == value(model, "z").type == TensorType(FLOAT, ("N", 3))
    assert value(model, "k").type == TensorType(FLOAT, ())
    assert value(model, "q").type == TensorType(FLOAT, ("N", 3))
    assert value(model, "i").type is not None
    assert value(model, "v").type.element is FLOAT


def test_state_of_a_loop_has_no_shape_because_it_may_change() -> None:
    model = inferred("""g (int64 n, float[2] x) => (float[A] z) {
        go = Constant<value = bool {1}>()
        z = Loop(n, go, x) <body = b (int64 i, bool g, float[2] s) => (bool h, float[2] t) {
            h = Identity(g) t = Concat<axis = 0>(s, x)
        }>
    }""")
    assert value(model, "s").type == TensorType(FLOAT, None)
    assert value(model, "t").shape in (None, ("unk__0",))


def test_scan_bodies_see_one_element_of_the_scanned_axis() -> None:
    model = inferred("""g (float[T,3] x, float[3] s) => (float[3] w, float[T,3] z) {
        w, z = Scan(s, x) <num_scan_inputs = 1, body = b (float[3] a, float[3] e) => (float[3] c, float[3] d) {
            c = Add(a, e) d = Neg(c)
        }>
    }""")
    assert value(model, "d").type == TensorType(FLOAT, (3,))
    assert value(model, "z").type == TensorType(FLOAT, ("T", 3))


def test_branch_that_returns_outer_values_and_constants() -> None:
    model = inferred("""g (float[2] x, bool c) => (float[A] z, float[B] w) {
        z, w = If(c) <then_branch = t () => (float[2] a, float[2] a2) { a = Identity(x) a2 = Identity(x) },
                      else_branch = e () => (float[2] b, float[2] b2) { b = Constant<value_floats = [1.0, 2.0]>() b2 = Neg(b) }>
    }""")
    then = next(model.graph.nodes[0].subgraphs)
    for index in (0, 1):
        then.set_output(index, model.graph.inputs[0])
    assert value(model, "z").type == TensorType(FLOAT, (2,))
    infer_types(model, declared=False)
    assert value(model, "w").type == TensorType(FLOAT, (2,))


def test_sequences_and_optionals() -> None:
    model = inferred("""g (float[2] x) => (float[2] z) {
        s = SequenceConstruct(x, x) o = Optional(x) i = Constant<value_int = 0>() z = SequenceAt(s, i)
    }""")
    assert value(model, "s").type == SequenceType(TensorType(FLOAT, (2,)))
    assert value(model, "o").type == OptionalType(TensorType(FLOAT, (2,)))


def test_calls_of_functions_are_inferred_through_their_bodies() -> None:
    model = inferred("""g (float[N,4] x) => (float[A,B] z) { y = my.outer<to = 10>(x) z = Cast<to = 1>(y) }
        <domain: "my", opset_import: ["": 28, "my": 1]> outer <to> (a) => (b) { c = my.inner(a) b = Cast<to: int = @to>(c) }
        <domain: "my", opset_import: ["": 28]> inner (a) => (b) {
            k = Constant<value_ints = [0, 2, 2]>() b = Reshape(a, k)
        }""")
    assert value(model, "y").type == TensorType(ElementType.FLOAT16, ("N", 2, 2))
    assert value(model, "z").type == TensorType(FLOAT, ("N", 2, 2))


def test_large_constants_are_not_read() -> None:
    class Unreadable(ArrayWeight):
        def view(self) -> memoryview:
            raise AssertionError("read")

        array = read_into = view

    weight = Unreadable(np.zeros((64, 64), np.float32))
    model = load("g (float[N,64] x, float[64,64] w) => (float[A,B] z) { z = MatMul(x, w) }")
    w = model.graph.inputs[1]
    model.graph.remove_input(w)
    w.const = weight
    model.graph.add_initializer(w)
    infer_types(model)
    assert value(model, "z").shape == ("N", 64)


def test_default_of_an_overridable_initializer_is_no_constant() -> None:
    model = inferred("g (float[6] x, int64[2] s = {2, 3}) => (float[A,B] z) { z = Reshape(x, s) }")
    shape = value(model, "z").shape
    assert shape is None or (len(shape) == 2 and not any(isinstance(d, int) for d in shape))


def test_sparse_initializer_counts_as_dense() -> None:
    proto = parse("g (float[N,2] x) => (float[N,3] z) <float[2,3] w = {1,2,3,4,5,6}> { z = MatMul(x, w) }")
    del proto.graph.initializer[:]
    values = onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [1.0])
    indices = onnx.helper.make_tensor("", onnx.TensorProto.INT64, [1], [4])
    proto.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [2, 3]))
    model = from_proto(proto)
    infer_types(model)
    assert value(model, "z").shape == ("N", 3)


def test_later_inference_does_not_check_again() -> None:
    model = inferred("g (float[2,3] x, float[3,4] w) => (float[A,B] z) { y = MatMul(x, w) z = Neg(y) v = Relu(x) }")
    model.graph.nodes[0].set_input(1, value(model, "v"))
    value(model, "y").type = value(model, "z").type = None
    infer_types(model)
    assert value(model, "v").type == TensorType(FLOAT, (2, 3))


def test_later_inference_forgives_what_replaced_operators_would_refuse() -> None:
    model = inferred("g (float[2,3] x, int64[2] s) => (float[A,B] z) { y = Expand(x, s) z = Neg(y) }")
    target = model.graph.inputs[1]
    model.graph.remove_input(target)
    target.const = ArrayWeight(np.array([4, 4]))
    model.graph.add_initializer(target)
    infer_types(model)
    with pytest.raises(Fail, match="Incompatible dimensions"):
        infer_types(model, declared=True)


def test_shape_arithmetic_that_onnx_cannot_evaluate_is_no_error() -> None:
    text = """g (int64[1,1,4,1] x) => (int64[2,1,4,1] z) <int64[2,1,1,1] a = {1, 2}, int64[1,1,4,1] b = {1, 2, 3, 4}> {
        y = Add(a, b) z = Add(x, y)
    }"""
    assert value(inferred(text), "z").type == TensorType(INT64, (2, 1, 4, 1))


def test_declared_size_that_inference_does_not_confirm_is_not_believed() -> None:
    model = inferred("g (float[N,3] x) => (float[7,3] z) <float[7,3] y> { y = Relu(x) z = Neg(y) }")
    assert value(model, "y").shape == ("N", 3)
    assert value(model, "z").shape == ("N", 3)
    assert output_types(model.graph) == (TensorType(FLOAT, (7, 3)),)


def test_declared_names_are_reported_for_outputs() -> None:
    model = inferred("g (float[N,3] x) => (float[batch,three] z) { z = Relu(x) }")
    assert output_types(model.graph) == (TensorType(FLOAT, ("batch", 3)),)


def test_output_of_undeclared_shape_is_reported_as_inferred() -> None:
    proto = parse("g (float[N,3] x) => (float z) { z = Relu(x) }")
    proto.graph.output[0].ClearField("type")
    model = from_proto(proto)
    infer_types(model)
    assert output_types(model.graph) == (TensorType(FLOAT, ("N", 3)),)


@pytest.mark.parametrize(
    ("declared", "reported"), [("[2,4]", (2, None)), ("[2]", None), ("[5,3]", (None, 3)), ("[A,3]", (2, 3))]
)
def test_contradicting_output_sizes_are_reported_as_unknown(
    declared: str, reported: tuple[int | None, ...] | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "ort_core.infer")
    model = inferred(f"g (float[2,3] x) => (float{declared} z) {{ z = Relu(x) }}")
    assert value(model, "z").shape == (2, 3)
    assert output_types(model.graph) == (TensorType(FLOAT, reported),)
    assert ("declared as tensor(float)" in caplog.text) == (declared != "[A,3]")


def test_contradicting_element_type_is_refused() -> None:
    with pytest.raises(
        InvalidGraph, match=r"node 'y' \(ai.onnx::Relu, opset 28\), output 'y': the model declares tensor"
    ):
        inferred("g (float[2] x) => (float[2] z) <double[2] y> { y = Relu(x) z = Neg(y) }")


def test_types_are_as_before_after_a_failure() -> None:
    model = load("g (float[2] x, double[2] w) => (float[2] z) <float[2] y> { y = Relu(x) z = Add(y, w) }")
    with pytest.raises(Fail):
        infer_types(model)
    assert value(model, "y").type == TensorType(FLOAT, (2,))


def test_later_inference_keeps_what_passes_found_out() -> None:
    model = inferred("g (float[6] x, int64[2] s) => (float[A,B] z) { y = Reshape(x, s) z = Neg(y) }")
    value(model, "y").type = TensorType(FLOAT, (2, 3))
    infer_types(model, declared=False)
    assert value(model, "y").type == TensorType(FLOAT, (2, 3))


def test_made_up_names_of_two_runs_do_not_mix() -> None:
    model = inferred(
        "g (float[N,3] x) => (int64[A,B] z, float[C] w) { z = NonZero(x) k = Constant<value_ints = [-1]>() w = Reshape(x, k) }"
    )
    first = value(model, "z").shape
    assert first[0] == 2
    assert first[1].startswith("unk__")
    model.graph.nodes[0].set_input(0, value(model, "w"))
    infer_types(model, declared=False)
    shapes = [value(model, n).shape for n in "zw"]
    names = [d for shape in shapes for d in shape if isinstance(d, str)]
    assert len(names) == len(set(names))


def test_overflowing_shape_arithmetic_is_no_error() -> None:
    text = """g (int64[1] x) => (int64[1] z) {
        a = Constant<value_ints = [4611686018427387904]>() b = Mul(a, a) c = Mul(b, a) z = Add(x, c)
    }"""
    assert value(inferred(text), "z").type == TensorType(INT64, (1,))


def test_long_vectors_cost_nothing() -> None:
    nodes = " ".join(f"v{i} = Add({'x' if i == 0 else f'v{i - 1}'}, x)" for i in range(50))
    start = time.perf_counter()
    model = inferred(f"g (float[4611686018427387904] x) => (float[A] v49) {{ {nodes} }}")
    assert value(model, "v49").shape == (4611686018427387904,)
    assert time.perf_counter() - start < 5


def test_a_loop_without_condition_gives_its_body_one() -> None:
    model = inferred("""g (int64 m, float[3] s) => (float[3] y) {
        y = Loop <body = b (int64 i, bool c, float[3] v) => (bool d, float[3] w) { d = Identity(c) w = Add(v, v) }> (m, , s)
    }""")
    (loop,) = model.graph.nodes
    body = loop.attr("body")
    assert body.nodes[0].outputs[0].type == TensorType(BOOL, ())
    assert value(model, "y").element is FLOAT


def test_operator_whose_default_attribute_onnx_forgets() -> None:
    model = inferred("g (float[1,2,3,4] x) => (float[A,B,C,D] z) { z = MeanVarianceNormalization(x) }")
    assert value(model, "z").shape == (1, 2, 3, 4)


def test_every_onnx_backend_model_is_accepted() -> None:
    from onnx.backend.test.loader import load_model_tests

    count = 0
    for case in load_model_tests(kind="simple"):
        proto = case.model or onnx.load(f"{case.model_dir}/model.onnx")
        model = from_proto(proto)
        infer_types(model)
        missing = [v for n in model.graph.nodes for v in n.outputs if v is not None and v.type is None]
        assert not missing, case.name
        count += 1
    assert count > 10
