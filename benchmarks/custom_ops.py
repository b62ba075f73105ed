"""What calling a custom operator costs: in Python, from a compiled library on the core, and inside the CPU provider's engine.

    python -m benchmarks.custom_ops [--json]

A call's cost is that of a chain of operators, less that of the same chain of empty kernels with as many outputs, for each node.
The library is that of onnxruntime-extensions, whose operator NegPos has two outputs; onnxruntime runs the one-node model of the
same library in a process of its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import types
from collections.abc import Callable, Sequence

import numpy as np

import ort_core as ort
from benchmarks.overhead import NODES, median_us
from ort_core.providers import registry
from ort_core.providers.kernel_provider import KernelProvider, kernel
from ort_core.providers.spec import Plugin
from ort_custom_ops import Float32, op

DOMAIN = "benchmark"
LIBRARY_DOMAIN = "ai.onnx.contrib"
X = np.array([1, 2, 3, 4], np.float32)
MASK = np.ones(4, bool)


@op(DOMAIN, shapes="x")
def Pass(x: Float32) -> Float32:  # noqa: N802 - named as the operator
    """Y = X."""
    return x


@kernel("Identity")
def identity(x: np.ndarray) -> np.ndarray:
    """Y = X."""
    return x


@kernel("Dropout")
def dropout(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two outputs, of which the first is the input."""
    return x, MASK


class _Provider(KernelProvider):
    kernels = (types.SimpleNamespace(__name__="kernels", identity=identity, dropout=dropout),)  # type: ignore[assignment]


class _Plugin(Plugin):
    name = "EmptyStepsExecutionProvider"
    api = (1, 0)

    def create(self, options: object, env: object) -> _Provider:
        return _Provider(self.name)


def chain(op_type: str, domain: str, length: int) -> bytes:
    """A model of operators in a row over 4 floats; of the two outputs of NegPos the second goes on."""
    from onnx import TensorProto, helper

    names = ["x", *(f"v{i}" for i in range(length - 1)), "y"]
    nodes = []
    for source, target in itertools.pairwise(names):
        outputs = {"NegPos": [f"{target}_negative", target], "Dropout": [target, f"{target}_mask"]}.get(
            op_type, [target]
        )
        nodes.append(helper.make_node(op_type, [source], outputs, domain=domain))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    graph = helper.make_graph(nodes, "chain", [x], [y])
    imports = [helper.make_opsetid("", 18), helper.make_opsetid(domain or "ai.onnx", 1 if domain else 18)]
    return helper.make_model(graph, opset_imports=imports[: 2 if domain else 1], ir_version=9).SerializeToString()


def _session(op_type: str, domain: str, length: int, providers: Sequence[str] | None) -> Callable[[], object]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    # The chain of empty kernels must stay a chain.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    if providers == [_Plugin.name]:
        options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    options.register_custom_ops(Pass)
    if domain == LIBRARY_DOMAIN:
        from onnxruntime_extensions import get_library_path

        options.register_custom_ops_library(get_library_path())
    session = ort.InferenceSession(chain(op_type, domain, length), options, providers=providers)
    return lambda: session.run(None, {"x": X})


def measure() -> dict[str, float]:
    """The figures in microseconds."""
    registry.register_plugin(_Plugin())
    kinds: dict[str, tuple[str, str, Sequence[str] | None]] = {
        "empty": ("Identity", "", [_Plugin.name]),
        "empty_pair": ("Dropout", "", [_Plugin.name]),
        "python": ("Pass", DOMAIN, [_Plugin.name]),
        "library": ("NegPos", LIBRARY_DOMAIN, [_Plugin.name]),
    }
    if "CPUExecutionProvider" in ort.get_available_providers():
        kinds["empty_engine"] = ("Identity", "", ["CPUExecutionProvider"])
        kinds["library_engine"] = ("NegPos", LIBRARY_DOMAIN, ["CPUExecutionProvider"])
    one = median_us({name: _session(*kind[:2], 1, kind[2]) for name, kind in kinds.items()}, 1000)
    many = median_us({name: _session(*kind[:2], NODES, kind[2]) for name, kind in kinds.items()}, 20)
    step = {name: (many[name] - one[name]) / (NODES - 1) for name in kinds}
    figures = {f"{name}_step": value for name, value in step.items()}
    figures |= {f"{name}_run": value for name, value in one.items()}
    figures["python_call"] = step["python"] - step["empty"]
    figures["library_call"] = step["library"] - step["empty_pair"]
    if "library_engine" in step:
        figures["library_engine_call"] = step["library_engine"] - step["empty_engine"]
    figures |= _onnxruntime()
    return figures


_PEER = """
import json, sys
import onnxruntime as ort
from onnxruntime_extensions import get_library_path
from benchmarks.custom_ops import LIBRARY_DOMAIN, X, chain
from benchmarks.overhead import NODES, median_us

def session(length):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.register_custom_ops_library(get_library_path())
    made = ort.InferenceSession(chain("NegPos", LIBRARY_DOMAIN, length), options, providers=["CPUExecutionProvider"])
    return lambda: made.run(None, {"x": X})

one = median_us({"run": session(1)}, 1000)["run"]
many = median_us({"run": session(NODES)}, 20)["run"]
print(json.dumps({"onnxruntime_run": one, "onnxruntime_step": (many - one) / (NODES - 1)}))
"""


def _onnxruntime() -> dict[str, float]:
    found = subprocess.run([sys.executable, "-c", _PEER], capture_output=True, text=True, check=False)
    if found.returncode:
        print(f"onnxruntime was not measured: {found.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return {}
    answers: dict[str, float] = json.loads(found.stdout)
    return answers


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    as_json = parser.parse_args().json
    figures = measure()
    if as_json:
        print(json.dumps(figures, indent=2))
        return 0
    rows = [
        ("Python operator, over an empty step", "python_call", "at most 3"),
        ("library's operator, over an empty step", "library_call", "at most 1.5"),
        ("the same in the CPU provider's engine", "library_engine_call", ""),
        ("the same in onnxruntime, whole step", "onnxruntime_step", ""),
        ("run of one Python operator", "python_run", ""),
        ("run of one operator of the library", "library_run", ""),
        ("the same in the CPU provider's engine", "library_engine_run", ""),
        ("the same in onnxruntime", "onnxruntime_run", ""),
    ]
    for label, name, bound in rows:
        if name in figures:
            print(f"{label:42}{figures[name]:7.2f} us   {bound}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
