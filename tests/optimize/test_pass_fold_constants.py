import functools
import itertools
import logging

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from optimize_helpers import OPSET, apply_all, apply_pass, assert_same_results, context, floats, ops

from ort_core import reference_ops
from ort_core.errors import RuntimeException
from ort_core.ir.graph import Model


def _constants(model: Model) -> dict[str, np.ndarray]:
    return {n: v.const.array() for n, v in model.graph.initializers.items()}


@pytest.mark.parametrize(
    "body",
    [
        "z = Add(a, b)",
        "z = Sqrt(a)",
        "y = Mul(a, b) w = Neg(y) z = Transpose(w)",
        "i = Constant<value_ints = [1, 0]>() z = Gather<axis = 1>(a, i)",
        "s = Shape(a) z = Cast<to = 1>(s)",
        "z = Concat<axis = 0>(a, b, a)",
        "c = Greater(a, b) z = Where(c, a, b)",
        "s = Constant<value_ints = [3, 1, 1]>() z = Expand(a, s)",
        "s = Constant<value_ints = [2, 3]>() z = ConstantOfShape<value = float[1] {7}>(s)",
        "s = Constant<value_ints = [-1]>() e = Constant<value_ints = [-100]>() z = Slice(a, s, e, s, s)",
        "z = Softmax(a)",
        "z, q = Split<num_outputs = 2>(a)",
        "z = Cast<to = 10>(a)",
    ],
)
def test_nodes_on_constants_are_computed_exactly(body: str) -> None:
    text = f"g () => (float z) <float[2,2] a = {{1.1, -0.0, 3.3, 4.7}}, float[2,2] b = {{0.1, 0.2, 0.3, -5.5}}> {{ {body} }}"
    text = text.replace("float z", "float16[A,B] z" if "10" in body and "Cast<to = 10>" in body else "float[A] z")
    model = apply_pass("fold_constants", text)
    assert ops(model) == []
    assert_same_results(text, model, {})


def test_value_of_an_overridable_initializer_is_not_folded() -> None:
    text = "g (float[2] x, float[2] w = {1, 2}) => (float[2] z) { y = Neg(w) z = Mul(x, y) }"
    model = apply_all(text)
    assert ops(model) == ["Neg", "Mul"]
    assert_same_results(text, model, {"x": floats(2)}, {"x": floats(2), "w": floats(2, seed=1)})


@pytest.mark.parametrize(
    "node",
    [
        "z = RandomNormalLike(a)",
        "z = RandomUniformLike<seed = 1.0>(a)",
        "z = RandomNormal<shape = [2]>()",
        "z = RandomUniform<shape = [2]>()",
        "z = Bernoulli(a)",
        "y = Multinomial<sample_size = 2>(m) z = Cast<to = 1>(y)",
        "t = Constant<value = bool {1}>() r = Constant<value_float = 0.5>() z = Dropout(a, r, t)",
    ],
)
def test_random_operators_are_never_computed(node: str) -> None:
    text = f"g () => (float[A] z) <float[2] a = {{0.5, 0.5}}, float[1,2] m = {{0.5, 0.5}}> {{ {node} }}"
    model = apply_all(text)
    assert set(ops(model)) & {
        "RandomNormalLike", "RandomUniformLike", "RandomNormal", "RandomUniform", "Bernoulli", "Multinomial", "Dropout"
    }  # fmt: skip


def test_output_over_the_limit_is_not_made() -> None:
    text = "g () => (float[A,B] z) { s = Constant<value_ints = [100, 100]>() z = ConstantOfShape(s) }"
    assert ops(apply_pass("fold_constants", text, max_fold_bytes=40_000)) == []
    assert ops(apply_pass("fold_constants", text, max_fold_bytes=39_999)) == ["ConstantOfShape"]


@pytest.mark.parametrize("size", [1 << 31, 1 << 60])
def test_enormous_output_is_not_made(size: int) -> None:
    text = f"g () => (float[A] z) {{ s = Constant<value_ints = [{size}]>() z = ConstantOfShape(s) }}"
    assert ops(apply_all(text)) == ["ConstantOfShape"]


def test_many_constants_stop_at_the_total_limit() -> None:
    lines = " ".join(f"y{i} = ConstantOfShape<value = float[1] {{{i}}}>(s) z{i} = Add(x, y{i})" for i in range(100))
    outputs = ", ".join(f"float[256] z{i}" for i in range(100))
    text = f"g (float[256] x) => ({outputs}) {{ s = Constant<value_ints = [256]>() {lines} }}"
    model = apply_pass("fold_constants", text, max_fold_bytes=1024)
    assert ops(model).count("ConstantOfShape") == 36


def _with_weight(node: onnx.NodeProto, weight: np.ndarray, *more: np.ndarray) -> onnx.ModelProto:
    names = list(node.input)
    graph = helper.make_graph(
        [node, helper.make_node("Identity", ["y"], ["z"])],
        "g",
        [],
        [helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(a, n) for a, n in zip((weight, *more), names, strict=True)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 28)], ir_version=10)


@pytest.mark.parametrize(
    ("node", "more"),
    [
        (helper.make_node("Transpose", ["w"], ["y"], perm=[1, 0]), ()),
        (helper.make_node("Reshape", ["w", "s"], ["y"]), (np.array([-1, 10], np.int64),)),
        (helper.make_node("Unsqueeze", ["w", "s"], ["y"]), (np.array([0], np.int64),)),
        (helper.make_node("Flatten", ["w"], ["y"], axis=0), ()),
    ],
)
def test_constant_of_any_size_is_laid_out_anew_without_being_read(
    node: onnx.NodeProto, more: tuple[np.ndarray, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = floats(50, 40)
    proto = _with_weight(node, weight, *more)
    model = apply_pass("fold_constants", proto, max_fold_bytes=16)
    assert ops(model) == ["Identity"]
    (value,) = model.graph.initializers.values()
    assert value.const.nbytes == weight.nbytes
    assert not isinstance(value.const, type(apply_pass("inline_constants", proto).graph.initializers["w"].const))
    buffer = bytearray(weight.nbytes)
    value.const.read_into(memoryview(buffer))
    assert bytes(value.const.view()) == bytes(buffer) == value.const.array().tobytes()
    assert_same_results(proto, model, {})


def test_transposed_string_constant_folds() -> None:
    text = 'g () => (string[2,1] z) <string[1,2] a = {"x", "y"}> { z = Transpose(a) }'
    model = apply_pass("fold_constants", text)
    assert ops(model) == []
    assert_same_results(text, model, {})


def test_quantised_weights_stay_quantised() -> None:
    text = """g () => (float[2] z) <int8[2] w = {1, 2}, float s = {0.5}> { z = DequantizeLinear(w, s) }"""
    assert ops(apply_all(text)) == ["DequantizeLinear"]


def test_custom_operator_on_constants_stays() -> None:
    assert ops(apply_all("g () => (float[2] z) <float[2] a = {1, 2}> { z = my.Thing(a) }")) == ["Thing"]


def test_node_that_fails_on_its_constants_stays_to_fail_when_it_runs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "ort_core.optimize")
    text = "g () => (float[A] z) <float[2] a = {1, 2}> { i = Constant<value_ints = [5]>() z = Gather(a, i) }"
    assert ops(apply_all(text)) == ["Gather"]
    assert "node 'z' (ai.onnx::Gather, opset 28) is not folded" in caplog.text


def test_evaluator_without_the_operator_leaves_the_node() -> None:
    text = "g () => (float[2] z) <float[2] a = {1, 2}> { z = Sigmoid(a) }"
    assert ops(apply_pass("fold_constants", text, evaluate=lambda node, inputs: None)) == ["Sigmoid"]


def test_failing_evaluator_leaves_the_node() -> None:
    def fail(node: object, inputs: object) -> None:
        raise RuntimeException("no")

    text = "g () => (float[2] z) <float[2] a = {1, 2}> { z = Sigmoid(a) }"
    assert ops(apply_pass("fold_constants", text, evaluate=fail)) == ["Sigmoid"]


def test_result_of_another_type_than_inferred_is_not_used() -> None:
    text = "g () => (float[2] z) <float[2] a = {1, 2}> { z = Sigmoid(a) }"
    for wrong in (np.zeros(2, np.float64), np.zeros(3, np.float32)):
        assert ops(apply_pass("fold_constants", text, evaluate=lambda node, inputs, w=wrong: (w,))) == ["Sigmoid"]


def test_constants_of_outer_graphs_fold_inside_branches() -> None:
    text = """g (bool c, float[2] x) => (float[2] z) <float[2] w = {1, 2}> {
        z = If(c) <then_branch = t () => (float[2] a) { k = Sqrt(w) a = Mul(x, k) },
                   else_branch = e () => (float[2] b) { b = Neg(x) }>
    }"""
    model = apply_all(text)
    then = next(model.graph.nodes[0].subgraphs)
    assert [n.op_type for n in then.nodes] == ["Mul"]
    for condition in (True, False):
        assert_same_results(text, model, {"c": np.array(condition), "x": floats(2)})


def test_only_used_outputs_of_a_folded_node_are_kept() -> None:
    text = """g () => (float[2] z) <float[2,2] a = {1, 2, 3, 4}> {
        k = Constant<value_ints = [1]>() v, i = TopK(a, k) s = Constant<value_ints = [-1]>() z = Reshape(v, s)
    }"""
    model = apply_all(text)
    assert ops(model) == []
    assert len(model.graph.initializers) == 1
    assert_same_results(text, model, {})


def test_slow_operator_folds_only_on_small_inputs() -> None:
    def text(size: int) -> str:
        return f"""g () => (float[A,B,C,D] z) <float[1,1,3,3] w = {{1,2,3,4,5,6,7,8,9}}> {{
            s = Constant<value_ints = [1, 1, {size}, {size}]>()
            x = ConstantOfShape<value = float[1] {{1}}>(s)
            z = Conv(x, w)
        }}"""

    assert ops(apply_all(text(8))) == []
    assert ops(apply_all(text(100))) == ["Conv"]


def test_folding_needs_a_known_output_shape() -> None:
    calls: list[str] = []

    def spy(node: object, inputs: object) -> object:
        calls.append(node.op_type)
        return context().evaluate(node, inputs)

    text = "g () => (int64[A,B] z) <float[3] a = {1, 0, 2}> { z = NonZero(a) }"
    assert ops(apply_pass("fold_constants", text, evaluate=spy)) == ["NonZero"]
    assert not calls


def test_strings_that_double_in_length_are_folded_only_while_they_are_small() -> None:
    names = ["w", *(f"s{i}" for i in range(45))]
    nodes = " ".join(f"{b} = StringConcat({a}, {a})" for a, b in itertools.pairwise(names))
    text = f'g () => (string[1] {names[-1]}) <string[1] w = {{"ab"}}> {{ {nodes} }}'
    compute = functools.partial(reference_ops.evaluate, opsets={"": OPSET}, max_bytes=1 << 20)
    model = apply_pass("fold_constants", text, evaluate=compute)
    assert 0 < len(ops(model)) < 45
    assert all(len(text) < 1 << 20 for array in _constants(model).values() for text in array)
