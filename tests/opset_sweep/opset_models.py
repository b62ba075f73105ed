"""Models of several nodes at old opsets, in ONNX's text format, with what they are fed."""

import numpy as np
import onnx

RNG = np.random.default_rng(7)


def f32(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def model(text):
    return onnx.parser.parse_model(text).SerializeToString()


CLASSIFIER_7 = """<ir_version: 8, opset_import: ["" : 7]>
agraph (float[1, 2, 6, 6] image, float[3, 2, 3, 3] w, float[3] s, float[27, 4] m, float[4] c) => (y, features) {
    framed = Pad <mode = "reflect", pads = [0, 0, 1, 1, 0, 0, 1, 1]> (image)
    filtered = Conv <strides = [2, 2]> (framed, w)
    features = BatchNormalization <epsilon = 0.01> (filtered, s, s, s, s)
    warm = LeakyRelu <alpha = 0.2> (features)
    same, mask = Dropout <ratio = 0.4> (warm)
    masked = Mul (same, mask)
    rows = Flatten (masked)
    scores = Gemm <alpha = 0.5, beta = 2.0> (rows, m, c)
    bounded = Clip <max = 2.5, min = -2.5> (scores)
    total = ReduceSum <axes = [1]> (bounded)
    centred = Sub (bounded, total)
    y = Softmax (centred)
}"""

LOOP_7 = """<ir_version: 8, opset_import: ["" : 7]>
agraph (int64 n, bool go, float[2, 3, 4] x) => (last, steps) {
    last, steps = Loop (n, go, x) <body = step (int64 i, bool on, float[2, 3, 4] state)
        => (bool more, float[2, 3, 4] following, float[2, 3] item) {
        more = Identity (on)
        column = Slice <axes = [2], starts = [1], ends = [2]> (state)
        item = Squeeze <axes = [2]> (column)
        whole = Softmax <axis = 0> (state)
        wide = Unsqueeze <axes = [2]> (item)
        sum = Add (whole, wide)
        following = Clip <min = -0.5> (sum)
    }>
}"""

BRANCHES_9 = """<ir_version: 8, opset_import: ["" : 9]>
agraph (bool c, float[2, 3, 4] x, float[3] scales) => (y, best, z) {
    values, best = TopK <k = 2, axis = 2> (x)
    y = If (c) <
        then_branch = big () => (float[2, 3, 2] a) {
            part = Slice <starts = [1], ends = [3], axes = [2]> (x)
            a = LogSoftmax (part)
        },
        else_branch = small () => (float[2, 3, 2] b) {
            total = ReduceSum <axes = [2]> (values)
            b = Mul (values, total)
        }
    >
    z = Upsample <mode = "linear"> (x, scales)
}"""

SCAN_9 = """<ir_version: 8, opset_import: ["" : 9]>
agraph (float[3] start, float[5, 3] items) => (state, stack) {
    state, stack = Scan <num_scan_inputs = 1, body = step (float[3] s, float[3] item)
        => (float[3] next, float[1, 3] out) {
        sum = Add (s, item)
        row = Unsqueeze <axes = [0]> (sum)
        out = Softmax (row)
        next = Squeeze <axes = [0]> (out)
    }> (start, items)
}"""

NESTED_11 = """<ir_version: 8, opset_import: ["" : 11]>
agraph (int64 n, bool go, float[1, 2, 4, 4] x, float low, int64[8] pads) => (last, sizes) {
    last, sizes = Loop (n, go, x) <body = step (int64 i, bool on, float[1, 2, 4, 4] state)
        => (bool more, float[1, 2, 4, 4] following, float[1, 2] item) {
        more = Identity (on)
        two = Constant <value = int64 {2}> ()
        early = Less (i, two)
        following = If (early) <
            then_branch = first () => (float[1, 2, 4, 4] a) { a = Softmax <axis = 2> (state) },
            else_branch = later () => (float[1, 2, 4, 4] b) {
                scales = Constant <value = float[4] {1.0, 1.0, 0.5, 0.5}> ()
                roi = Constant <value = float[0] {}> ()
                small = Resize <mode = "linear", coordinate_transformation_mode = "asymmetric"> (state, roi, scales)
                framed = Pad (small, pads)
                b = Clip (framed, low)
            }
        >
        item = ReduceMean <axes = [2, 3], keepdims = 0> (following)
    }>
}"""

TRAINING_13 = """<ir_version: 8, opset_import: ["" : 13]>
agraph (float[4, 3, 2, 2] x, float[3] s, float[3] b, float[3] m, float[3] v, int64[1] axes) => (y, mean, var, p, q, h) {
    normal, mean, var, saved, inverse = BatchNormalization <momentum = 0.7> (x, s, b, m, v)
    top = ReduceMax <axes = [2], keepdims = 1> (normal)
    flat = Squeeze (top, axes)
    p, q = Split <axis = 0> (flat)
    h = Hardmax <axis = 1> (q)
    y = ReduceLogSumExp <axes = [-1]> (normal)
}"""

SIGNAL_17 = """<ir_version: 8, opset_import: ["" : 17]>
agraph (bool c, float[1, 8, 1] signal, float[1, 1, 4, 4] image, float[1, 2, 2, 2] grid, float[8] g) => (power, picture, y) {
    spectrum = DFT <axis = 1, onesided = 1> (signal)
    square = Mul (spectrum, spectrum)
    last = Constant <value = int64[1] {-1}> ()
    power = ReduceSum <keepdims = 0> (square, last)
    picture = GridSample <mode = "bicubic"> (image, grid)
    rows = Transpose <perm = [0, 2, 1]> (signal)
    normal = LayerNormalization (rows, g)
    y = If (c) <
        then_branch = a () => (float[1, 1, 4] left) { left, unused = Split <axis = 2> (normal) },
        else_branch = b () => (float[1, 1, 4] right) {
            mean = ReduceMean <axes = [2]> (normal)
            lower, upper = Split <axis = 2> (normal)
            right = Sub (upper, mean)
        }
    >
}"""

GROUPS_21 = """<ir_version: 10, opset_import: ["" : 21]>
agraph (bool c, float[1, 4, 3] x, float[4] g, float[2, 3] scale, uint8[2, 3] zero) => (y, codes, back) {
    y = If (c) <
        then_branch = a () => (float[1, 4, 3] p) { p = GroupNormalization <num_groups = 2> (x, g, g) },
        else_branch = b () => (float[1, 4, 3] q) { q = Softmax (x) }
    >
    shape = Constant <value = int64[2] {4, 3}> ()
    rows = Reshape (y, shape)
    codes = QuantizeLinear <axis = 0, block_size = 2> (rows, scale, zero)
    back = DequantizeLinear <axis = 0, block_size = 2> (codes, scale, zero)
}"""

X = f32(2, 3, 4)
POSITIVE = np.float32([0.5, 1.5, 1])

IMAGE = {"image": f32(1, 2, 6, 6), "w": f32(3, 2, 3, 3), "s": POSITIVE, "m": f32(27, 4), "c": f32(4)}
BATCH = {"x": f32(4, 3, 2, 2), "s": POSITIVE, "b": f32(3), "m": f32(3), "v": POSITIVE, "axes": np.int64([2])}
SIGNAL = {"signal": f32(1, 8, 1), "image": f32(1, 1, 4, 4), "grid": f32(1, 2, 2, 2) / 2, "g": f32(8)}
STEPS = {"n": np.array(4), "go": np.array(True)}
FRAME = {"low": np.array(-0.25, np.float32), "pads": np.int64([0, 0, 1, 1, 0, 0, 1, 1])}
BLOCKS = {
    "x": f32(1, 4, 3),
    "g": f32(4),
    "scale": np.full((2, 3), 0.05, np.float32),
    "zero": np.full((2, 3), 90, np.uint8),
}

MODELS = {
    "classifier of opset 7": (model(CLASSIFIER_7), IMAGE),
    "loop of opset 7": (model(LOOP_7), {**STEPS, "x": X}),
    "branch of opset 9": (model(BRANCHES_9), {"c": np.array(True), "x": X, "scales": np.float32([1, 2, 1.5])}),
    "other branch of opset 9": (model(BRANCHES_9), {"c": np.array(False), "x": X, "scales": np.float32([1, 1, 3])}),
    "scan of opset 9": (model(SCAN_9), {"start": f32(3), "items": f32(5, 3)}),
    "branches in a loop of opset 11": (model(NESTED_11), {**STEPS, **FRAME, "x": f32(1, 2, 4, 4)}),
    "training at opset 13": (model(TRAINING_13), BATCH),
    "signals of opset 17": (model(SIGNAL_17), {"c": np.array(True), **SIGNAL}),
    "other signals of opset 17": (model(SIGNAL_17), {"c": np.array(False), **SIGNAL}),
    "groups of opset 21": (model(GROUPS_21), {"c": np.array(True), **BLOCKS}),
    "softmax of opset 21": (model(GROUPS_21), {"c": np.array(False), **BLOCKS}),
}
"""Name to a model with its feeds."""
