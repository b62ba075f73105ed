"""Says how onnxruntime takes models: `python infer_ort_worker.py` reads a pickled dict of model bytes, writes verdicts."""

import pickle
import sys

import onnxruntime


def verdict(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        return type(error).__name__
    return [(o.type, o.shape) for o in session.get_outputs()]


if __name__ == "__main__":
    onnxruntime.set_default_logger_severity(4)
    tasks = pickle.load(sys.stdin.buffer)
    pickle.dump({name: verdict(model) for name, model in tasks.items()}, sys.stdout.buffer)
