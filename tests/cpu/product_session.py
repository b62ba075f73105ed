"""One-node models of matrix products and attention that must run natively, internal operators among them."""

import ml_dtypes
import numpy as np
import onnx
from onnx import helper

import ort_core
from ort_core.errors import Fail, InvalidArgument, InvalidGraph

REJECTIONS = (InvalidArgument, InvalidGraph, Fail)
"""What wrong operands raise: the kernel the first, ONNX's type inference the others where it sees the fault."""


def product_session(op, inputs, *, outputs=1, constants=(), threads=1, low_memory=False, **attributes):
    """The session of a model of one node, and what to feed; the inputs numbered in `constants` are initializers."""
    arrays = {f"x{i}": np.asarray(x) for i, x in enumerate(inputs) if x is not None}
    node = helper.make_node(
        op,
        ["" if x is None else f"x{i}" for i, x in enumerate(inputs)],
        [f"y{i}" for i in range(outputs)] if isinstance(outputs, int) else outputs,
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
        [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
            if node.domain
            else onnx.ValueInfoProto(name=name)
            for name in node.output
            if name
        ],
        [onnx.numpy_helper.from_array(x, name) for name, x in arrays.items() if name not in fed],
    )
    versions = [helper.make_opsetid("", onnx.defs.onnx_opset_version()), helper.make_opsetid("ort.cpu", 1)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=11)
    options = ort_core.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.disable_reference_fallback", "1")
    provider = ("CPUExecutionProvider", {"low_memory": low_memory})
    return ort_core.InferenceSession(model.SerializeToString(), options, providers=[provider]), fed


def run_product(op, *inputs, **kwargs):
    """The output of a model of one node, or the list of its outputs if there are several."""
    session, feed = product_session(op, inputs, **kwargs)
    results = session.run(None, feed)
    return results[0] if len(results) == 1 else results


def random(*shape, seed=0, dtype=np.float32):
    """Numbers of mean 0 and deviation 1, or small integers for integer types."""
    rng = np.random.default_rng([seed, *shape])
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0 if np.dtype(dtype).kind == "u" else -50, 50, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def assert_close(actual, expected, depth):
    """Within what sums of `depth` products of numbers around 1 lose, and the rounding of the result."""
    assert actual.shape == expected.shape
    in_sums = 1e-15 if actual.dtype == np.float64 else 4e-7
    bound = in_sums * (depth + 16) + float(ml_dtypes.finfo(actual.dtype).eps) * np.abs(expected)
    np.testing.assert_array_less(np.abs(actual.astype(np.float64) - expected), bound)
