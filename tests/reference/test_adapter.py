import numpy as np
import pytest
from reference_helpers import ML, OPSETS, f32, i64, make_node, noise, read_only, run, run_all, strings

from ort_core import errors
from ort_core.errors import InvalidGraph, OutOfMemory, RuntimeException
from ort_core.ir.attributes import Attribute, AttributeKind
from ort_core.ir.graph import Graph, Origin
from ort_core.ir.types import ElementType, OptionalType, SequenceType, TensorType
from ort_core.reference_ops import bind, bind_kernel, supports


@pytest.mark.parametrize(
    ("op_type", "domain"),
    [
        ("Relu", ""),
        ("Conv", ""),
        ("Cosh", ""),
        ("StringConcat", ""),
        ("Binarizer", ML),
        ("ZipMap", ML),
        ("Adam", "ai.onnx.preview.training"),
    ],
)
def test_operators_of_every_known_domain_are_supported(op_type: str, domain: str) -> None:
    inputs = [noise(1, 1, 3, 3)] * (2 if op_type == "Conv" else 1)
    assert supports(make_node(op_type, *inputs, domain=domain), OPSETS) is None


def test_function_operators_are_left_to_the_core() -> None:
    reason = supports(make_node("Gelu", f32(1)), OPSETS)
    assert reason is not None
    assert "core expands" in reason


def test_unknown_domain_is_declined_by_name() -> None:
    assert "'my.ops'" in str(supports(make_node("Foo", f32(1), domain="my.ops"), OPSETS))


def test_unknown_operator_is_declined_with_its_opset() -> None:
    assert supports(make_node("Foo", f32(1)), OPSETS) == "ai.onnx::Foo does not exist in opset 28"


def test_operator_without_implementation_is_declined() -> None:
    reason = supports(make_node("Gradient", f32(1), domain="ai.onnx.preview.training"), OPSETS)
    assert reason == "onnx.reference does not implement ai.onnx.preview.training::Gradient"


def test_subgraphs_are_declined() -> None:
    node = make_node("If", np.array(True))
    for branch in ("then_branch", "else_branch"):
        node.attributes[branch] = Attribute(AttributeKind.GRAPH, Graph(branch))
    assert "subgraphs" in str(supports(node, OPSETS))


def test_reference_to_function_attribute_is_declined() -> None:
    node = make_node("LeakyRelu", f32(1))
    node.attributes["alpha"] = Attribute(AttributeKind.FLOAT, None, "slope")
    assert "'alpha'" in str(supports(node, OPSETS))


def test_attribute_of_an_older_opset_is_declined_not_ignored() -> None:
    assert "'axes'" in str(supports(make_node("Unsqueeze", f32(1), i64(0), axes=[0]), OPSETS))


def test_binding_what_is_not_supported_raises_not_implemented_with_node_and_remedy() -> None:
    with pytest.raises(errors.NotImplemented, match=r"node 'act' \(ai.onnx::Gelu\).*Add a provider"):
        bind(make_node("Gelu", f32(1), name="act"), OPSETS)


def test_senseless_attributes_are_found_when_binding() -> None:
    with pytest.raises(InvalidGraph, match=r"node 'shift' .*direction"):
        bind(make_node("BitShift", np.uint8([1]), np.uint8([1]), direction="UP", name="shift"), OPSETS)


def test_failure_names_node_provider_inputs_and_cause() -> None:
    node = make_node("MatMul", noise(2, 3), noise(4, 5), name="attn/qk")
    node.origin = Origin("MatMul", "", 13)
    call = bind(node, OPSETS)
    with pytest.raises(RuntimeException) as caught:
        call(noise(2, 3), noise(4, 5))
    message = str(caught.value)
    assert "node 'attn/qk' (ai.onnx::MatMul, opset 13)" in message
    assert "ReferenceExecutionProvider" in message
    assert "(tensor(float) [2, 3], tensor(float) [4, 5])" in message
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(
    ("op_type", "inputs", "attributes"),
    [
        ("Add", (noise(2, 3), noise(2, 4)), {}),
        ("Concat", (noise(2, 3), noise(3, 4)), {"axis": 0}),
        ("Conv", (noise(1, 3, 5, 5), noise(2, 4, 3, 3)), {}),
        ("Conv", (noise(1, 3, 2, 2), noise(2, 3, 3, 3)), {}),
        ("MaxPool", (noise(1, 1, 2, 2),), {"kernel_shape": [3, 3]}),
        ("Gather", (noise(3), i64(3)), {}),
        ("GatherElements", (noise(3), i64(-4)), {}),
        ("GatherND", (noise(2, 2), i64(2, 0)), {}),
        ("ScatterND", (noise(4), i64(1)[None], noise(2)), {}),
        ("Reshape", (noise(6), i64(4, -1)), {}),
        ("Split", (noise(6), i64(2, 3)), {"outputs": 2}),
        ("Pad", (noise(2), i64(-2, -1)), {}),
        ("Slice", (noise(2), i64(0), i64(1), i64(1)), {}),
        ("Einsum", (noise(2, 3), noise(4, 5)), {"equation": "ij,jk->ik"}),
        ("Gemm", (noise(2, 3), noise(3, 4), noise(5)), {}),
        ("LSTM", (noise(2, 1, 3), noise(1, 8, 4), noise(1, 8, 2)), {"hidden_size": 2}),
        ("QuantizeLinear", (noise(2, 3), f32(1, 2)), {"axis": 1}),
        ("Squeeze", (noise(2, 1), i64(0)), {}),
        ("SequenceAt", ([noise(1)], i64(3)), {}),
        ("StringNormalizer", (strings("a", "b").reshape(2, 1),), {}),
    ],
)
def test_bad_shapes_and_values_raise_instead_of_giving_numbers(op_type, inputs, attributes) -> None:
    with pytest.raises(RuntimeException, match="failed on ReferenceExecutionProvider"):
        run(op_type, *inputs, **attributes)


def test_value_of_an_empty_optional_is_an_error() -> None:
    with pytest.raises(RuntimeException, match="the optional is empty"):
        bind(make_node("OptionalGetElement", f32(1)), OPSETS)(None)


def test_missing_memory_is_out_of_memory() -> None:
    with pytest.raises(OutOfMemory, match="ConstantOfShape"):
        run("ConstantOfShape", i64(1 << 45))


def test_result_has_the_inferred_type_whatever_the_operator_returns() -> None:
    result = run("Mod", np.float16([5]), np.float16([3]), fmod=1, types=(np.float16,))
    assert result.dtype == np.float16


def test_scalar_results_are_zero_dimensional_arrays() -> None:
    result = run("ReduceSum", f32(1, 2), keepdims=0, types=(np.float32,))
    assert type(result) is np.ndarray
    assert result.shape == ()


def test_results_are_contiguous() -> None:
    assert run("Transpose", noise(2, 3), types=(np.float32,)).flags.c_contiguous
    assert all(part.flags.c_contiguous for part in run_all("Split", noise(2, 4), axis=1, outputs=2))


def test_big_endian_results_become_native() -> None:
    assert run("Identity", np.array([1.5], ">f4"), types=(np.float32,)).dtype.isnative


def test_strings_are_object_arrays_of_str() -> None:
    result = run("Cast", f32(1.5), to=8, types=(object,))
    assert result.dtype == object
    assert type(result[0]) is str


def test_sequences_are_lists_of_exact_arrays() -> None:
    kind = SequenceType(TensorType(ElementType.FLOAT))
    result = run("SplitToSequence", noise(2, 2), axis=1, keepdims=0, types=(kind,))
    assert type(result) is list
    assert [r.shape for r in result] == [(2,), (2,)]
    assert all(r.flags.c_contiguous for r in result)


def test_empty_optional_is_none() -> None:
    kind = OptionalType(TensorType(ElementType.FLOAT))
    assert run("Optional", type=Attribute(AttributeKind.TYPE_PROTO, kind.element), types=(kind,)) is None


def test_result_of_another_kind_than_declared_raises() -> None:
    with pytest.raises(RuntimeException, match=r"list, its type is tensor\(float\)"):
        run("SequenceConstruct", f32(1), types=(np.float32,))


def test_absent_outputs_come_back_as_none() -> None:
    node = make_node("Unique", i64(3, 1, 3), outputs=4)
    node.outputs[1] = None
    y, first, inverse, counts = bind(node, OPSETS)(i64(3, 1, 3))
    assert first is None
    assert (y.tolist(), inverse.tolist(), counts.tolist()) == ([1, 3], [1, 0, 1], [1, 2])


def test_bind_gives_tuples_and_bind_kernel_bare_results() -> None:
    node = make_node("Relu", f32(-1), types=(np.float32,))
    assert isinstance(bind(node, OPSETS)(f32(-1)), tuple)
    assert isinstance(bind_kernel(node, OPSETS)(f32(-1)), np.ndarray)


def test_one_binding_serves_many_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    call = bind(make_node("Conv", noise(1, 2, 8, 8), noise(2, 2, 3, 3)), OPSETS)
    images = [noise(1, 2, 8, 8, seed=s) for s in range(16)]
    weights = read_only(noise(2, 2, 3, 3))
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda x: call(x, weights)[0], images))
    for image, result in zip(images, results, strict=True):
        np.testing.assert_array_equal(result, call(image, weights)[0])
