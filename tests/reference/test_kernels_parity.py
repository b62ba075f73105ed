"""Where the standard is silent or `onnx.reference` differs: what onnxruntime computes."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from reference_helpers import ML, f32, i64, noise

import ort_core

pytestmark = pytest.mark.parity


def model(node: onnx.NodeProto, *inputs: np.ndarray | None, types: tuple[int, ...]) -> bytes:
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for name, v in zip(node.input, inputs, strict=True)
        if v is not None
    ]
    outputs = [helper.make_tensor_value_info(n, t, None) for n, t in zip(node.output, types, strict=True)]
    graph = helper.make_graph([node], "g", infos, outputs)
    imports = [helper.make_opsetid("", 20), helper.make_opsetid(ML, 3)]
    return helper.make_model(graph, opset_imports=imports, ir_version=9).SerializeToString()


def compare(onnxruntime_results, op_type, *inputs, types=(TensorProto.FLOAT,), domain="", **attributes) -> None:
    names = [f"x{i}" if v is not None else "" for i, v in enumerate(inputs)]
    node = helper.make_node(op_type, names, [f"y{i}" for i in range(len(types))], domain=domain, **attributes)
    data = model(node, *inputs, types=types)
    feeds = {n: v for n, v in zip(names, inputs, strict=True) if v is not None}
    ours = ort_core.InferenceSession(data, providers=["ReferenceExecutionProvider"]).run(None, feeds)
    for a, b in zip(ours, onnxruntime_results(data, [feeds])[0], strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if a.dtype == object:
            assert a.tolist() == b.tolist()
        else:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_cubic_grid_sample_repeats_border_pixels(onnxruntime_results) -> None:
    grid = np.random.default_rng(0).uniform(-1.3, 1.3, (1, 4, 4, 2)).astype(np.float32)
    compare(
        onnxruntime_results, "GridSample", noise(1, 2, 4, 5), grid, mode="cubic", padding_mode="border", align_corners=1
    )


def test_nearest_resize_rounds_ties_in_single_precision(onnxruntime_results) -> None:
    compare(
        onnxruntime_results, "Resize", noise(1, 1, 5, 5), None, f32(1, 1, 2.6, 0.8), mode="nearest",
        coordinate_transformation_mode="asymmetric", nearest_mode="round_prefer_ceil",
    )  # fmt: skip


def test_transposed_convolution_of_groups(onnxruntime_results) -> None:
    compare(
        onnxruntime_results, "ConvTranspose", noise(1, 4, 4, 5), noise(4, 3, 2, 3), noise(6), group=2, strides=[2, 1],
        dilations=[1, 2], pads=[1, 0, 0, 1], output_padding=[1, 0],
    )  # fmt: skip


def test_lstm_with_lengths_peepholes_and_clipping(onnxruntime_results) -> None:
    compare(
        onnxruntime_results, "LSTM", noise(5, 2, 3), noise(2, 16, 3), noise(2, 16, 4), noise(2, 32), np.int32([5, 3]),
        noise(2, 2, 4), noise(2, 2, 4), noise(2, 12), types=(1, 1, 1), hidden_size=4, direction="bidirectional", clip=0.5,
        activations=["Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign", "Tanh"],
    )  # fmt: skip


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"])
def test_linear_classifier_of_one_score(onnxruntime_results, transform: str) -> None:
    compare(
        onnxruntime_results, "LinearClassifier", noise(5, 3), types=(TensorProto.STRING, TensorProto.FLOAT), domain=ML,
        coefficients=[0.5, -0.25, 1.0], intercepts=[0.1], classlabels_strings=["no", "yes"], post_transform=transform,
    )  # fmt: skip


@pytest.mark.parametrize("weights", [[0.2, 0.9], [-1.0, 2.0]])
@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC"])
def test_binary_trees_that_score_one_class(onnxruntime_results, weights, transform: str) -> None:
    compare(
        onnxruntime_results, "TreeEnsembleClassifier", noise(6, 2), types=(TensorProto.INT64, TensorProto.FLOAT), domain=ML,
        nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[1, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_values=[0.1, 0.0, 0.0], nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0], class_treeids=[0, 0], class_nodeids=[1, 2], class_ids=[0, 0], class_weights=weights,
        classlabels_int64s=[3, 7], base_values=[0.1], post_transform=transform,
    )  # fmt: skip


def test_slices_that_start_before_the_axis(onnxruntime_results) -> None:
    compare(onnxruntime_results, "Slice", noise(3, 4), i64(-9, -9), i64(-9, 9), i64(0, 1), i64(-1, 2))
