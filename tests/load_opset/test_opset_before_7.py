"""Opsets 1 to 6, which onnxruntime hardly runs: what the specification of the time says, computed with numpy."""

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from ort_core import errors
from ort_core.ir.proto import from_proto, to_proto
from ort_core.ir.rewrite import check_invariants
from ort_core.load.opset import normalize_opset
from ort_core.testing.conformance.opset_cases.recipe import case
from ort_core.testing.conformance.opset_cases.samples import IMAGE, NORM, P, X, f32, positive
from ort_core.testing.conformance.opset_cases.written.control import recurrent

SCALE, BIAS, MEAN, VARIANCE = (p.reshape(-1, 1, 1) for p in NORM[1:])
BATCH_NORM = (NORM[0] - MEAN) / np.sqrt(VARIANCE + 1e-5) * SCALE + BIAS
A, B, C = f32(2, 3), f32(3, 4), f32(4)
SLOPE = positive(2)
BOOLS = X > 0

SELU_1 = 1.0507 * np.where(X > 0, X, 1.6732 * (np.exp(X) - 1))
PRELU = np.where(IMAGE > 0, IMAGE, IMAGE * SLOPE.reshape(2, 1, 1))
UPSAMPLED = IMAGE.repeat(2, 2).repeat(3, 3)
LEGACY = {"consumed_inputs": [0, 1]}

EXPECTED = [
    (case("Relu", (1, 5), X, consumed_inputs=[0]), np.maximum(X, 0)),
    (case("Sqrt", 1, P, consumed_inputs=[0]), np.sqrt(P)),
    (case("Max", 1, X, -X, **LEGACY), np.abs(X)),
    (case("Add", (1, 5), X, X, **LEGACY), X + X),
    (case("Add", 6, X, X), X + X),
    (case("Add", (1, 6), X, C, broadcast=1, note="suffix"), X + C),
    (case("Sub", 6, X, A[:, :1].T[0], broadcast=1, axis=0, note="first"), X - A[:, :1, None]),
    (case("Mul", 6, X, A, broadcast=1, axis=0, note="two"), X * A[:, :, None]),
    (case("Div", 6, X, P[0, :, 0], broadcast=1, axis=1, note="middle"), X / P[0, :, :1]),
    (case("Div", 6, X, P[0, :, 0], broadcast=1, axis=-2, note="negative"), X / P[0, :, :1]),
    (case("Pow", 1, P, P[0, 0], broadcast=1, axis=2, note="last"), P ** P[0, 0]),
    (case("Add", 6, X, f32(1) * 0 + 2, broadcast=1, axis=0, note="one"), X + 2),
    (case("And", 1, BOOLS, BOOLS[:, 0, 0], broadcast=1, axis=0), BOOLS & BOOLS[:, :1, :1]),
    (case("Greater", 1, X, X[0, :, 0], broadcast=1, axis=1), np.greater(X, X[0, :, :1])),
    (case("Gemm", (1, 6), A, B, C, broadcast=1), A @ B + C),
    (case("PRelu", (1, 6), IMAGE, SLOPE), PRELU),
    (case("PRelu", 6, IMAGE, SLOPE[:1], note="shared"), np.where(IMAGE > 0, IMAGE, IMAGE * SLOPE[0])),
    (case("Selu", 1, X), SELU_1),
    (case("HardSigmoid", 1, X, consumed_inputs=[0]), np.clip(0.2 * X + 0.5, 0, 1)),
    (case("Clip", 1, X, max=0.5, consumed_inputs=[0]), np.minimum(X, 0.5)),
    (case("Cast", 1, X, to="INT32"), X.astype(np.int32)),
    (case("Concat", 1, X, X), np.concatenate([X, X], 1)),
    (case("Concat", 1, X, X, axis=2, note="axis"), np.concatenate([X, X], 2)),
    (case("Reshape", (1, 4), X, shape=[0, -1], consumed_inputs=[0]), X.reshape(2, -1)),
    (case("Tile", 1, X, np.float32([2]), np.float32([1])), np.tile(X, (1, 2, 1))),
    (case("Pad", 1, X[0], paddings=[0, 1, 1, 0], value=2.0), np.pad(X[0], ((0, 1), (1, 0)), constant_values=2)),
    (case("Upsample", 1, IMAGE, height_scale=2.0, width_scale=3.0), UPSAMPLED),
    (case("BatchNormalization", 1, *NORM, is_test=1, consumed_inputs=[0, 0, 0, 1, 1]), BATCH_NORM),
    (case("BatchNormalization", 6, *NORM), BATCH_NORM),
    (case("Dropout", (1, 6), X, is_test=1), X),
    (case("LpPool", 1, IMAGE, p=2.0, kernel_shape=[4, 5]), np.sqrt((IMAGE**2).sum((2, 3), keepdims=True))),
    (case("ReduceSum", 1, X, axes=[1]), X.sum(1, keepdims=True)),
    (case("Squeeze", 1, X[:, :1], axes=[1]), X[:, 0]),
    (case("Slice", 1, X, starts=[1], ends=[3], axes=[2]), X[:, :, 1:3]),
    (case("TopK", 1, X, k=1, out="values indices"), X.max(2, keepdims=True)),
]


def run(model_case, opset, *, typed=True):
    proto, feeds = model_case.model(opset, typed=typed)
    model = normalize_opset(from_proto(proto))
    check_invariants(model)
    result = to_proto(model)
    onnx.shape_inference.infer_shapes(result, check_type=True, strict_mode=True)
    return ReferenceEvaluator(result).run(None, feeds)


PARAMS = [pytest.param(c, opset, y, id=c.label(opset)) for c, y in EXPECTED for opset in c.opsets]


@pytest.mark.parametrize("typed", [True, False], ids=["typed", "untyped"])
@pytest.mark.parametrize(("model_case", "opset", "expected"), PARAMS)
def test_normalised_node_computes_what_the_old_text_says(model_case, opset, expected, typed):
    got = run(model_case, opset, typed=typed)[0]
    assert got.dtype == expected.dtype
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sizes", [{"split": [1, 2]}, {}], ids=["attribute", "input"])
def test_split_1_takes_sizes_as_attribute_or_float_input(sizes):
    inputs = (X,) if sizes else (X, np.float32([1, 2]))
    got = run(case("Split", 1, *inputs, axis=1, out="a b", **sizes), 1)
    np.testing.assert_array_equal(got[0], X[:, :1])
    np.testing.assert_array_equal(got[1], X[:, 1:])


def test_recurrent_operators_lose_the_hint_about_their_outputs():
    for op, opset, gates in (("RNN", 1, 1), ("GRU", 3, 3), ("LSTM", 1, 4)):
        inputs = recurrent(gates)
        old = run(case(op, opset, *inputs, hidden_size=4, output_sequence=1, out="y h"), opset)
        new = run(case(op, 14, *inputs, hidden_size=4, out="y h"), 14)
        np.testing.assert_array_equal(old[0], new[0])


def test_gru_1_misspelt_its_default_direction():
    inputs = recurrent(3)
    old = run(case("GRU", 1, *inputs, hidden_size=4, direction="foward", out="y h"), 1)
    np.testing.assert_array_equal(old[1], run(case("GRU", 14, *inputs, hidden_size=4, out="y h"), 14)[1])


def test_fractional_norm_of_a_pool_is_refused():
    with pytest.raises(errors.NotImplemented, match=r"the_node.*GlobalLpPool, opset 1.*p=2.5"):
        run(case("GlobalLpPool", 1, IMAGE, p=2.5), 1)


def test_cast_to_an_unknown_type_name_is_refused():
    with pytest.raises(errors.InvalidGraph, match=r"the_node.*'FLOAT99'"):
        run(case("Cast", 1, X, to="FLOAT99"), 1)


def test_indices_of_top_k_stay_the_second_output():
    got = run(case("TopK", 1, X, k=2, out="values indices"), 1)
    np.testing.assert_array_equal(got[1], np.argsort(-X, 2, kind="stable")[:, :, :2])
