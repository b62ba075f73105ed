"""Fixed costs: the executor per node and one whole `run`, beside numpy's own call in the same run.

    python -m benchmarks.overhead [--json]

Each figure is the median over rounds in which all cases take turns, so that a change of the machine's speed meets all alike.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
import timeit
import types
from collections.abc import Callable

import numpy as np

import ort_core as ort
from ort_core.providers import registry
from ort_core.providers.kernel_provider import KernelProvider, kernel
from ort_core.providers.spec import Plugin

NODES = 200
ROUNDS = 30


@kernel("Add")
def add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """C = A + B."""
    return np.add(a, b)


class _Provider(KernelProvider):
    kernels = (types.SimpleNamespace(__name__="kernels", add=add),)  # type: ignore[assignment]


class _Plugin(Plugin):
    name = "OverheadExecutionProvider"
    api = (1, 0)

    def create(self, options: object, env: object) -> _Provider:
        return _Provider(self.name)


def chain(length: int) -> bytes:
    """A model of `length` Adds in a row over 4 floats."""
    from onnx import TensorProto, helper

    names = ["x", *(f"v{i}" for i in range(length - 1)), "y"]
    nodes = [helper.make_node("Add", [a, "b"], [c]) for a, c in itertools.pairwise(names)]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4]) for n in ("x", "b")]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])]
    graph = helper.make_graph(nodes, "chain", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


def median_us(cases: dict[str, Callable[[], object]], calls: int) -> dict[str, float]:
    """Microseconds per call of each case."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            times[name].append(timeit.timeit(case, number=calls) / calls * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def measure() -> dict[str, float]:
    """The figures in microseconds."""
    registry.register_plugin(_Plugin())
    x, b = np.ones(4, np.float32), np.full(4, 2, np.float32)
    feeds = {"x": x, "b": b}
    one = ort.InferenceSession(chain(1), providers=[_Plugin.name])
    many = ort.InferenceSession(chain(NODES), providers=[_Plugin.name])
    cases: dict[str, Callable[[], object]] = {
        "numpy": lambda: np.add(x, b),
        "one_node_run": lambda: one.run(None, feeds),
    }
    peer = _onnxruntime(chain(1))
    if peer is not None:
        cases["onnxruntime_one_node_run"] = lambda: peer.run(None, feeds)  # type: ignore[attr-defined]
    quick = median_us(cases, 2000)
    long = median_us({"numpy": cases["numpy"], "run": lambda: many.run(None, feeds)}, 50)
    quick["per_node"] = (long["run"] - quick["one_node_run"]) / (NODES - 1)
    quick["per_node_over_numpy"] = quick["per_node"] - quick["numpy"]
    return quick


def _onnxruntime(model: bytes) -> object | None:
    try:
        import onnxruntime
    except ImportError:
        return None
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    figures = measure()
    if parser.parse_args().json:
        print(json.dumps(figures, indent=2))
        return 0
    print(f"numpy's own Add of 4 floats          {figures['numpy']:7.2f} us")
    print(f"executor per node                    {figures['per_node']:7.2f} us")
    print(f"executor per node over numpy         {figures['per_node_over_numpy']:7.2f} us   (at most 1.5)")
    print(f"run of one node                      {figures['one_node_run']:7.2f} us   (at most 8)")
    if "onnxruntime_one_node_run" in figures:
        ratio = figures["one_node_run"] / figures["onnxruntime_one_node_run"]
        print(f"run of one node, over onnxruntime's  {ratio:7.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
