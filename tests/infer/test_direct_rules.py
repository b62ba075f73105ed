"""The rules of each family decide valid nodes as ONNX does, and leave to it those that are wrong."""

from __future__ import annotations

import re

import onnx
import pytest
from direct_compare import assert_same, directly, outcome, outcome_by_onnx
from infer_helpers import inferred, parse, value

from ort_core.ir.types import ElementType, TensorType

DECIDED = {
    "elementwise": """
        (float[n,3] x) => (y) { y = Swish(x) }
        (float[] x, float[3] s) => (y) { y = PRelu(x, s) }
        (float[2,n] x, int64[1] z) => (y) { y = CastLike(x, z) }
        (float[2,n] x) => (y) { y = BitCast<to = 6>(x) }
        (float[2,n] a, float[m,3] b) => (y) { y = SwiGLU(a, b) }
        (float[n] x, int64 a) => (y) { y = CumSum(x, a) }
        (float x) => (y) { y = Identity(x) }
    """,
    "products": """
        (float[n,3] a, float[3] b) => (y) { y = MatMul(a, b) }
        (float[3] a, float[3] b) => (y) { y = MatMul(a, b) }
        (float[3] a, float[2,3,m] b) => (y) { y = MatMul(a, b) }
        (uint8[2,n] a, int8[n,4] b) => (y) { y = MatMulInteger(a, b) }
        (uint8[2,3] a, float s, uint8 z, int8[3,n] b, int8 w) => (y) { y = QLinearMatMul(a, s, z, b, s, w, s, z) }
        (float[n,3] a, float[3,m] b) => (y) { y = Einsum<equation = "ij, jk -> ik">(a, b) }
        (float[b,2,3] a, float[b,3,m] c) => (y) { y = Einsum<equation = "...ij,...jk">(a, c) }
        (float[3,3] a) => (y) { y = Einsum<equation = "ii->i">(a) }
        (float[n,3,3] a) => (y) { y = Det(a) }
    """,
    "reshaping": """
        (float[n,2,3] x, int64[3] s) => (y) { y = Reshape(x, s) }
        (float[n,2,3] x, int64[k] s) => (y) { z = Reshape(x, s)  y = Relu(z) }
        (float[n,2,3] x) => (y) <int64[2] s = {0,-1}> { y = Reshape(x, s) }
        (float[n,2,3] x) => (y) <int64[2] s = {-1,6}> { y = Reshape(x, s) }
        (float[1,n,1] x) => (y) { y = Squeeze(x) }
        (float[1,3,1] x) => (y) { y = Squeeze(x) }
        (float[1,n,1] x, int64[1] a) => (y) { y = Squeeze(x, a) }
        (float[2,n] x) => (y) { y = Size(x) }
        (float[n,8,2,k] x) => (y) { y = DepthToSpace<blocksize = 2>(x) }
        (float[n,8,4,k] x) => (y) { y = SpaceToDepth<blocksize = 2>(x) }
    """,
    "pieces": """
        (float[n,5] x) => (y) <int64[1] b = {1}, int64[1] e = {4}, int64[1] a = {-1}> { y = Slice(x, b, e, a) }
        (float[n,5] x) => (y)
          <int64[1] b = {-9}, int64[1] e = {-9}, int64[1] a = {1}, int64[1] s = {-2}> { y = Slice(x, b, e, a, s) }
        (float[n,5] x, int64[1] b, int64[1] e) => (y) { y = Slice(x, b, e) }
        (float[5,n] x) => (y, z) { y, z = Split<num_outputs = 2>(x) }
        (float[n,5] x) => (y, z) <int64[2] s = {2,3}> { y, z = Split<axis = 1>(x, s) }
        (float[n,5] x, int64[2] s) => (y, z) { y, z = Split<axis = -1>(x, s) }
        (float[n,5] x, int64[2] s) => (y, z) { y, z = Split(x, s) }
        (float[n,5] x) => (y) <int64[4] p = {0,1,0,2}> { y = Pad(x, p) }
        (float[n,5] x) => (y) <int64[2] p = {0,-1}, int64[1] a = {-1}> { y = Pad(x, p, , a) }
        (float[n,5] x, int64[4] p) => (y) { y = Pad(x, p) }
        (float[n,5] x) => (y) <int64[2] r = {1,3}> { y = Tile(x, r) }
        (float[n,5] x, int64[2] r) => (y) { y = Tile(x, r) }
        (float[n,5] x) => (y) <int64[1] s = {9}> { y = CenterCropPad<axes = [1]>(x, s) }
    """,
    "indexing": """
        (float[n,5] x, int64[2,2] i) => (y) { y = GatherElements(x, i) }
        (float[n,5,6] x, int64[k,1] i) => (y) { y = GatherND(x, i) }
        (float[n,5,6] x, int64[n,1] i) => (y) { y = GatherND<batch_dims = 1>(x, i) }
        (float[4] x, int64[1] i) => (y) { y = GatherND(x, i) }
        (float[n,5] x, int64[2,2] i, float[2,2] u) => (y) { y = ScatterElements(x, i, u) }
        (float[n,5] x, int64[k,1] i, float[k,5] u) => (y) { y = ScatterND(x, i, u) }
        (float[b,h,8,4] c, float[b,h,n,4] u, int64[b] i) => (y) { y = TensorScatter(c, u, i) }
        (float[n,5] x) => (v, i) <int64[1] k = {3}> { v, i = TopK(x, k) }
        (float[n,5] x) => (v, i) <int64[1] k = {3}> { v, i = TopK<axis = 0>(x, k) }
        (int64[n,5] x, float[2] v) => (y) <int64 d = {7}> { y = OneHot<axis = 1>(x, d, v) }
        (int64[n,5] x, int64 d, float[2] v) => (y) { y = OneHot(x, d, v) }
        (float[n,5] x, bool[k] c) => (y, z) { y = Compress<axis = 1>(x, c)  z = Compress(x, c) }
        (float[n,5] x) => (y, i, j, k) { y, i, j, k = Unique<axis = 0>(x) }
        (float[n,5] x) => (y, k) { y, , , k = Unique(x) }
        (float[n,5] x) => (y) { y = NonZero(x) }
        (float[n,5] x, int64[k] l) => (y) { y = ReverseSequence(x, l) }
        (float[n,5,5] x) => (y) { y = Trilu(x) }
    """,
    "windows": """
        (float[n,3,9,w] x, float[8,3,3,3] k) => (y) { y = Conv<auto_pad = "SAME_UPPER", strides = [2,2]>(x, k) }
        (float[n,3,9] x, float[8,3,3] k) => (y) { y = Conv<auto_pad = "VALID">(x, k) }
        (uint8[n,3,9,9] x, uint8[8,3,3,3] k) => (y) { y = ConvInteger<pads = [1,1,1,1]>(x, k) }
        (uint8[n,3,9] x, float s, uint8 z, int8[8,3,3] k, int8 w) => (y) { y = QLinearConv(x, s, z, k, s, w, s, z) }
        (float[n,4,5,w] x, float[4,3,3,3] k) => (y)
          { y = ConvTranspose<group = 2, strides = [2,2], output_padding = [1,1]>(x, k) }
        (float[n,4,5] x, float[4,3,3] k) => (y) { y = ConvTranspose<output_shape = [20]>(x, k) }
        (float[n,4,5] x, float[4,3,3] k) => (y) { y = ConvTranspose<auto_pad = "SAME_LOWER", strides = [2]>(x, k) }
        (float[n,3,9,w] x) => (y, i) { y, i = MaxPool<kernel_shape = [2,2], strides = [2,2], ceil_mode = 1>(x) }
        (float[n,3,2,2] x) => (y) { y = MaxPool<kernel_shape = [1,1], strides = [2,2], ceil_mode = 1>(x) }
        (float[n,3,9] x) => (y) { y = AveragePool<kernel_shape = [4], auto_pad = "SAME_LOWER">(x) }
        (float[n,3,9] x) => (y) { y = LpPool<kernel_shape = [4], dilations = [2]>(x) }
        (float[n,c,w,h] x) => (y) { y = GlobalLpPool(x) }
        (float[] x) => (y) { y = GlobalMaxPool(x) }
    """,
    "normalization": """
        (float[n,3,5] x, float[3] s) => (y) { y = InstanceNormalization(x, s, s) }
        (float[n,4,5] x, float[4] s) => (y) { y = GroupNormalization<num_groups = 2>(x, s, s) }
        (float[n,c,5] x, float[3] s) => (y, m, v) { y, m, v = BatchNormalization<training_mode = 1>(x, s, s, s, s) }
        (float[n,5] x) => (y, m) { y, m = Dropout(x) }
        (float[n,5,5,5] x) => (y) { y = LRN<size = 3>(x) }
        (float[n,5] x) => (y) { y = LpNormalization(x) }
        (float[n,5] x) => (y) { y = MeanVarianceNormalization<axes = [0]>(x) }
    """,
    "reductions": """
        (float[n,5] x) => (y) { y = ReduceSum(x) }
        (float[n,5] x) => (y) { y = ReduceMean<keepdims = 0>(x) }
        (float[n,5] x) => (y) { y = ReduceMax<noop_with_empty_axes = 1>(x) }
        (float[n,5] x, int64[1] a) => (y) { y = ReduceSum(x, a) }
        (float[n,5] x) => (y) <int64[1] a = {-1}> { y = ReduceLogSumExp<keepdims = 0>(x, a) }
        (float[n,5] x) => (y) { y = ArgMin<axis = 1, keepdims = 0>(x) }
    """,
    "generators": """
        (int64 l) => (y) <int64 s = {0}, int64 d = {1}> { y = Range(s, l, d) }
        () => (y) <int64 s = {9}, int64 l = {2}, int64 d = {-3}> { y = Range(s, l, d) }
        (int64[2] s) => (y) { y = ConstantOfShape(s) }
        () => (y) <int64[2] s = {2,3}> { y = ConstantOfShape<value = int64[1] {7}>(s) }
        (float[2,n] x) => (y) { y = EyeLike<dtype = 7>(x) }
        (float[2,n] x) => (y) { y = RandomNormalLike(x) }
        () => (y) { y = RandomUniform<shape = [2,3], dtype = 11>() }
        (float[2,n] x) => (y) { y = Multinomial<sample_size = 4>(x) }
        (float[2,n] x) => (y) { y = Bernoulli<dtype = 9>(x) }
    """,
    "quantization": """
        (float[n,5] x, float s) => (y) { y = QuantizeLinear(x, s) }
        (float[n,5] x, float s, int8 z) => (y) { y = QuantizeLinear(x, s, z) }
        (float[n,5] x, float s) => (y) { y = QuantizeLinear<output_dtype = 3>(x, s) }
        (uint8[n,5] x, float16 s, uint8 z) => (y) { y = DequantizeLinear(x, s, z) }
        (uint8[n,5] x, float s) => (y) { y = DequantizeLinear<output_dtype = 10>(x, s) }
        (float[n,5] x) => (y, s, z) { y, s, z = DynamicQuantizeLinear(x) }
    """,
    "images": """
        (float[n,3,4,w] x) => (y) <float[4] s = {1,1,2,1.5}> { y = Resize(x, , s) }
        (float[n,3,4,5] x) => (y) <float[2] s = {2,0.5}> { y = Resize<axes = [-2,-1]>(x, , s) }
        (float[n,3,4,5] x) => (y) <int64[4] s = {1,3,9,9}> { y = Resize(x, , , s) }
        (float[n,3,4,5] x) => (y)
          <int64[2] s = {9,9}> { y = Resize<axes = [2,3], keep_aspect_ratio_policy = "not_larger">(x, , , s) }
        (float[n,3,4,w] x) => (y)
          <int64[2] s = {9,9}> { y = Resize<axes = [2,3], keep_aspect_ratio_policy = "not_smaller">(x, , , s) }
        (float[n,3,4,5] x, int64[4] s) => (y) { y = Resize(x, , , s) }
        (float[n,3,4,5] x, float[4] s) => (y) { y = Resize(x, , s) }
        (float[n,3,4,5] x, float[2,h,w,2] g) => (y) { y = GridSample(x, g) }
        (float[n,2,3] t) => (y) <int64[4] s = {2,3,5,6}> { y = AffineGrid(t, s) }
        (float[1,3,8,8] x, float[k,4] r, int64[5] b) => (y)
          { y = RoiAlign<output_height = 2, output_width = 3>(x, r, b) }
        (float[1,n,4] b, float[1,c,n] s) => (y) { y = NonMaxSuppression(b, s) }
        (float[1,3,8,8] x, float[k,5] r) => (y) { y = MaxRoiPool<pooled_shape = [2,3]>(x, r) }
    """,
    "sequences": """
        (float[t,b,3] x, float[2,16,3] w, float[2,16,4] r) => (y, h, c)
          { y, h, c = LSTM<hidden_size = 4, direction = "bidirectional">(x, w, r) }
        (float[b,t,3] x, float[1,12,3] w, float[1,12,4] r) => (h) { , h = GRU<hidden_size = 4, layout = 1>(x, w, r) }
        (float[] x, float[1,4,3] w, float[1,4,4] r) => (y) { y = RNN<hidden_size = 4>(x, w, r) }
        (float[b,h,s,8] q, float[b,h,t,8] k, float[b,h,t,6] v) => (y) { y = Attention(q, k, v) }
        (float[b,s,16] q, float[b,t,16] k, float[b,t,8] v) => (y)
          { y = Attention<q_num_heads = 4, kv_num_heads = 2>(q, k, v) }
        (float[1,2,3,8] q, float[1,2,3,8] k, float[1,2,5,8] p) => (y, a, b) { y, a, b = Attention(q, k, k, , p, p) }
        (float[b,h,s,8] x, float[9,4] c, int64[b,s] p) => (y) { y = RotaryEmbedding(x, c, c, p) }
    """,
    "text": """
        (string[n,1] a, string[m] b) => (y) { y = StringConcat(a, b) }
        (string[n] a) => (y, z) { y, z = StringSplit(a) }
        (string[n] a) => (y) { y = StringNormalizer(a) }
        (string[n] a) => (y) { y = RegexFullMatch<pattern = "a">(a) }
        (int64[n,5] a) => (y) { y = TfIdfVectorizer<mode = "TF", min_gram_length = 1, max_gram_length = 1,
          max_skip_count = 0, ngram_counts = [0], ngram_indexes = [2,0,1], pool_int64s = [3,4,5]>(a) }
    """,
    "ml": """
        (float[n,4] x) => (y) { y = ai.onnx.ml.Scaler<offset = [0.0], scale = [1.0]>(x) }
        (float[n,4] x) => (y, z)
          { y, z = ai.onnx.ml.LinearClassifier<coefficients = [1.0], intercepts = [1.0,2.0], classlabels_ints = [5,6]>(x) }
        (float[4] x) => (y, z)
          { y, z = ai.onnx.ml.LinearClassifier<coefficients = [1.0], intercepts = [1.0], classlabels_strings = ["a","b"]>(x) }
        (float[n,4] x) => (y) { y = ai.onnx.ml.LinearRegressor<coefficients = [1.0]>(x) }
        (float[n,4] x) => (y) { y = ai.onnx.ml.Normalizer(x) }
        (float[n,4] x) => (y) { y = ai.onnx.ml.Imputer<imputed_value_floats = [1.0]>(x) }
        (float[n,4] x) => (y) { y = ai.onnx.ml.Binarizer(x) }
        (float[n,4] x, int64[1,2] i) => (y) { y = ai.onnx.ml.ArrayFeatureExtractor(x, i) }
        (float[n,4] x, int64[n,2] z) => (y) { y = ai.onnx.ml.FeatureVectorizer<inputdimensions = [4,2]>(x, x) }
        (int64[n] x) => (y) { y = ai.onnx.ml.OneHotEncoder<cats_int64s = [1,2,3]>(x) }
        (int64[n] x) => (y) { y = ai.onnx.ml.LabelEncoder<keys_int64s = [1,2], values_strings = ["a","b"]>(x) }
        (float[n,4] x) => (y, z) { y, z = ai.onnx.ml.SVMClassifier<classlabels_ints = [1,2]>(x) }
        (float[n,4] x) => (y) { y = ai.onnx.ml.SVMRegressor(x) }
        (float[n,2] x) => (y) { y = ai.onnx.ml.ZipMap<classlabels_strings = ["a","b"]>(x) }
    """,
}
WRONG = """
    (float[n,3] a, float[4] b) => (y) { y = MatMul(a, b) }
    (float[n,3] a, float[4,m] b) => (y) { y = Einsum<equation = "i,jk">(a, b) }
    (float[2,3] x) => (y) <int64[2] s = {-1,4}> { y = Reshape(x, s) }
    (float[2,3] x) => (y) <int64[1] a = {0}> { y = Squeeze(x, a) }
    (float[n,5] x) => (y) <int64[1] b = {1}, int64[2] e = {4,5}> { y = Slice(x, b, e) }
    (float[n,5] x) => (y) <int64[1] b = {1}, int64[1] e = {4}, int64[1] a = {2}> { y = Slice(x, b, e, a) }
    (float[n,5] x) => (y, z) <int64[2] s = {2,2}> { y, z = Split<axis = 1>(x, s) }
    (float[n,5] x) => (y) <int64[3] p = {0,1,0}> { y = Pad(x, p) }
    (float[n,5] x) => (y) <int64[1] r = {2}> { y = Tile(x, r) }
    (float[n,5] x) => (v, i) <int64[1] k = {6}> { v, i = TopK(x, k) }
    (int64[n] x, float[3] v, int64 d) => (y) { y = OneHot(x, d, v) }
    (float[n,5] x, int64[k,3] i) => (y) { y = GatherND(x, i) }
    (float[n,3,9] x, float[8,3,3] k) => (y) { y = Conv<strides = [0]>(x, k) }
    (float[n,3,9] x, float[4,3,3] k) => (y) { y = ConvTranspose<group = 2>(x, k) }
    (float[n,3] x) => (y) { y = MaxPool<kernel_shape = [2]>(x) }
    (float[n,3,5] x, float[4] s) => (y) { y = BatchNormalization(x, s, s, s, s) }
    (float[n,5] x) => (y) <int64[1] a = {2}> { y = ReduceSum(x, a) }
    () => (y) <int64[1] s = {-2}> { y = ConstantOfShape(s) }
    (float[2] x) => (y) { y = EyeLike(x) }
    (float[n,5] x, float s, int8 z) => (y) { y = QuantizeLinear<output_dtype = 2>(x, s, z) }
    (float[n,3,4,5] x) => (y) { y = Resize(x) }
    (float[n,3,4,5] x) => (y) <int64[3] s = {1,3,9}> { y = Resize(x, , , s) }
    (float[n,3,4,5] x, float[2,h,2] g) => (y) { y = GridSample(x, g) }
    (float[b,3] x, float[1,4,3] w, float[1,4,4] r) => (y) { y = RNN<hidden_size = 4>(x, w, r) }
    (float[b,h,8] q) => (y) { y = Attention(q, q, q) }
    (float[b,8] x, float[9,4] c) => (y) { y = RotaryEmbedding(x, c, c) }
    (float[n,4,2] x) => (y, z) { y, z = ai.onnx.ml.LinearClassifier<coefficients = [1.0], intercepts = [1.0]>(x) }
    (string[n,5] a) => (y) { y = StringNormalizer(a) }
    (float[n] x) => (y) { y = ai.onnx.ml.LabelEncoder<keys_int64s = [1,2], values_strings = ["a","b"]>(x) }
"""


def graphs(texts: str) -> list[onnx.ModelProto]:
    """Graphs that begin with `(` on a line of its own."""
    return [parse("g " + text) for text in re.split(r"\n\s*(?=\()", texts.strip())]


@pytest.mark.parametrize("family", DECIDED)
def test_valid_nodes_are_decided_and_get_the_types_that_onnx_gives(family):
    for proto in graphs(DECIDED[family]):
        assert assert_same(proto), onnx.printer.to_text(proto)


@pytest.mark.parametrize("proto", graphs(WRONG), ids=lambda proto: proto.graph.node[0].op_type)
def test_wrong_nodes_are_left_to_onnx(proto):
    assert not directly(proto)
    assert str(outcome(proto)).startswith(("Fail: node", "InvalidGraph: node"))
    assert outcome(proto) == outcome_by_onnx(proto)


@pytest.mark.parametrize("op_type", ["TreeEnsembleClassifier", "TreeEnsembleRegressor"])
def test_trees_of_version_3_are_decided(op_type):
    regressor = op_type == "TreeEnsembleRegressor"
    attributes = {"n_targets": 3} if regressor else {"classlabels_int64s": [4, 5]}
    outputs = ["y"] if regressor else ["y", "z"]
    proto = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node(op_type, ["x"], outputs, domain="ai.onnx.ml", **attributes)],
            "g",
            [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 4])],
            [onnx.helper.make_empty_tensor_value_info(name) for name in outputs],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid("ai.onnx.ml", 3)],
    )
    assert assert_same(proto)


def test_sizes_that_a_later_round_finds_reach_operators_without_shape_arithmetic():
    text = """
        g (float[1,4,8,8] x, float[4,6,3,3] w, float[1] s) => (y) <int64[3] flat = {0,1,-1}> {
            r = Reshape(x, flat)  n = InstanceNormalization(r, s, s)  d = Shape(x)  b = Reshape(n, d)
            y = ConvTranspose<pads = [1,1,1,1]>(b, w)
        }"""
    assert assert_same(parse(text))
    assert value(inferred(text), "y").shape == (1, 6, 8, 8)


def test_functions_of_custom_operators_are_asked_without_onnx():
    asked = []

    def double(node, types):
        asked.append(types)
        return [TensorType(types[0].element, (*types[0].shape, 2))]

    model = inferred("g (float[n,3] x) => (z) { y = my.Double(x)  z = Relu(y) }", {("my", "Double"): double})
    assert value(model, "z").type == TensorType(ElementType.FLOAT, ("n", 3, 2))
    assert asked == [[TensorType(ElementType.FLOAT, ("n", 3))]]
