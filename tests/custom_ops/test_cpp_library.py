"""The example library in C++, built by its own build: what ort-core computes with it, and onnxruntime beside it."""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

import ort_core as ort
from ort_core.errors import OrtError
from tests.custom_ops import cpp_library
from tests.custom_ops.cpp_library import Case
from tests.custom_ops.cpp_library_cases import CASES, REFUSED

pytest.importorskip("ort_custom_ops")


@pytest.fixture(scope="module")
def library(ort_headers, tmp_path_factory) -> Path:
    try:
        return cpp_library.build_library(ort_headers, tmp_path_factory.mktemp("build"))
    except cpp_library.Unavailable as reason:
        pytest.skip(f"the library cannot be built here: {reason}")


@pytest.fixture(scope="module")
def onnxruntime_outcomes(library) -> list[Any]:
    if importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed")
    return cpp_library.evaluate("onnxruntime", library, CASES)


@pytest.fixture(scope="module")
def outcomes(library) -> list[Any]:
    return cpp_library.evaluate("ort_core", library, CASES)


def open_session(library: Path, case: Case) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.register_custom_ops_library(str(library))
    return ort.InferenceSession(case.model(), options)


def run(library: Path, case: Case) -> list[np.ndarray]:
    outputs: list[np.ndarray] = open_session(library, case).run(None, case.feed())
    return outputs


def identical(x: np.ndarray, y: np.ndarray) -> bool:
    if x.dtype != y.dtype or x.shape != y.shape:
        return False
    return x.tolist() == y.tolist() if x.dtype == object else x.tobytes() == y.tobytes()


def name(case: Case) -> str:
    types = "-".join("none" if x is None else x.dtype.name for x in case.inputs)
    return f"{case.op}-{types}"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_operator_gives_its_values_or_its_error(case, library):
    if isinstance(case.expected, str):
        with pytest.raises(OrtError) as failure:
            run(library, case)
        assert case.expected in str(failure.value)
        assert f"node 'node' ({cpp_library.DOMAIN}::{case.op}" in str(failure.value)
    else:
        expected = [x for x in case.expected if x is not None]
        outputs = run(library, case)
        assert len(outputs) == len(expected)
        assert all(map(identical, outputs, expected)), outputs


@pytest.mark.parity
@pytest.mark.parametrize("index", range(len(CASES)), ids=lambda index: name(CASES[index]))
def test_operator_gives_what_onnxruntime_gives(index, outcomes, onnxruntime_outcomes):
    ours, theirs = outcomes[index], onnxruntime_outcomes[index]
    if isinstance(theirs, tuple):
        said = theirs[1].split("Status Message: ")[-1].split("Exception during initialization: ")[-1]
        assert ours[0] == theirs[0]
        assert said in ours[1]
    else:
        assert len(ours) == len(theirs)
        assert all(map(identical, ours, theirs)), f"got {ours}, expected {theirs}"


@pytest.mark.parametrize("case", REFUSED, ids=name)
def test_call_that_fits_no_overload_is_refused_before_it_runs(case, library):
    with pytest.raises(OrtError, match=case.op):
        open_session(library, case)


@pytest.mark.parametrize(
    ("op", "types", "shapes"),
    [
        ("TopPMask", ["tensor(float)", "tensor(int64)"], [["input_0_0", "input_0_1"], None]),
        ("RunLengthDecode", ["tensor(float)"], [[None]]),
        ("RunLengthEncode", ["tensor(float)", "tensor(int64)"], [[None], [None]]),
        ("PadRagged", ["tensor(float)", "tensor(int64)"], [[3, None], [3]]),
        ("JoinWords", ["tensor(string)"], [["input_1_0"]]),
        ("FormatRows", ["tensor(string)"], [["input_0_0"]]),
    ],
)
def test_types_and_shapes_are_inferred_by_the_library_and_its_own_symbols_stay_unknown(op, types, shapes, library):
    case = next(case for case in CASES if case.op == op and not isinstance(case.expected, str))
    outputs = open_session(library, case).get_outputs()
    assert [output.type for output in outputs] == types
    assert [output.shape for output in outputs if output.shape] == [shape for shape in shapes if shape]


def test_every_operator_and_overload_is_registered(library):
    from ort_custom_ops.library import load_library

    ops = load_library(str(library))
    assert {op.name for op in ops} == {case.op for case in CASES}
    assert sum(op.name == "RunLengthDecode" for op in ops) == 3
    assert {op.domain for op in ops} == {cpp_library.DOMAIN}
    assert {op.name: op.since_version for op in ops}["JoinWords"] == 2


def open_graph(
    library: Path,
    nodes: list[NodeProto],
    inputs: dict[str, tuple[int, list[Any]]],
    constants: dict[str, Any],
    outputs: list[str],
) -> ort.InferenceSession:
    described = [helper.make_tensor_value_info(n, element, shape) for n, (element, shape) in inputs.items()]
    returned = [helper.make_empty_tensor_value_info(n) for n in outputs]
    tensors = [numpy_helper.from_array(value, n) for n, value in constants.items()]
    graph = helper.make_graph(nodes, "graph", described, returned, tensors)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(cpp_library.DOMAIN, 2)]
    options = ort.SessionOptions()
    options.register_custom_ops_library(str(library))
    return ort.InferenceSession(
        helper.make_model(graph, ir_version=10, opset_imports=opsets).SerializeToString(), options
    )


def test_kernel_sees_constant_inputs_when_the_session_is_made(library):
    node = helper.make_node("FusedScaleBias", ["x", "scale"], ["y"], "node", domain=cpp_library.DOMAIN)
    constants = {"scale": np.ones((2, 2), np.float32)}
    with pytest.raises(OrtError, match="scale must have one dimension"):
        open_graph(library, [node], {"x": (TensorProto.FLOAT, ["N", 2])}, constants, ["y"])


def test_input_that_a_kernel_may_overwrite_is_kept_for_other_nodes(library):
    nodes = [
        helper.make_node("Neg", ["x"], ["negated"]),
        helper.make_node("FusedScaleBias", ["negated", "scale"], ["scaled"], domain=cpp_library.DOMAIN),
        helper.make_node("Add", ["negated", "scaled"], ["sum"]),
    ]
    constants = {"scale": np.array([10, 100], np.float32)}
    session = open_graph(library, nodes, {"x": (TensorProto.FLOAT, ["N", 2])}, constants, ["sum", "scaled"])
    x = np.array([[1, 2], [3, 4]], np.float32)
    total, scaled = session.run(None, {"x": x})
    assert scaled.tolist() == [[-10, -200], [-30, -400]]
    assert total.tolist() == [[-11, -202], [-33, -404]]
    assert x.tolist() == [[1, 2], [3, 4]]


def test_operator_in_the_body_of_a_loop(library):
    body = helper.make_graph(
        [
            helper.make_node("RunLengthDecode", ["values", "lengths"], ["decoded"], domain=cpp_library.DOMAIN),
            helper.make_node("RunLengthEncode", ["decoded"], ["runs", "run_lengths"], domain=cpp_library.DOMAIN),
            helper.make_node("Add", ["run_lengths", "step"], ["next_lengths"]),
            helper.make_node("Identity", ["go_on"], ["still"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("lengths", TensorProto.INT64, [None]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next_lengths", TensorProto.INT64, [None]),
        ],
    )
    loop = helper.make_node("Loop", ["trips", "", "start"], ["end"], body=body)
    constants = {"trips": np.array(5, np.int64), "values": np.array([7, 8], np.int64)}
    session = open_graph(library, [loop], {"start": (TensorProto.INT64, ["K"])}, constants, ["end"])
    assert session.run(None, {"start": np.array([1, 2], np.int64)})[0].tolist() == [11, 12]


def test_one_session_from_eight_threads(library):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(64, 100)).astype(np.float32)
    session = open_session(library, Case("TopPMask", [logits, np.array([0.5], np.float32)], [logits, np.empty(64)]))
    feeds = [{"input_0": logits + i, "input_1": np.array([0.1 + i / 100], np.float32)} for i in range(40)]
    alone = [session.run(None, feed) for feed in feeds]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda feed: session.run(None, feed), feeds))
    assert all(identical(x, y) for a, b in zip(alone, together, strict=True) for x, y in zip(a, b, strict=True))


def test_pickled_session_loads_the_library_again(library):
    case = next(case for case in CASES if case.op == "JoinWords")
    session = pickle.loads(pickle.dumps(open_session(library, case)))
    assert session.run(None, case.feed())[0].tolist() == case.expected[0].tolist()


def test_script_of_the_example_prints_what_its_readme_shows(library):
    script = cpp_library.SOURCE / "run.py"
    done = subprocess.run([sys.executable, script, library], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    readme = (cpp_library.SOURCE / "README.md").read_text(encoding="utf-8")
    assert done.stdout.startswith("cat: ")
    assert done.stdout in readme
