"""Runs models with operators of a library on runtimes that share this process; a pickle goes in and one comes out.

Started by `test_library_two_runtimes.py`, as a process of its own because real onnxruntime is never loaded by tests.
"""

from __future__ import annotations

import importlib
import pickle
import sys
from typing import Any


def sessions_of(name: str, path: str, models: list[bytes]) -> list[Any]:
    runtime = importlib.import_module(name)
    options = runtime.SessionOptions()
    options.register_custom_ops_library(path)
    return [runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"]) for model in models]


def main() -> None:
    order, path, cases = pickle.load(sys.stdin.buffer)
    models, feeds = zip(*cases, strict=True)
    opened: list[tuple[str, list[Any]]] = []
    results = []
    for name in order:
        opened.append((name, sessions_of(name, path, list(models))))
        for which, sessions in opened:
            outputs = [session.run(None, feed) for session, feed in zip(sessions, feeds, strict=True)]
            results.append((which, [[(str(x.dtype), x.tolist()) for x in arrays] for arrays in outputs]))
    sys.stdout.buffer.write(pickle.dumps(results))


main()
