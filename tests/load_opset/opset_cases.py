"""One-node models at old opsets, as data: what the parity tests build, normalise and compare with onnxruntime.

A case lists its operator, the opsets and the inputs; ONNX attributes are keyword arguments. `ort=True` runs the
normalised model with onnxruntime where onnx.reference lacks the operator or computes it wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

RNG = np.random.default_rng(28)
ML = "ai.onnx.ml"


@dataclass(frozen=True)
class Case:
    op: str
    opsets: tuple[int, ...]
    inputs: tuple[Any, ...]
    attributes: dict[str, Any]
    outputs: list[str]
    constants: tuple[int, ...]
    domain: str
    ort: bool
    note: str

    def label(self, opset: int) -> str:
        return "-".join(filter(None, (self.op, str(opset), self.note)))

    def model(self, opset: int, *, typed: bool = True) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
        """The model and its feeds; not `typed`, the node reads the feeds through Identity, so that no type is known."""
        names, infos, nodes, initializers, feeds = [], [], [], [], {}
        for index, array in enumerate(self.inputs):
            name = "" if array is None else f"x{index}"
            if array is not None and index in self.constants:
                initializers.append(onnx.numpy_helper.from_array(np.asarray(array), name))
            elif array is not None:
                feeds[name] = np.asarray(array)
                element = helper.np_dtype_to_tensor_dtype(feeds[name].dtype)
                infos.append(helper.make_tensor_value_info(name, element, feeds[name].shape))
                if not typed:
                    nodes.append(helper.make_node("Identity", [name], [f"{name}_copy"]))
                    name += "_copy"
            names.append(name)
        nodes.append(helper.make_node(self.op, names, self.outputs, "the_node", domain=self.domain, **self.attributes))
        results = [onnx.ValueInfoProto(name=name) for name in self.outputs]
        graph = helper.make_graph(nodes, "case", infos, results, initializers)
        imports = [helper.make_opsetid(self.domain, opset)]
        if self.domain:
            imports.append(helper.make_opsetid("", 17))
        return helper.make_model(graph, opset_imports=imports, ir_version=8), feeds


def case(
    op: str,
    opsets: int | tuple[int, ...],
    *inputs: Any,
    out: str = "y",
    constants: tuple[int, ...] = (),
    domain: str = "",
    ort: bool = False,
    note: str = "",
    **attributes: Any,
) -> Case:
    """`out` names the outputs; `constants` are the inputs that are initializers."""
    versions = (opsets,) if isinstance(opsets, int) else opsets
    return Case(op, versions, inputs, attributes, out.split(), constants, domain, ort, note)


def f32(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def positive(*shape: int) -> np.ndarray:
    return (RNG.random(shape) + 0.5).astype(np.float32)


def i64(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def scalar(value: Any, dtype: Any = np.float32) -> np.ndarray:
    return np.array(value, dtype)


def floats(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def recurrent(gates: int) -> tuple[np.ndarray, ...]:
    """X, W, R and B for 4 hidden units."""
    return f32(5, 2, 3), f32(1, gates * 4, 3), f32(1, gates * 4, 4), f32(1, gates * 8)


def running_sum() -> onnx.GraphProto:
    """A Scan body: (state, item) -> (state + item, 2 * (state + item))."""
    nodes = [helper.make_node("Add", ["s", "item"], ["next"]), helper.make_node("Add", ["next", "next"], ["twice"])]
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [3]) for n in ("s", "item", "next", "twice")]
    return helper.make_graph(nodes, "body", info[:2], info[2:])


X = f32(2, 3, 4)
P = positive(2, 3, 4)
IMAGE = f32(1, 2, 4, 5)
BOOLS = f32(2, 3) > 0
NORM = (f32(2, 3, 2, 2), positive(3), f32(3), f32(3), positive(3))
GROUPS = (f32(2, 4, 3), positive(2), f32(2))
COUNTS = np.array([[1, 2, 3], [5, 3, 2]])
WINDOW = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}
SCAN = {"out": "state stack", "body": running_sum(), "num_scan_inputs": 1}
ROIS = (f32(1, 2, 6, 6), np.float32([[0, 0, 4, 4], [1, 2, 5, 5]]), i64(0, 0))
TF_RESIZE = {"mode": "nearest", "coordinate_transformation_mode": "tf_half_pixel_for_nn"}
TREE = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
    "target_treeids": [0, 0],
    "target_nodeids": [1, 2],
    "target_ids": [0, 0],
    "target_weights": [1.0, 2.0],
    "n_targets": 1,
}

SOFTMAX = [
    made
    for op in ("Softmax", "LogSoftmax", "Hardmax")
    for made in (
        case(op, (7, 11, 12), X, note="default"),
        case(op, (7, 11, 12), X, axis=0, note="all"),
        case(op, (7, 11, 12), X, axis=2, note="last"),
        case(op, (7, 11, 12), X[:, :, 0], note="matrix"),
        case(op, (7, 11, 12), X[:, :, :1], note="single"),
        case(op, (11, 12), X, axis=-2, note="negative"),
        case(op, 11, X, axis=-1, note="minus_one"),
        case(op, 13, X, note="present"),
    )
]

NORMALIZATION = [
    case("BatchNormalization", (7, 9, 13, 14), *NORM, epsilon=1e-3),
    case("BatchNormalization", 7, X, *(positive(3, 4) for _ in range(4)), spatial=0, note="per_activation"),
    case("BatchNormalization", (7, 9, 13), *NORM, momentum=0.8, out="y mean var saved inv", note="training"),
    case("Dropout", (7, 10, 12, 13), X),
    case("Dropout", (7, 10, 12), X, out="y mask", note="mask"),
    case("GroupNormalization", (18, 20), *GROUPS, num_groups=2),
    case("GroupNormalization", 18, *GROUPS, constants=(1, 2), num_groups=2, note="constant"),
    case("GroupNormalization", 21, f32(2, 4, 3), positive(4), f32(4), num_groups=2, note="present"),
    case("InstanceNormalization", (6, 7), X, positive(3), f32(3)),
    case("MeanVarianceNormalization", (7, 8), IMAGE),
    case("MeanVarianceNormalization", 8, IMAGE, across_channels=1, note="across"),
    case("MeanVarianceNormalization", 8, IMAGE, normalize_variance=0, note="mean"),
    case("MeanVarianceNormalization", 8, IMAGE, normalize_variance=0, across_channels=1, note="mean_across"),
    case("MeanVarianceNormalization", (9, 13), IMAGE, axes=[1, 2]),
    case("LRN", (7, 13), IMAGE, size=3, ort=True),
    case("LayerNormalization", (12, 17), X, f32(4), f32(4)),
]

ELEMENTWISE = [
    case("Clip", (6, 10), X, min=-0.5, max=0.25),
    case("Clip", (6, 10), X, min=0.0, note="relu"),
    case("Clip", 6, X, note="no_bounds"),
    case("Clip", (11, 12), X, scalar(-0.5), scalar(0.5), note="inputs"),
    case("PRelu", (7, 9), X, f32(3, 1)),
    case("Selu", (6, 7), X),
    case("Erf", (9, 13), X),
    *(case(op, (7, 13), X, f32(3, 1)) for op in ("Add", "Sub", "Mul", "Div")),
    *(case(op, (7, 11), X, f32(3, 1)) for op in ("Greater", "Less")),
    case("Equal", (7, 11), i64(1, 2), i64(2, 2)),
    case("Pow", (7, 12), P, f32(3, 1)),
    *(case(op, 7, BOOLS, BOOLS[:1]) for op in ("And", "Or", "Xor")),
    *(
        case(op, (6, 13), P)
        for op in ("Abs", "Ceil", "Exp", "Floor", "Log", "Neg", "Reciprocal", "Relu", "Sqrt", "Tanh")
    ),
    *(case(op, (6, 22), X) for op in ("Elu", "HardSigmoid")),
    *(case(op, (6, 8, 12), X, X[::-1].copy(), X) for op in ("Max", "Min", "Sum", "Mean")),
    case("LeakyRelu", (6, 16), X),
    case("Sigmoid", (6, 13), X),
    case("ThresholdedRelu", (7, 10), X, alpha=0.5),
    case("Cast", (6, 9, 13), X, to=6),
    case("Mod", (10, 13), i64(7, -7), i64(3, 3)),
    case("Where", (9, 16), BOOLS, f32(2, 3), f32(3)),
    case("IsNaN", (9, 13), X),
    case("QuantizeLinear", (10, 13, 19, 21), X, scalar(0.1), scalar(100, np.uint8)),
    case("DequantizeLinear", (10, 13, 19, 21), np.arange(6, dtype=np.uint8), scalar(0.1), scalar(3, np.uint8)),
    case("Gemm", (7, 9), f32(2, 3), f32(3, 4), f32(4), alpha=0.5),
    case("MatMul", (7, 9), X, f32(4, 2)),
]

REDUCTIONS = [
    case("ReduceSum", (7, 11, 12), X, axes=[1], keepdims=0),
    case("ReduceSum", 11, X, note="all"),
    *(
        made
        for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare")
        for made in (
            case(f"Reduce{kind}", (7, 11, 13, 17), P, axes=[0, 2]),
            case(f"Reduce{kind}", 13, P, axes=[-1], keepdims=0, note="negative"),
            case(f"Reduce{kind}", (13, 18), P, note="all"),
        )
    ),
    case("ReduceLogSumExp", (11, 13, 18), COUNTS.astype(np.int32), keepdims=0, note="integers"),
    case("ReduceLogSum", (11, 18), COUNTS, note="integers"),
    *(case(op, (7, 11, 12), X, axis=1) for op in ("ArgMax", "ArgMin")),
    case("CumSum", (11, 14), X, scalar(1, np.int64)),
]

TENSOR_SHAPE = [
    case("Squeeze", (7, 11, 12), f32(1, 3, 1, 2), axes=[0, 2]),
    case("Squeeze", 11, f32(1, 3, 1, 2), axes=[-2], note="negative"),
    case("Squeeze", 11, f32(1, 3, 1), note="all"),
    case("Unsqueeze", (7, 11, 12), X, axes=[0, 4]),
    case("Slice", (7, 9), X, starts=[0, -3], ends=[1, 2**63 - 1], axes=[1, 2]),
    case("Slice", 7, X, starts=[1, 0], ends=[5, -1], note="default_axes"),
    case("Slice", (10, 11), X, i64(3, 0), i64(0, 2), i64(2, 0), i64(-1, 1), note="steps"),
    case("Pad", (7, 10), X, pads=[0, 1, 0, 0, 2, 1], value=1.5),
    case("Pad", 7, X, pads=[0, 1, 0, 0, -1, 1], note="cut", ort=True),
    case("Pad", 7, X, pads=[0, 1, 1, 0, 1, 2], mode="reflect", value=3.0, note="reflect"),
    case("Pad", 10, X, pads=[0, 1, 1, 0, 1, 2], mode="edge", note="edge"),
    case("Pad", (11, 13, 18), X, i64(0, 1, 0, 0, 2, 1), scalar(1.5), note="inputs"),
    case("Split", (7, 11), X, axis=1, split=[1, 2], out="a b"),
    case("Split", (7, 11, 13), X, axis=2, out="a b", note="equal"),
    case("Split", 13, X, i64(1, 2), axis=1, out="a b", note="input"),
    case("TopK", (7, 9), X, k=2, axis=1, out="values indices"),
    case("TopK", (10, 11), X, i64(2), axis=1, out="values indices", note="input"),
    case("Scatter", (9, 10), X[0], np.array([[0, 1], [2, 0]]), f32(2, 2), axis=0),
    case("ScatterElements", (11, 13, 16), X[0], np.array([[0, 1], [2, 0]]), f32(2, 2), axis=0),
    case("Reshape", (7, 13, 14), X, i64(0, -1)),
    case("Concat", (7, 11), X, X, axis=1),
    case("Shape", (7, 13), X),
    case("Size", (7, 13), X),
    case("Flatten", (7, 9, 11), X),
    case("Transpose", (7, 13), X, perm=[1, 0, 2]),
    case("Tile", (7, 13), X, i64(1, 2, 1)),
    case("Expand", (8, 13), X[:, :1], i64(2, 3, 4)),
    case("Gather", (7, 11), X, i64(1, 0), axis=1),
    case("GatherElements", (11, 13), X[0], np.array([[0, 1], [2, 0]]), ort=True),
    case("GatherND", (11, 12), X, np.array([[0, 1], [1, 0]])),
    case("OneHot", (9, 11), i64(-1, 0, 3, -4), i64(3), floats(0, 1), ort=True),
    case("DepthToSpace", (7, 11), f32(1, 4, 2, 2), blocksize=2),
    case("EyeLike", 9, f32(3, 4)),
    case("Range", 11, scalar(1.5), scalar(6.0), scalar(0.7)),
    case("DFT", 17, f32(2, 6, 1), ort=True),
    case("DFT", 17, f32(2, 6, 1), axis=1, onesided=1, note="onesided", ort=True),
    case("DFT", 17, f32(2, 3, 6, 2), scalar(8, np.int64), axis=2, inverse=1, note="inverse", ort=True),
]

SAMPLING = [
    *(
        made
        for mode in ("nearest", "linear")
        for made in (
            case("Upsample", (7, 8), IMAGE, mode=mode, scales=[1.0, 1.0, 2.0, 3.0], ort=True, note=mode),
            case("Upsample", 9, IMAGE, floats(1, 1, 1.6, 2), mode=mode, ort=True, note=mode),
            case("Resize", 10, IMAGE, floats(1, 1, 2, 1.7), mode=mode, constants=(1,), ort=True, note=f"{mode}_up"),
            case("Resize", 10, IMAGE, floats(1, 1, 0.6, 0.8), mode=mode, constants=(1,), ort=True, note=f"{mode}_down"),
            case("Resize", 10, IMAGE, floats(1, 1, 0.6, 1.7), mode=mode, constants=(1,), ort=True, note=f"{mode}_both"),
            case("Resize", 10, IMAGE, floats(1, 1, 2.3, 0.6), mode=mode, ort=True, note=f"{mode}_computed"),
        )
    ),
    case("Resize", 11, IMAGE, floats(), floats(1, 1, 2, 1.7), mode="cubic", ort=True),
    *(
        case(
            "Resize",
            (11, 12),
            IMAGE,
            floats(),
            floats(),
            i64(1, 2, 7, 3),
            nearest_mode=r,
            **TF_RESIZE,
            ort=True,
            note=r,
        )
        for r in ("floor", "round_prefer_floor")
    ),
    case("Resize", (13, 18, 19), IMAGE, None, floats(1, 1, 2, 1.7), mode="linear", ort=True, note="optional"),
    *(
        case("GridSample", (16, 19), IMAGE, f32(1, 3, 3, 2) / 2, mode=mode, align_corners=1, ort=True, note=mode)
        for mode in ("bilinear", "bicubic", "nearest")
    ),
    case("GridSample", 16, IMAGE, f32(1, 3, 3, 2), ort=True, note="default"),
    case("RoiAlign", (10, 15, 16), *ROIS, output_height=2, output_width=2, sampling_ratio=2, ort=True),
    case("MaxPool", (7, 8, 10, 11, 12), IMAGE, **WINDOW, ort=True),
    case("MaxPool", (10, 12), IMAGE, ceil_mode=1, **WINDOW, ort=True, note="ceil"),
    case("AveragePool", (7, 10, 11, 19), IMAGE, **WINDOW, ort=True),
    case("AveragePool", (7, 10, 11, 19), IMAGE, count_include_pad=1, **WINDOW, ort=True, note="pad"),
    case("AveragePool", (10, 11, 19), IMAGE, count_include_pad=1, ceil_mode=1, **WINDOW, ort=True, note="ceil"),
    case("LpPool", (7, 11), IMAGE, p=3, **WINDOW, ort=True),
    case("GlobalLpPool", 7, IMAGE, p=3, ort=True),
    case("Conv", (7, 11), IMAGE, f32(3, 2, 2, 2), f32(3)),
    case("ConvTranspose", (7, 11), f32(1, 1, 3), f32(1, 1, 3), output_shape=[4], ort=True, note="output_shape"),
    case("ConvTranspose", (7, 11), f32(1, 1, 3), f32(1, 1, 3), auto_pad="SAME_UPPER", strides=[2], ort=True),
]

CONTROL = [
    case("RNN", (7, 14), *recurrent(1), hidden_size=4, out="y h"),
    case("GRU", (7, 14), *recurrent(3), hidden_size=4, linear_before_reset=1, out="y h"),
    case("LSTM", (7, 14), *recurrent(4), hidden_size=4, out="y h c"),
    case("Scan", 8, None, f32(2, 3), f32(2, 4, 3), **SCAN),
    case("Scan", 8, i64(2, 4), f32(2, 3), f32(2, 4, 3), **SCAN, note="lengths"),
    case("Scan", 8, i64(3, 1), f32(2, 3), f32(2, 4, 3), **SCAN, directions=[1], ort=True, note="reversed"),
    case("Scan", (9, 11, 16), f32(3), f32(4, 3), **SCAN),
]

LABELS = {"classes_strings": ["a", "b"], "domain": ML}
TRADITIONAL = [
    case("LabelEncoder", 1, np.array(["b", "x", "a"], object), default_int64=-2, **LABELS, note="strings"),
    case("LabelEncoder", 1, i64(1, 0, 7), default_string="?", **LABELS, note="numbers"),
    case("LabelEncoder", (2, 3), i64(1, 2, 5), keys_int64s=[1, 1, 2], values_strings=["p", "q", "r"], domain=ML),
    case("TreeEnsembleRegressor", (1, 3), np.float32([[0.1], [0.9]]), **TREE, domain=ML),
    case("Scaler", (1, 2), X[0], offset=[0.5], scale=[2.0], domain=ML),
]

EXPERIMENTAL = [
    case("Affine", (1, 7, 9), X, alpha=2.0, beta=0.5),
    case("Scale", (7, 9), X, scale=3.0),
    case("ScaledTanh", (7, 9), X, alpha=2.0, beta=0.5),
    case("ParametricSoftplus", (7, 9), X, alpha=2.0, beta=0.5),
    case("ImageScaler", (7, 9), IMAGE, scale=2.0, bias=[0.5, -1.0]),
    case("Crop", (7, 9), IMAGE, border=[1, 0, 2, 1]),
    case("Crop", 7, IMAGE, border=[1, 1, 0, 0], scale=[2, 3], note="window"),
    case("DynamicSlice", (7, 9), X, i64(0, 1), i64(2, -1), i64(1, 2)),
]

CASES = [
    *SOFTMAX,
    *NORMALIZATION,
    *ELEMENTWISE,
    *REDUCTIONS,
    *TENSOR_SHAPE,
    *SAMPLING,
    *CONTROL,
    *TRADITIONAL,
    *EXPERIMENTAL,
]
