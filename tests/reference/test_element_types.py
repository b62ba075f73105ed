"""Every kernel gives exactly the element type that ONNX infers, for every element type that the schema allows."""

import warnings

import ml_dtypes
import numpy as np
import onnx
import pytest
from reference_helpers import OPSETS, i64, make_node, noise, read_only

from ort_core.ir.types import ElementType
from ort_core.reference_ops import bind, supports
from ort_core.values import fits

IMAGE, MATRIX = (1, 2, 4, 4), (3, 4)

CASES: dict[str, tuple[list, dict]] = {
    "Abs": ([MATRIX], {}),
    "Add": ([MATRIX, MATRIX], {}),
    "ArgMax": ([MATRIX], {}),
    "AveragePool": ([IMAGE], {"kernel_shape": [2, 2]}),
    "BatchNormalization": ([IMAGE, (2,), (2,), (2,), (2,)], {}),
    "Ceil": ([MATRIX], {}),
    "Clip": ([MATRIX, (), ()], {}),
    "Concat": ([MATRIX, MATRIX], {"axis": 0}),
    "Conv": ([IMAGE, (2, 2, 3, 3)], {}),
    "ConvTranspose": ([IMAGE, (2, 2, 3, 3)], {}),
    "CumSum": ([MATRIX, np.array(0)], {}),
    "Div": ([MATRIX, MATRIX], {}),
    "Einsum": ([MATRIX, MATRIX], {"equation": "ij,ij->i"}),
    "Equal": ([MATRIX, MATRIX], {}),
    "Erf": ([MATRIX], {}),
    "Exp": ([MATRIX], {}),
    "Expand": ([MATRIX, i64(2, 3, 4)], {}),
    "EyeLike": ([MATRIX], {}),
    "Gather": ([MATRIX, i64(0, 2)], {}),
    "GatherElements": ([MATRIX, i64([0, 1, 2, 0])], {}),
    "Gemm": ([MATRIX, (4, 2), (2,)], {}),
    "GlobalAveragePool": ([IMAGE], {}),
    "GlobalMaxPool": ([IMAGE], {}),
    "GridSample": ([IMAGE, noise(1, 2, 2, 2)], {}),
    "HardSigmoid": ([MATRIX], {}),
    "Identity": ([MATRIX], {}),
    "InstanceNormalization": ([IMAGE, (2,), (2,)], {}),
    "IsNaN": ([MATRIX], {}),
    "LayerNormalization": ([MATRIX, (4,)], {}),
    "LeakyRelu": ([MATRIX], {}),
    "LogSoftmax": ([MATRIX], {}),
    "LpNormalization": ([MATRIX], {}),
    "LpPool": ([IMAGE], {"kernel_shape": [2, 2]}),
    "LRN": ([IMAGE], {"size": 3}),
    "MatMul": ([MATRIX, (4, 2)], {}),
    "Max": ([MATRIX, MATRIX, MATRIX], {}),
    "MaxPool": ([IMAGE], {"kernel_shape": [2, 2]}),
    "Mean": ([MATRIX, MATRIX], {}),
    "Min": ([MATRIX, MATRIX], {}),
    "Mod": ([MATRIX, MATRIX], {"fmod": 1}),
    "Mul": ([MATRIX, MATRIX], {}),
    "Neg": ([MATRIX], {}),
    "OneHot": ([i64(0, 1), i64(3), (2,)], {}),
    "Pad": ([MATRIX, i64(1, 0, 0, 1)], {}),
    "Pow": ([MATRIX, MATRIX], {}),
    "PRelu": ([MATRIX, (4,)], {}),
    "Range": ([np.array(0), np.array(4), np.array(1)], {}),
    "ReduceLogSumExp": ([MATRIX], {}),
    "ReduceMax": ([MATRIX, i64(1)], {}),
    "ReduceMean": ([MATRIX, i64(1)], {}),
    "ReduceProd": ([MATRIX, i64(1)], {}),
    "ReduceSum": ([MATRIX, i64(1)], {}),
    "Relu": ([MATRIX], {}),
    "Reshape": ([MATRIX, i64(4, 3)], {}),
    "Resize": ([IMAGE, None, np.float32([1, 1, 2, 2])], {"mode": "linear"}),
    "RMSNormalization": ([MATRIX, (4,)], {}),
    "RoiAlign": ([IMAGE, (1, 4), i64(0)], {}),
    "ScatterElements": ([MATRIX, i64([0, 1, 2, 0]), (1, 4)], {}),
    "ScatterND": ([MATRIX, i64([1]), (1, 4)], {}),
    "Shape": ([MATRIX], {}),
    "Sigmoid": ([MATRIX], {}),
    "Sign": ([MATRIX], {}),
    "Slice": ([MATRIX, i64(0), i64(1)], {}),
    "Softmax": ([MATRIX], {}),
    "Softplus": ([MATRIX], {}),
    "Split": ([MATRIX], {"outputs": 2, "axis": 1, "num_outputs": 2}),
    "Sqrt": ([MATRIX], {}),
    "Squeeze": ([(1, 3)], {}),
    "Sum": ([MATRIX, MATRIX], {}),
    "Tanh": ([MATRIX], {}),
    "Tile": ([MATRIX, i64(2, 1)], {}),
    "TopK": ([MATRIX, i64(2)], {"outputs": 2}),
    "Transpose": ([MATRIX], {}),
    "Trilu": ([MATRIX], {}),
    "Unique": ([MATRIX], {"outputs": 4}),
    "Unsqueeze": ([MATRIX, i64(0)], {}),
    "Where": ([np.ones(MATRIX, bool), MATRIX, MATRIX], {}),
}


def allowed_types(op_type: str) -> list[ElementType]:
    names = {f"tensor({e.onnx_name})": e for e in ElementType}
    schema = onnx.defs.get_schema(op_type, OPSETS[""])
    varied = next(i for i, v in enumerate(CASES[op_type][0]) if isinstance(v, tuple) or op_type == "Range")
    constraint = schema.inputs[varied].type_str
    allowed = next(c.allowed_type_strs for c in schema.type_constraints if c.type_param_str == constraint)
    return sorted(names[a] for a in allowed if a in names and names[a] is not ElementType.STRING)


def sample(shape: tuple[int, ...], element: ElementType) -> np.ndarray:
    values = np.abs(np.random.default_rng(0).standard_normal(shape)) + 0.5
    if element.bits < 8:
        values = np.minimum(values, 1)
    return np.asarray(values, np.float32).astype(element.dtype)


def infer(node, inputs) -> list:
    """The output types by ONNX's own inference."""
    from ort_core.ir.proto import node_to_proto, type_from_proto, type_to_proto
    from ort_core.ir.rewrite import tensor_type

    infos = [
        onnx.helper.make_value_info(f"in{i}", type_to_proto(tensor_type(v)))
        for i, v in enumerate(inputs)
        if v is not None
    ]
    outputs = [onnx.helper.make_empty_tensor_value_info(v.name) for v in node.outputs]
    graph = onnx.helper.make_graph([node_to_proto(node)], "g", infos, outputs)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSETS[""])])
    return [type_from_proto(o.type) for o in onnx.shape_inference.infer_shapes(model, strict_mode=True).graph.output]


@pytest.mark.parametrize("op_type", CASES)
def test_output_types_for_every_allowed_input_type(op_type: str) -> None:
    shapes, settings = CASES[op_type]
    for element in allowed_types(op_type):
        inputs = [
            sample(v, element) if isinstance(v, tuple) else (v.astype(element.dtype) if op_type == "Range" else v)
            for v in shapes
        ]
        node = make_node(op_type, *inputs, **settings)
        assert supports(node, OPSETS) is None
        types = infer(node, inputs)
        for value, type_ in zip(node.outputs, types, strict=True):
            value.type = type_
        before = [None if v is None else v.copy() for v in inputs]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error")
            results = bind(node, OPSETS)(*map(read_only, inputs))
        for result, type_ in zip(results, types, strict=True):
            assert type(result) is np.ndarray
            assert fits(result, type_), f"{element.onnx_name}: got {result.dtype}, expected {type_}"
            if type_.shape is not None and all(isinstance(d, int) for d in type_.shape):
                assert result.shape == type_.shape
            assert result.flags.c_contiguous
        for old, new in zip(before, inputs, strict=True):
            assert old is new is None or old.tobytes() == new.tobytes()


def test_casts_between_all_numeric_types_give_the_type_asked_for() -> None:
    numeric = [e for e in ElementType if e not in (ElementType.STRING, ElementType.COMPLEX64, ElementType.COMPLEX128)]
    for source in numeric:
        x = sample((3,), source)
        for target in numeric:
            node = make_node("Cast", x, to=int(target), types=(target.dtype,))
            with np.errstate(all="ignore"):
                (result,) = bind(node, OPSETS)(read_only(x))
            assert result.dtype == target.dtype


def test_float8_casts_saturate_unless_told_not_to() -> None:
    x = np.float32([1e6])
    with np.errstate(all="ignore"):
        saturated = bind(make_node("Cast", x, to=17), OPSETS)(x)[0]
        plain = bind(make_node("Cast", x, to=17, saturate=0), OPSETS)(x)[0]
    assert saturated.dtype == ml_dtypes.float8_e4m3fn
    assert float(saturated[0]) == 448
    assert np.isnan(float(plain[0]))
