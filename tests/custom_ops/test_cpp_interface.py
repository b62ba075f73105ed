"""What operators of libraries may call of ONNX Runtime's interface: all that the example library in C++ has no use for."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import ort_core as ort
from ort_core.errors import OrtError
from tests.custom_ops import cpp_library
from tests.custom_ops.cpp_library import Case

pytest.importorskip("ort_custom_ops")

DOMAIN = "test.interface"
ONE, TWO = np.array([1], np.float32), np.array([2], np.float32)
ATTRIBUTES: dict[str, Any] = {
    "int": 7,
    "float": 2.5,
    "string": "abc",
    "ints": [1, 5],
    "floats": [0.5, 6.0],
    "strings": ["é", "two", ""],
}
INFO = (
    "node | input_0 1[ -1 -1 ] | input_1 1[ 1 ] = 2.000000 | output_0 1 | 7 2.500000 abc 1 5 0.500000 6.000000"
    " <é> <two> <> 4.000000"
)
MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)


def case(op: str, inputs: list[Any], expected: Any, **kwargs: Any) -> Case:
    return Case(op, inputs, expected, domain=DOMAIN, version=1, **kwargs)


def text(value: str) -> list[np.ndarray]:
    return [np.array([value], dtype=object)]


CASES = [
    case(
        "InfoReport",
        [MATRIX, TWO],
        text(INFO),
        attributes=ATTRIBUTES | {"tensor": np.array([3.0, 4.0])},
        constants=[1],
    ),
    case("ContextReport", [ONE], text("1 to 1 Cpu tensor 1 stream 0 view 2 2.500000 own 3né")),
    case("MiddleOptional", [ONE, None, TWO], [np.array([3], np.float32)]),
    case("MiddleOptional", [ONE, TWO, TWO], [np.array([5], np.float32)]),
    case("Multiples", [TWO], [np.array([0], np.float32), None, np.array([4], np.float32)]),
    case("Multiples", [TWO], [np.array([0], np.float32)]),
    case("CallGemm", [MATRIX, MATRIX, ONE], [2 * MATRIX @ MATRIX.T + 1]),
    case("Squares", [np.arange(1000, dtype=np.float32)], [np.arange(1000, dtype=np.float32) ** 2]),
    case("ThrowNumber", [ONE], "unknown"),
]
ONLY_HERE = [
    case("HalfToBfloat", [np.array([1.5, -2], np.float16)], [np.array([1.5, -2], ml_dtypes.bfloat16)]),
    case("CopyFloat8", [np.array([1.5, -2], ml_dtypes.float8_e4m3fn)], [np.array([1.5, -2], ml_dtypes.float8_e4m3fn)]),
    case("LiteMiddleOptional", [ONE, TWO, TWO], [np.array([5], np.float32)]),
    case("LiteMiddleOptional", [ONE, None, TWO], "is null"),
    case("Squares", [np.array([1, 2, 3, -1], np.float32)], "negative: 3"),
    case("GiveNothing", [ONE], "without making output 0"),
    case("NegativeDimension", [ONE], "-1"),
    case("NotUtf8", [ONE], "na\ufffdve"),
]


@pytest.fixture(scope="module")
def library(ort_headers, tmp_path_factory) -> Path:
    try:
        return cpp_library.build_interface(ort_headers, tmp_path_factory.mktemp("build"))
    except cpp_library.Unavailable as reason:
        pytest.skip(f"the library cannot be built here: {reason}")


def open_session(library: Path, model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.register_custom_ops_library(str(library))
    return ort.InferenceSession(model, options)


def assert_equal(outputs: list[np.ndarray], expected: list[np.ndarray]) -> None:
    assert [x.dtype for x in outputs] == [x.dtype for x in expected]
    assert [x.tolist() for x in outputs] == [x.tolist() for x in expected]


@pytest.mark.parametrize("case", CASES + ONLY_HERE, ids=lambda case: case.op)
def test_operator_gives_its_values_or_its_error(case, library):
    if isinstance(case.expected, str):
        with pytest.raises(OrtError, match=case.op) as failure:
            open_session(library, case.model()).run(None, case.feed())
        assert case.expected in str(failure.value)
    else:
        outputs = open_session(library, case.model()).run(None, case.feed())
        assert_equal(outputs, [x for x in case.expected if x is not None])


@pytest.mark.parity
def test_operators_give_the_same_on_onnxruntime(library):
    if importlib.util.find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed")
    for one, outcome in zip(CASES, cpp_library.evaluate("onnxruntime", library, CASES), strict=True):
        if isinstance(one.expected, str):
            assert isinstance(outcome, tuple)
            assert one.expected in outcome[1]
        else:
            assert not isinstance(outcome, tuple), outcome
            assert_equal(outcome, [x for x in one.expected if x is not None])


def test_variadic_outputs_have_types_of_their_own(library):
    from onnx import TensorProto, helper

    values = [ONE, np.array(["é", ""], dtype=object), np.array([[True], [False]]), np.array([3, 4], np.int64)]
    elements = [TensorProto.FLOAT, TensorProto.STRING, TensorProto.BOOL, TensorProto.INT64]
    inputs = [
        helper.make_tensor_value_info(f"x{i}", e, x.shape)
        for i, (e, x) in enumerate(zip(elements, values, strict=True))
    ]
    outputs = [helper.make_tensor_value_info(f"y{i}", e, None) for i, e in enumerate(reversed(elements))]
    node = helper.make_node("Reverse", [x.name for x in inputs], [y.name for y in outputs], domain=DOMAIN)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(DOMAIN, 1)]
    model = helper.make_model(helper.make_graph([node], "g", inputs, outputs), opset_imports=opsets, ir_version=10)
    found = open_session(library, model.SerializeToString()).run(None, {f"x{i}": x for i, x in enumerate(values)})
    assert_equal(found, values[::-1])


def test_inference_reads_attributes_and_symbols(library):
    one = case("InferFromAttributes", [ONE], [ONE], attributes=ATTRIBUTES)
    shape = open_session(library, one.model()).get_outputs()[0].shape
    assert shape == ["input_0_0", 7, 2, 3, 3, 3, 5, 6]


def test_exception_of_inference_refuses_the_model(library):
    one = case("InferFromAttributes", [ONE], "InferFromAttributes", attributes=ATTRIBUTES | {"strings": ["one"]})
    with pytest.raises(OrtError, match=one.expected):
        open_session(library, one.model())


def test_operator_called_by_a_kernel_agrees_with_it_in_the_model(library):
    rng = np.random.default_rng(1)
    a, b, c = (rng.normal(size=shape).astype(np.float32) for shape in [(7, 5), (9, 5), (7, 9)])
    one = case("CallGemm", [a, b, c], [c])
    (found,) = open_session(library, one.model()).run(None, one.feed())
    exact = 2 * a.astype(np.float64) @ b.T.astype(np.float64) + c
    assert math.isclose(np.abs(found - exact).max(), 0, abs_tol=1e-5)
