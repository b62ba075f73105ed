"""One library, used by ort-core and by real onnxruntime in one process: the same results in every order."""

from __future__ import annotations

import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.custom_ops.library_builder import build

pytestmark = pytest.mark.parity
if find_spec("onnxruntime") is None:
    pytest.skip("onnxruntime is not installed", allow_module_level=True)

OURS, THEIRS = "ort_core", "onnxruntime"
X = np.array([1, 2], np.float32)


def case(op: str, inputs: list[np.ndarray], outputs: int = 1, types: tuple[int, ...] = (), **attributes: Any) -> Any:
    """A model of one node, and its feed."""
    from onnx import TensorProto, helper
    from onnx.helper import np_dtype_to_tensor_dtype as code_of

    kinds = types or tuple(code_of(x.dtype) for x in inputs)
    info = helper.make_tensor_value_info
    given = [info(f"x{i}", kind, [None] * x.ndim) for i, (x, kind) in enumerate(zip(inputs, kinds, strict=True))]
    made = [info(f"y{i}", OUT.get(op, TensorProto.FLOAT), None) for i in range(outputs)]
    node = helper.make_node(op, [v.name for v in given], [v.name for v in made], "the_node", domain="zoo", **attributes)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("zoo", 1)]
    model = helper.make_model(helper.make_graph([node], "one", given, made), opset_imports=opsets, ir_version=8)
    return model.SerializeToString(), {f"x{i}": x for i, x in enumerate(inputs)}


INT64, STRING = 7, 8
OUT = {"Squares": INT64, "Count": INT64, "Optionals": INT64, "Services": INT64, "Overloaded": INT64, "Upper": STRING}
STRINGS = np.array([["ab", "ü", ""]], object)


def cases() -> list[Any]:
    return [
        *(case(op, [X]) for op in ("AddOne11", "AddOne17", "AddOne31")),
        case("Repeat", [X], times=3),
        case("Concatenate", [X, X + 1, X + 2], 3),
        case("Count", [X, np.arange(3), STRINGS], types=(1, INT64, STRING)),
        case("Optionals", [X, X], 2),
        case("Squares", [np.array(1000), np.array(0)]),
        case("Upper", [STRINGS], types=(STRING,)),
        case("Services", [X]),
        case("CallsOperators", [np.array([3, 9, 5, 7], np.float32)], 2),
        case("Overloaded", [X]),
        case("Overloaded", [np.arange(2)]),
    ]


@pytest.mark.parametrize(
    "order", [(OURS, THEIRS, OURS, THEIRS), (THEIRS, OURS, OURS, THEIRS)], ids=["ours first", "theirs first"]
)
def test_results_agree_in_every_order(order):
    path = build("zoo.cpp", "zoo_for_both", "-DFOR_ONNXRUNTIME")
    worker = Path(__file__).with_name("two_runtimes_worker.py")
    data = pickle.dumps((order, path, cases()))
    done = subprocess.run([sys.executable, str(worker)], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    results = pickle.loads(done.stdout)
    assert len(results) == 10
    expected = next(outputs for which, outputs in results if which == THEIRS)
    for which, outputs in results:
        assert outputs == expected, which
