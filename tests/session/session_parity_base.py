"""Asking a module with ONNX Runtime's API (named on the command line) and keeping what it answers."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import tempfile
import warnings

import numpy as np
from session_models import ADD

warnings.simplefilter("ignore")
ort = importlib.import_module(sys.argv[1])
CPU = ["CPUExecutionProvider"] if sys.argv[1] == "onnxruntime" else ["ReferenceExecutionProvider"]
X = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
ANSWERS = {}
os.chdir(tempfile.mkdtemp())
ort.set_default_logger_severity(4)


def plain(value):
    if isinstance(value, np.ndarray):
        return [str(value.dtype), list(value.shape), [str(v) for v in value.reshape(-1).tolist()]]
    if isinstance(value, np.generic):
        return [str(value.dtype), str(value)]
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if type(value).__name__ == "SparseTensor":
        coo = value.as_coo_view()
        return ["sparse", value.data_type(), plain(value.dense_shape()), plain(value.values()), plain(coo.indices())]
    if type(value).__name__ == "OrtValue":
        return ["OrtValue", value.data_type(), plain(value.numpy()) if value.is_tensor() else None]
    if hasattr(value, "name") and hasattr(value, "value"):
        return [str(value), repr(value), int(value)]
    return value


def ask(label, question):
    assert label not in ANSWERS, label
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            ANSWERS[label] = ["ok", plain(question())]
    except Exception as error:
        ANSWERS[label] = ["error", [c.__name__ for c in type(error).__mro__], str(error)[:300]]


def session(source=ADD, options=None, **keywords):
    keywords.setdefault("providers", CPU)
    keywords.setdefault("enable_fallback", 0)
    return ort.InferenceSession(source, options, **keywords)


def results(source, feed, names=None, **keywords):
    return session(source, **keywords).run(names, feed)
