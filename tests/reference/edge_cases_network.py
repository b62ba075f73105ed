"""Edge cases of images, quantisation, attention, recurrent layers, strings and ai.onnx.ml."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from onnx import TensorProto
from parity_batch import EdgeCase, edge, element
from reference_helpers import ML, f32, i64, noise, strings

NAN, INF = np.nan, np.inf
FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
X = noise(1, 2, 5, 7)


def one(value: float) -> np.ndarray:
    return np.array(value, np.float32)


def resizes() -> Iterator[EdgeCase]:
    for mode in ("nearest", "linear", "cubic"):
        for transform in ("half_pixel", "pytorch_half_pixel", "asymmetric"):
            for scales in (f32(1, 1, 0.6, 0.6), f32(1, 1, 2, 1.7), f32(1, 1, 0.5, 2.3)):
                yield edge("Resize", X, None, scales, opset=19, mode=mode, coordinate_transformation_mode=transform)
            if mode != "nearest":
                yield edge(
                    "Resize", X, None, None, i64(1, 2, 3, 10), opset=19, mode=mode, antialias=1,
                    coordinate_transformation_mode=transform,
                )  # fmt: skip
        for policy in ("not_larger", "not_smaller"):
            yield edge(
                "Resize", X, None, None, i64(9, 3), opset=19, mode=mode, axes=[3, 2], keep_aspect_ratio_policy=policy
            )
        yield edge(
            "Resize", X, f32(0, 0, 0.2, 0.3, 1, 1, 0.9, 1.2), None, i64(1, 2, 4, 4), opset=19, mode=mode,
            coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=9.0,
        )  # fmt: skip
    for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        yield edge("Resize", X, None, f32(1, 1, 0.5, 2), opset=19, nearest_mode=rounding)
    yield edge("Resize", X, None, f32(1, 1, 0.6, 1.8), opset=19, mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5)
    yield edge("Resize", X, None, f32(1, 1, 0, 1), opset=19)


def samples() -> Iterator[EdgeCase]:
    grid = np.random.default_rng(1).uniform(-1.4, 1.4, (1, 3, 4, 2)).astype(np.float32)
    volume_grid = np.random.default_rng(1).uniform(-1.4, 1.4, (1, 2, 3, 4, 3)).astype(np.float32)
    holes, volume = X.copy(), noise(1, 2, 3, 4, 5)
    holes[0, 0, 0, 0], holes[0, 1, -1, -1] = NAN, INF
    far = np.array([[[[-3, 0], [5, 0], [7.7, -9.2], [100, 1], [NAN, 0], [INF, 0]]]], np.float32)
    for mode in ("linear", "nearest", "cubic"):
        for padding in ("zeros", "border", "reflection"):
            for align in (0, 1):
                options = {"mode": mode, "padding_mode": padding, "align_corners": align, "opset": 20}
                yield edge("GridSample", X, grid, **options)
                yield edge("GridSample", X, far, **options)
                if mode != "cubic":
                    yield edge("GridSample", holes, grid, **options)
                    yield edge("GridSample", volume, volume_grid, **options)
    rois = f32([0, 0, 3, 3], [-1, -1, 9, 9], [3, 3, 1, 1], [0.3, 0.7, 4.1, 3.9])
    for mode in ("avg", "max"):
        for transform in ("half_pixel", "output_half_pixel"):
            yield edge(
                "RoiAlign", X, rois, i64(0, 0, 0, 0), opset=16, mode=mode, output_height=3, output_width=2,
                coordinate_transformation_mode=transform, spatial_scale=0.5,
            )  # fmt: skip
    yield edge(
        "MaxRoiPool", X, f32([0, 0, 0, 3, 3], [0, 2, 2, 1, 1], [0, -4, -4, 20, 20]), opset=20, pooled_shape=[2, 3]
    )
    boxes = f32([[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [0, 10.1, 1, 11.1]])
    scores = f32([[0.9, 0.75, 0.6, 0.95, 0.5]])
    for limit, overlap, least in ((3, 0.5, 0), (0, 0.5, 0), (10, 0, 0), (10, 1, 0.6), (3, 1.5, 0), (2**62, 0.5, 0)):
        thresholds = (i64(limit), f32(overlap), f32(least))
        yield edge("NonMaxSuppression", boxes, scores, *thresholds, types=(INT64,))
        yield edge("NonMaxSuppression", boxes, scores, *thresholds, types=(INT64,), center_point_box=1)


def convolutions() -> Iterator[EdgeCase]:
    for pool in ("MaxPool", "AveragePool", "LpPool"):
        for options in (
            {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
            {"kernel_shape": [2, 2], "strides": [3, 3], "ceil_mode": 1, "pads": [1, 0, 1, 1]},
            {"kernel_shape": [3, 2], "auto_pad": "SAME_LOWER", "strides": [2, 2]},
            {"kernel_shape": [2, 2], "dilations": [2, 3]},
            {"kernel_shape": [9, 9]},
        ):
            yield edge(pool, X, **options)
    yield edge("MaxPool", X, types=(FLOAT, INT64), kernel_shape=[2, 2], pads=[1, 1, 1, 1], storage_order=1)
    yield edge(
        "AveragePool", X, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1, ceil_mode=1, strides=[2, 2]
    )
    for options in ({"pads": [1, 0, 2, 1]}, {"strides": [2, 1], "dilations": [1, 2]}, {"auto_pad": "SAME_LOWER"}):
        yield edge("Conv", X, noise(4, 1, 2, 3), group=2, **options)
        yield edge("ConvTranspose", X, noise(2, 2, 2, 3), group=2, **options)
    yield edge("ConvTranspose", X, noise(2, 3, 3, 3), strides=[2, 3], output_shape=[10, 20], auto_pad="SAME_UPPER")
    yield edge("Conv", X, noise(3, 3, 2, 2))
    yield edge(
        "DeformConv", noise(1, 2, 5, 5), noise(4, 1, 2, 2), noise(1, 16, 4, 4) * 2, noise(4), np.abs(noise(1, 8, 4, 4)),
        group=2, offset_group=2,
    )  # fmt: skip
    channels = (noise(2), noise(2), noise(2), np.abs(noise(2)))
    yield edge("BatchNormalization", X, *channels)
    yield edge("BatchNormalization", X, *channels, training_mode=1, types=(FLOAT,) * 3)
    yield edge("MeanVarianceNormalization", X)


def quantisation() -> Iterator[EdgeCase]:
    x = f32(-3.3, -1, -0.5, 0.5, 1.5, 2.5, 300, NAN, INF, -INF)
    for zero in (np.uint8(3), np.int8(-3), np.uint16(100), np.int16(-100)):
        t, point = (element(np.asarray(zero)),), np.asarray(zero)
        points = np.array([[1, 2], [3, 4]], zero.dtype)
        yield edge("QuantizeLinear", x, one(0.5), point, types=t, opset=21)
        for width in (5, 6):
            values, scales = noise(2, width) * 5, f32([0.1, 0.2], [0.3, 0.4])
            yield edge("QuantizeLinear", values, scales, points, types=t, opset=21, axis=1, block_size=3)
        yield edge("DequantizeLinear", np.array([0, 1, 127], zero.dtype), one(0.5), point, types=(FLOAT,), opset=21)
    for x in (noise(3, 4), np.abs(noise(3)), -np.abs(noise(3)), np.zeros(3, np.float32)):
        yield edge("DynamicQuantizeLinear", x, types=(2, FLOAT, 2))


def layers() -> Iterator[EdgeCase]:
    x, lengths = noise(5, 2, 3), np.int32([5, 2])
    for op_type, gates, states in (("LSTM", 4, 2), ("GRU", 3, 1), ("RNN", 1, 1)):
        for direction, count in (("forward", 1), ("reverse", 1), ("bidirectional", 2)):
            w, r, b = noise(count, gates * 4, 3), noise(count, gates * 4, 4), noise(count, 2 * gates * 4)
            initial = [noise(count, 2, 4, seed=i) for i in range(states)]
            options = {"hidden_size": 4, "direction": direction, "types": (FLOAT,) * (1 + states)}
            yield edge(op_type, x, w, r, b, lengths, *initial, clip=0.3, **options)
            if op_type == "GRU":
                yield edge(op_type, x, w, r, b, linear_before_reset=1, **options)
            if op_type == "LSTM":
                yield edge(op_type, x, w, r, b, None, None, None, noise(count, 12), input_forget=1, **options)
    q, k, v = noise(2, 4, 3, 8), noise(2, 4, 5, 8, seed=1), noise(2, 4, 5, 6, seed=2)
    for causal in (0, 1):
        for mask in (
            None,
            noise(3, 5),
            noise(2, 1, 3, 5),
            noise(3, 5) > 0,
            noise(2, 4, 3, 5) > 0,
            np.zeros((3, 5), bool),
        ):
            for mode in (0, 1, 3):
                yield edge(
                    "Attention", q, k, v, mask, opset=23, types=(FLOAT,) * 4, is_causal=causal, softcap=2.0,
                    qk_matmul_output_mode=mode,
                )  # fmt: skip
        past = (noise(2, 4, 2, 8), noise(2, 4, 2, 6))
        yield edge("Attention", q, k, v, noise(3, 7), *past, opset=23, types=(FLOAT,) * 3, is_causal=causal)
        yield edge("Attention", q, k[:, :2], v[:, :2], opset=23, is_causal=causal)
        packed = (noise(2, 3, 32), noise(2, 5, 16), noise(2, 5, 12))
        yield edge("Attention", *packed, opset=23, q_num_heads=4, kv_num_heads=2, is_causal=causal)
        for count in (i64(5, 3), i64(1, 0)):
            yield edge("Attention", q, k, v, None, None, None, count, opset=24, is_causal=causal)
    for reduction in ("none", "mean", "sum"):
        for weights in (None, np.abs(noise(5))):
            labels = i64(0, -1, 2)
            options = {"reduction": reduction, "ignore_index": -1, "opset": 13}
            yield edge("NegativeLogLikelihoodLoss", noise(3, 5), labels, weights, **options)
            yield edge("SoftmaxCrossEntropyLoss", noise(3, 5), labels, weights, types=(FLOAT, FLOAT), **options)


def texts() -> Iterator[EdgeCase]:
    for delimiter in ("", " ", "a", "ab"):
        for limit in ({}, {"maxsplit": 1}, {"maxsplit": 2}):
            words = strings("a b  c", "  lead", "trail  ", "xaby a", "ab", "ü ä")
            yield edge("StringSplit", words, types=(STRING, INT64), opset=20, delimiter=delimiter, **limit)
    yield edge("StringSplit", np.array("a b", object), types=(STRING, INT64), opset=20)
    yield edge("StringConcat", strings("a", "ü"), strings("b"), opset=20)
    for pattern in ("a.*", "[0-9]+", "(ab)+|x", "ü.", "^a$", "(?i)AB", "(a"):
        matched = strings("a", "abab", "12", "üx", "", "x", "ä", "a\nb")
        yield edge("RegexFullMatch", matched, types=(TensorProto.BOOL,), opset=20, pattern=pattern)
    pool = {
        "ngram_counts": [0, 4],
        "ngram_indexes": [3, 0, 6, 1, 5, 2, 4],
        "pool_int64s": [2, 3, 5, 4, 5, 6, 7, 8, 6, 7],
    }
    for mode in ("TF", "IDF", "TFIDF"):
        for skips in (0, 1, 5):
            options = {"max_gram_length": 2, "min_gram_length": 1, "max_skip_count": skips, "mode": mode} | pool
            items = i64([5, 6, 3, 3, 3, 7], [8, 6, 7, 5, 6, 8])
            yield edge("TfIdfVectorizer", items, types=(FLOAT,), **options)
            yield edge("TfIdfVectorizer", items, types=(FLOAT,), weights=[2.0, 1, 3, 4, 5, 6, 0.5], **options)


def learned() -> Iterator[EdgeCase]:
    x = noise(6, 3)
    yield edge("OneHotEncoder", f32([1.7], [2]), domain=ML, cats_int64s=[1, 2])
    yield edge("OneHotEncoder", i64(1, 2, 9), domain=ML, types=(FLOAT,), cats_int64s=[1, 2], zeros=0)
    yield edge("FeatureVectorizer", x[0], x[1], domain=ML, inputdimensions=[3, 3])
    yield edge("FeatureVectorizer", x, x[:, :2], domain=ML, inputdimensions=[2, 4])
    yield edge("ArrayFeatureExtractor", x, i64(5), domain=ML)
    for norm in ("MAX", "L1", "L2"):
        yield edge("Normalizer", -np.abs(x), domain=ML, norm=norm)
    support = noise(4, 3, seed=2).reshape(-1).tolist()
    for kind in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        vectors = {"kernel_type": kind, "kernel_params": [0.5, 0.1, 2.0], "support_vectors": support}
        yield edge(
            "SVMClassifier", x, domain=ML, types=(INT64, FLOAT), coefficients=[0.5, -0.5, 0.3, 0.2, 0.1, 0.1, -0.2, 0.4],
            rho=[0.2, 0.1, -0.1], vectors_per_class=[2, 1, 1], classlabels_ints=[3, 4, 5], prob_a=[-0.5, 0.2, 0.3],
            prob_b=[0.1, 0.2, 0.1], **vectors,
        )  # fmt: skip
        yield edge("SVMRegressor", x, domain=ML, coefficients=[0.5, -0.5, 0.3, 0.2], n_supports=4, rho=[0.2], **vectors)


def network_cases() -> Iterator[EdgeCase]:
    for family in (resizes, samples, convolutions, quantisation, layers, texts, learned):
        yield from family()
