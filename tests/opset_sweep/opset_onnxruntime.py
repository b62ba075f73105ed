"""Runs many models with real onnxruntime in one process of its own: `run_onnxruntime(tasks, folder)`."""

import ctypes
import os
import pickle
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np

FOREIGN = {
    "bfloat16": (16, 16),
    "float8e4m3fn": (17, 8),
    "float8e4m3fnuz": (18, 8),
    "float8e5m2": (19, 8),
    "float8e5m2fnuz": (20, 8),
    "float8e8m0": (24, 8),
    "uint4": (21, 4),
    "int4": (22, 4),
    "float4e2m1": (23, 4),
    "uint2": (25, 2),
    "int2": (26, 2),
}
"""Element types that numpy lacks, as onnxruntime spells them, with their number in ONNX and their bits."""


def run_onnxruntime(tasks, folder):
    """What onnxruntime answers to each (model bytes, feeds): a list of values, or the text of its error."""
    results = []
    while len(results) < len(tasks):
        (folder / "tasks").write_bytes(pickle.dumps(tasks[len(results) :]))
        environment = os.environ | {"ALLOW_RELEASED_ONNX_OPSET_ONLY": "0"}
        command = [sys.executable, __file__, folder / "tasks", folder / "results"]
        done = subprocess.run(command, env=environment, check=False)
        with open(folder / "results", "rb") as file:
            while file.peek(1):
                results.append(pickle.load(file))
        if len(results) < len(tasks):
            results.append(f"the process of onnxruntime ended with {done.returncode}")
    return results


def _run(model, feeds):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        declared = {i.name: i.type for i in (*session.get_inputs(), *session.get_outputs())}
        if not any(kind.removeprefix("tensor(")[:-1] in FOREIGN for kind in declared.values()):
            return session.run(None, feeds)
        return [_array(value) for value in session.run_with_ort_values(None, {n: _value(v) for n, v in feeds.items()})]
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _value(array):
    """An OrtValue; elements of less than a byte are packed at the front of a buffer that looks too large."""
    from onnxruntime import OrtValue

    number, bits = FOREIGN.get(array.dtype.name.replace("_", ""), (0, 0))
    if not number:
        return OrtValue.ortvalue_from_numpy(array)
    data = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")
    if bits < 8:
        flat = np.zeros(-(-data.size * bits // 8) * 8 // bits, np.uint8)
        flat[: data.size] = data.ravel() & (1 << bits) - 1
        packed = np.zeros(data.size, np.uint8)
        packed[: flat.size * bits // 8] = (flat.reshape(-1, 8 // bits) << np.arange(0, 8, bits, np.uint8)).sum(1)
        data = packed.reshape(data.shape)
    return OrtValue.ortvalue_from_numpy_with_onnx_type(data, number)


def _array(value):
    name = value.data_type().removeprefix("tensor(")[:-1]
    if name not in FOREIGN:
        return value.numpy()
    _, bits = FOREIGN[name]
    shape = value.shape()
    count = int(np.prod(shape))
    dtype = np.dtype(
        getattr(ml_dtypes, name.replace("e", "_e", 1).replace("e8m0", "e8m0fnu").replace("e2m1", "e2m1fn"))
    )
    content = ctypes.string_at(value.data_ptr(), -(-count * bits // 8))
    if bits >= 8:
        return np.frombuffer(content, dtype).reshape(shape)
    data = np.frombuffer(content, np.uint8)[:, None] >> np.arange(0, 8, bits, np.uint8) & (1 << bits) - 1
    data = data.ravel()[:count].reshape(shape)
    if name.startswith("int"):
        return (data.astype(np.int8) - ((data >> bits - 1) << bits).astype(np.int8)).astype(dtype)
    return data.astype(dtype) if name.startswith("uint") else data.view(dtype)


def _work(tasks_path, results_path):
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    with open(results_path, "wb") as file:
        for model, feeds in pickle.loads(Path(tasks_path).read_bytes()):
            pickle.dump(_run(model, feeds), file)
            file.flush()


if __name__ == "__main__":
    _work(*sys.argv[1:])
