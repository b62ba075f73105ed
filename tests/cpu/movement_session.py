"""One-node models that must run natively, for the tests of data movement and indexing."""

import ml_dtypes
import numpy as np
import onnx
from onnx import helper

import ort_core
from ort_core.errors import Fail, InvalidArgument, InvalidGraph

REJECTIONS = (InvalidArgument, InvalidGraph, Fail)
"""What a wrong node raises: the kernel the first, ONNX's type inference the others where it sees the fault."""

FIXED_SIZE = [
    np.dtype(t)
    for t in (
        bool, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64,
        np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.complex64, np.complex128,
    )
]  # fmt: skip
"""The types of every operator that only moves data."""

ONE_OF_EACH_SIZE = [np.dtype(t) for t in (np.uint8, np.float16, np.float32, np.int64, np.complex128)]
NUMBERS = [t for t in FIXED_SIZE if t.kind not in "bc"]


def numbers(shape, dtype, seed=0):
    """Values that differ from their neighbours, as far as the type allows."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "c":
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    if dtype.kind in "iub":
        return rng.integers(0, 2 if dtype.kind == "b" else 120, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def node_session(op, inputs, *, outputs=1, constants=(), threads=1, **attributes):
    """The session of a model of one node, and what to feed; the inputs numbered in `constants` are initializers."""
    arrays = {f"x{i}": np.asarray(x) for i, x in enumerate(inputs) if x is not None}
    node = helper.make_node(
        op,
        ["" if x is None else f"x{i}" for i, x in enumerate(inputs)],
        [f"y{i}" for i in range(outputs)],
        **attributes,
    )
    fed = {name: x for name, x in arrays.items() if int(name[1:]) not in constants}
    graph = helper.make_graph(
        [node],
        "one_node",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), [None] * x.ndim)
            for name, x in fed.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in node.output],
        [onnx.numpy_helper.from_array(x, name) for name, x in arrays.items() if name not in fed],
    )
    version = onnx.defs.onnx_opset_version()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=11)
    options = ort_core.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.disable_reference_fallback", "1")
    session = ort_core.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session, fed


def run_node(op, *inputs, **kwargs):
    """The output of a model of one node, or the list of its outputs if there are several."""
    session, feed = node_session(op, inputs, **kwargs)
    results = session.run(None, feed)
    return results[0] if len(results) == 1 else results


def assert_same(actual, expected):
    """Equal in type, shape and every value, NaN being equal to NaN."""
    expected = np.asarray(expected)
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    np.testing.assert_array_equal(actual, expected)
