"""One-node models that must run natively, against the reference provider."""

import ml_dtypes
import numpy as np
from onnx import helper, numpy_helper

import ort_core
from ort_core import errors

REJECTIONS = (errors.InvalidArgument, errors.InvalidGraph, errors.Fail, errors.NotImplemented)
"""What a wrong node raises: the kernel the first, ONNX's type inference the next two where it sees the fault, and the last
comes of a kernel that refuses the attributes when it is made, since the tests allow no other."""

FLOATS = [np.dtype(t) for t in (np.float32, np.float64, np.float16, ml_dtypes.bfloat16)]
TOLERANCES = {np.dtype(np.float16): 2e-3, np.dtype(ml_dtypes.bfloat16): 2e-2}
"""Relative and absolute, of the types that have fewer digits than float32."""


def one_node(op, inputs, *, outputs=(0,), types=None, constants=(), domain="", **attributes):
    """A model of one node, and what to feed.

    Args:
        inputs: arrays, None for absent ones; those numbered in `constants` are initializers.
        outputs: the numbers of the outputs that the node has.
        types: element types of outputs, by number; by default that of the first input.
    """
    arrays = {f"x{i}": np.asarray(x) for i, x in enumerate(inputs) if x is not None}
    names = [f"y{i}" if i in outputs else "" for i in range(max(outputs) + 1)]
    node = helper.make_node(
        op, ["" if x is None else f"x{i}" for i, x in enumerate(inputs)], names, domain=domain, **attributes
    )
    fed = {name: x for name, x in arrays.items() if int(name[1:]) not in constants}
    default = helper.np_dtype_to_tensor_dtype(np.asarray(inputs[0]).dtype)
    graph = helper.make_graph(
        [node],
        "one_node",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), [None] * x.ndim)
            for name, x in fed.items()
        ],
        [helper.make_tensor_value_info(f"y{i}", (types or {}).get(i, default), None) for i in outputs],
        [numpy_helper.from_array(x, name) for name, x in arrays.items() if name not in fed],
    )
    versions = [helper.make_opsetid(name, version) for name, version in (("", 25), ("ai.onnx.ml", 5), ("ort.cpu", 1))]
    return helper.make_model(graph, opset_imports=versions, ir_version=11).SerializeToString(), fed


def run_native(op, inputs, *, threads=1, **kwargs):
    """The outputs of a node on the CPU provider."""
    model, feed = one_node(op, inputs, **kwargs)
    options = ort_core.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.disable_reference_fallback", "1")
    session = ort_core.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, feed)


def run_reference(op, inputs, **kwargs):
    """The outputs of a node on the reference provider."""
    model, feed = one_node(op, inputs, **kwargs)
    session = ort_core.InferenceSession(model, providers=["ReferenceExecutionProvider"])
    return session.run(None, feed)


def assert_parity(op, inputs, *, tolerance=2e-5, threads=1, **kwargs):
    """The CPU provider's outputs are the reference's: of the same types and shapes, and close."""
    expected = run_reference(op, inputs, **kwargs)
    actual = run_native(op, inputs, threads=threads, **kwargs)
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, expected, strict=True):
        assert_close(ours, theirs, tolerance)


def assert_close(actual, expected, tolerance=2e-5):
    """Equal in type and shape, and close; NaN being equal to NaN."""
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    limit = max(tolerance, TOLERANCES.get(expected.dtype, 0))
    np.testing.assert_allclose(actual.astype(float), expected.astype(float), rtol=limit, atol=limit)


def blocked(x):
    """X [N, C, ...] as [N, C / 16, ..., 16], zeros in the channels that are added."""
    padded = np.zeros((x.shape[0], -(-x.shape[1] // 16) * 16, *x.shape[2:]), x.dtype)
    padded[:, : x.shape[1]] = x
    return np.ascontiguousarray(np.moveaxis(padded.reshape(x.shape[0], -1, 16, *x.shape[2:]), 2, -1))


def unblocked(x, channels):
    """The first `channels` channels of X [N, C / 16, ..., 16], as [N, C, ...]."""
    moved = np.moveaxis(x, -1, 2)
    return moved.reshape(x.shape[0], -1, *moved.shape[3:])[:, :channels]
