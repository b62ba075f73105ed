from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from infer_bad_models import CASES
from infer_helpers import inferred, load, parse

from ort_core import errors
from ort_core.infer.check import check_nodes
from ort_core.infer.shapes import infer_types, output_types
from ort_core.ir.rewrite import inline_function

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
    with pytest.raises(errors.InvalidGraph, match=r"node 'z' \(ai.onnx::Einsum, opset 28\): got equation"):
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
