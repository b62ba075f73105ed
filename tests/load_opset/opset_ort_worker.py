"""Runs models with onnxruntime in a process of its own: `python opset_ort_worker.py TASKS RESULTS`.

TASKS is a pickled list of (model bytes, feeds); RESULTS gets one pickle for each task: a list of arrays, or an error text.
"""

import pickle
import sys

import onnxruntime


def run(model, feeds):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return session.run(None, feeds)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def main(tasks_path, results_path):
    onnxruntime.set_default_logger_severity(4)
    with open(tasks_path, "rb") as file:
        tasks = pickle.load(file)
    with open(results_path, "wb") as file:
        for model, feeds in tasks:
            pickle.dump(run(model, feeds), file)
            file.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
