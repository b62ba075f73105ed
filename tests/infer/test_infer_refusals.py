from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from infer_bad_models import CASES
from infer_helpers import inferred, load, parse
from onnx import TensorProto, helper

import ort_core as ort
from ort_core import errors
from ort_core.infer.check import check_nodes
from ort_core.infer.shapes import infer_types, output_types
from ort_core.ir.rewrite import inline_function
from ort_core.ir.types import ElementType, TensorType

REFUSED = {name: case for name, case in CASES.items() if case[1]}
ACCEPTED = {name: case for name, case in CASES.items() if not case[1]}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_model_is_refused_by_a_message_that_names_the_node(name: str) -> None:
    text, kind, words = REFUSED[name]
    with pytest.raises(getattr(errors, kind)) as error:
        inferred(text)
    message = str(error.value)
    assert type(error.value).__name__ == kind
    assert words in message
    assert message.startswith("node 'z' (ai.onnx::")
    assert "opset 28)" in message
    assert "onnx.onnx_cpp2py" not in message
    assert "InferenceError" not in message


@pytest.mark.parametrize("name", ACCEPTED)
def test_odd_but_valid_model_is_accepted(name: str) -> None:
    inferred(ACCEPTED[name][0])


@pytest.mark.parity
def test_onnxruntime_refuses_the_same_models_and_reports_the_same_outputs() -> None:
    models = {name: parse(text, 22).SerializeToString() for name, (text, _, _) in CASES.items()}
    worker = Path(__file__).parent / "infer_ort_worker.py"
    done = subprocess.run([sys.executable, worker], input=pickle.dumps(models), capture_output=True, check=True)
    verdicts = pickle.loads(done.stdout)
    for name, (text, kind, _) in CASES.items():
        if kind is not None:
            assert verdicts[name] == (kind if name != "output_element" else "Fail"), name
            continue
        model = load(text, 22)
        infer_types(model)
        ours = [(str(t), [] if t.shape is None else list(t.shape)) for t in output_types(model.graph)]
        if name != "inner_size":
            assert verdicts[name] == ours, name


def test_message_shows_the_operator_as_it_was_in_the_file() -> None:
    model = load("g (float[2] x, double[2] y) => (float[2] z) { z = Add(x, y) }")
    node = model.graph.nodes[0]
    node.origin = node.origin._replace(op_type="OldAdd", opset=3)
    with pytest.raises(errors.Fail, match=r"node 'z' \(ai.onnx::OldAdd, opset 3\)"):
        infer_types(model)


def test_mistake_in_a_function_body_is_found_when_the_call_is_expanded() -> None:
    model = inferred("""g (float[2,3] x) => (float[A,B] z) { z = my.f(x) }
        <domain: "my", opset_import: ["": 28]> f (a) => (b) { b = MatMul(a, a) }""")
    (function,) = model.functions.values()
    inline_function(model.graph.nodes[0], function)
    with pytest.raises(errors.Fail, match="Incompatible dimensions"):
        infer_types(model, declared=True)


def test_function_bodies_are_checked_against_their_own_opset() -> None:
    text = """g (float[2,3] x) => (float[A,B] z) {{ z = my.f(x) }}
        <domain: "my", opset_import: ["": {}]> f (a) => (b) {{ b = Squeeze<axes = [0]>(a) }}"""
    check_nodes(load(text.format(11)))
    with pytest.raises(errors.InvalidGraph, match="no attribute 'axes'"):
        check_nodes(load(text.format(28)))


def test_attribute_reference_counts_as_given() -> None:
    check_nodes(
        load("""g (float[2] x) => (float[2] z) { z = my.f<to = 1>(x) }
        <domain: "my", opset_import: ["": 28]> f <to> (a) => (b) { b = Cast<to: int = @to>(a) }""")
    )


def test_operator_that_somebody_registers_in_the_standard_domain_is_known() -> None:
    model = load("g (float[2] x) => (float[2] z) { z = Foo(x) }")
    check_nodes(model, {("", "Foo")})
    infer_types(model, {("", "Foo"): lambda node, types: types})
    assert model.graph.outputs[0].shape == (2,)


def test_operator_of_a_function_is_not_checked_against_a_schema() -> None:
    check_nodes(
        load("""g (float[2] x) => (float[2] z) { z = my.Relu(x, x) }
        <domain: "my", opset_import: ["": 28]> Relu (a, c) => (b) { b = Add(a, c) }""")
    )


def test_functions_that_call_each_other_in_a_circle_are_refused() -> None:
    with pytest.raises(errors.InvalidGraph, match="must not be recursive"):
        inferred("""g (float[2] x) => (float[2] z) { z = my.f(x) }
            <domain: "my", opset_import: ["": 28, "my": 1]> f (a) => (b) { b = my.h(a) }
            <domain: "my", opset_import: ["": 28, "my": 1]> h (a) => (b) { b = my.f(a) }""")


@pytest.mark.parametrize(
    "equation", ["bij, bjk>-> bik", ".bij,bjk->bik", "b..,bjk->bik", "b......,bjk->b", "bij,bjk->b->i", "1,2"]
)
def test_equation_on_which_onnx_would_hang_is_refused(equation: str) -> None:
    with pytest.raises(errors.InvalidGraph, match=r"node 'z' \(ai.onnx::Einsum, opset 28\): attribute 'equation' is"):
        inferred(
            f'g (float[2,3,4] x, float[2,4,5] y) => (float[A,B,C] z) {{ z = Einsum<equation = "{equation}">(x, y) }}'
        )


@pytest.mark.parametrize(
    "equation", ["bij,bjk->bik", " b i j , bjk -> b i k", "...ij,...jk->...ik", "bij,bjk", "bij,bjk->"]
)
def test_equation_in_every_valid_form_is_accepted(equation: str) -> None:
    inferred(f'g (float[2,3,4] x, float[2,4,5] y) => (float[A,B,C] z) {{ z = Einsum<equation = "{equation}">(x, y) }}')


def test_equation_that_a_call_gives_is_not_left_to_onnx() -> None:
    model = inferred("""g (float[2,3] x) => (float[A,B] z) { z = my.f<eq = ".ij->ji">(x) }
        <domain: "my", opset_import: ["": 28]> f <eq> (a) => (b) { b = Einsum<equation: string = @eq>(a) }""")
    assert model.graph.outputs[0].element is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "g (float[2,6] x) => (float[A,B] z, float[C] y) { z, y = Split<axis = 1, num_outputs = 1>(x) }",
            "number of outputs, 2",
        ),
        (
            "g (float[2,6] x, int64[2,1] i) => (float[A,B] z) { z = GatherND<batch_dims = -2>(x, i) }",
            "a count of 0 or more",
        ),
        (
            "g (float[2,6] x, float[6] w) => (float[A,B] z) { z = LayerNormalization<axis = 2>(x, w) }",
            "expected -2 to 1",
        ),
        (
            "g (float[2,6] x, float[6] w) => (float[A,B] z) { z = LayerNormalization<axis = 9223372036854775807>(x, w) }",
            "'axis'",
        ),
        ("g (float[2,6] x, double[6] w) => (float[A,B] z) { z = LayerNormalization(x, w) }", "differ in type"),
        (
            "g (int64[2,6] x, int64[6] w) => (int64[A,B] z) { z = LayerNormalization(x, w) }",
            "does not take tensor(int64)",
        ),
    ],
)
def test_attributes_on_which_onnx_would_crash_are_refused(text: str, words: str) -> None:
    with pytest.raises(errors.OrtError) as error:
        inferred(text)
    assert str(error.value).startswith("node 'z' (ai.onnx::")
    assert words in str(error.value)


def test_expand_by_a_vector_of_enormous_declared_length() -> None:
    model = inferred("g (float[2,1] x, int64[4611686018427387904] s) => (float[A] z) { z = Expand(x, s) }")
    assert model.graph.outputs[0].type == TensorType(ElementType.FLOAT, None)


@pytest.mark.parametrize(
    ("shape", "result"),
    [("[3, 1, 5]", (3, "N", 5)), ("[1]", ("N", 1)), ("[2, 4]", (2, 4)), ("[7, 1, 1, 1]", (7, 1, "N", 1))],
)
def test_expand_by_a_constant(shape: str, result: tuple[object, ...]) -> None:
    text = f"g (float[N,1] x) => (float[A] z) {{ s = Constant<value_ints = {shape}>() z = Expand(x, s) }}"
    assert inferred(text).graph.outputs[0].shape == result


def test_expand_by_a_vector_of_known_length() -> None:
    shape = inferred("g (float[N,3] x, int64[3] s) => (float[A] z) { z = Expand(x, s) }").graph.outputs[0].shape
    assert len(shape) == 3
    assert shape[2] == 3
    assert not any(isinstance(d, int) for d in shape[:2])


def test_statistics_of_layer_normalization() -> None:
    model = inferred("""g (float16[N,3,4] x, float16[4] w) => (float16[A] z, float[B] m, float[C] i) {
        z, m, i = LayerNormalization<axis = -2>(x, w)
    }""")
    types = [v.type for v in model.graph.outputs]
    assert types[0] == TensorType(ElementType.FLOAT16, ("N", 3, 4))
    assert types[1] == types[2] == TensorType(ElementType.FLOAT, ("N", 1, 1))


def test_constant_in_a_function_with_two_values() -> None:
    text = """g (float[2] x) => (float[2] z) { z = my.F(x) }
        <domain: "my", opset_import: ["": 28]> F(a) => (b) {
            c = Constant<value_float = 1.0, value_int = 2>() b = Add(a, c)
        }"""
    with pytest.raises(errors.InvalidGraph, match="got 2 attributes"):
        inferred(text)


def test_keepdims_that_is_neither_0_nor_1() -> None:
    with pytest.raises(errors.InvalidGraph, match="'keepdims' is 2, expected 0 or 1"):
        inferred("g (float[2] x) => (float[A] z) { z = ReduceSum<keepdims = 2>(x) }")


def test_a_constant_whose_value_is_no_tensor_is_refused() -> None:
    node = helper.make_node("Constant", [], ["y"], name="c")
    node.attribute.append(helper.make_attribute("value", 1.5))
    y, z = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "yz")
    branch = helper.make_graph([node], "b", [], [y])
    choice = helper.make_node("If", ["c"], ["z"], then_branch=branch, else_branch=branch)
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    refuses(helper.make_graph([choice], "g", [condition], [z]), "'value' is of type FLOAT")


def test_a_stash_type_that_is_no_type_is_refused() -> None:
    node = helper.make_node("LayerNormalization", ["x", "s"], ["y", "mean"], name="norm", stash_type=-1)
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("x", "s", "y", "mean")]
    refuses(helper.make_graph([node], "g", infos[:2], infos[2:]), "'stash_type' is -1")


def refuses(graph: object, words: str) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    with pytest.raises(errors.OrtError, match=words):
        ort.InferenceSession(model.SerializeToString(), providers=["ReferenceExecutionProvider"])
