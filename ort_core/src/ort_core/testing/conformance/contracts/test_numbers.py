"""Numbers: every length, special values, integer ranges, and the same result each time."""

from __future__ import annotations

import numpy as np
import pytest

from ort_core.ir.types import ElementType
from ort_core.testing.conformance.contracts.cases import Arrays, Case, random_array
from ort_core.testing.conformance.contracts.catalogue import CASES, ELEMENTWISE, each_case, parameter
from ort_core.testing.conformance.contracts.checks import bits, check_results
from ort_core.testing.conformance.contracts.claims import open_case
from ort_core.testing.conformance.target import Target

pytestmark = pytest.mark.ort_contract("numbers")

LENGTHS = range(1, 34)
SPECIAL = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0)
WITH_NAN = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Relu", "Neg", "Abs", "Tanh", "Exp", "Sqrt", "Floor", "Identity")
WITH_DENORMALS = ("Add", "Sub", "Mul", "Max", "Min", "Relu", "Neg", "Abs", "Identity")
SIGNED_ZERO = ("Neg", "Identity", "Mul", "Floor")
ROUNDED = ("Div", "Tanh", "Exp", "Sqrt")
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


@each_case(*ELEMENTWISE)
def test_every_length(target: Target, case: Case) -> None:
    """Vectors of 1 to 33 elements have no wrong element."""
    with open_case(target, case.reshaped("[N]")) as session:
        for length in LENGTHS:
            feeds = case.reshaped("[N]").feeds(length, N=length)
            check_results(session.run(None, feeds), case.expected(feeds), exact=case.exact)


@each_case(*[case for case in CASES if case.name in ("MatMul", "Gemm", "ReduceSum", "ReduceMean", "Softmax", "Conv")])
def test_every_width(target: Target, case: Case) -> None:
    """Products, reductions and convolutions over 1 to 33 elements have no wrong element."""
    with open_case(target, case) as session:
        for width in LENGTHS:
            feeds = case.feeds(width, N=3, M=width, K=34 - width)
            check_results(session.run(None, feeds), case.expected(feeds))


def _floating(names: tuple[str, ...]) -> list[object]:
    return [
        parameter(case, element)
        for case in ELEMENTWISE
        if case.name in names
        for element in case.elements
        if element in ("float", "double", "float16")
    ]


@pytest.mark.parametrize(("case", "element"), _floating(WITH_NAN))
def test_special_values(target: Target, case: Case, element: str) -> None:
    """NaN and infinities give what IEEE 754 says."""
    feeds = _pairs(case, element, SPECIAL)
    with open_case(target, case.reshaped("[N]"), element) as session:
        (result,) = session.run(None, feeds)
    (expected,) = case.expected(feeds, element)
    check_results([result], [expected], exact=case.name not in ROUNDED)
    if case.name in SIGNED_ZERO:
        real = ~np.isnan(expected)
        assert np.array_equal(np.signbit(result[real]), np.signbit(expected[real])), "a zero has the wrong sign"


@pytest.mark.parametrize(("case", "element"), _floating(WITH_DENORMALS))
def test_denormals(target: Target, case: Case, element: str) -> None:
    """Denormal numbers are not flushed to zero."""
    tiny = float(np.finfo(ElementType[element.upper()].dtype).tiny)
    feeds = _pairs(case, element, (tiny / 4, -tiny / 4, tiny / 16, tiny, 1.0))
    with open_case(target, case.reshaped("[N]"), element) as session:
        check_results(session.run(None, feeds), case.expected(feeds, element), exact=True)


@pytest.mark.parametrize(
    ("case", "element"),
    [
        parameter(case, element)
        for case in ELEMENTWISE
        if case.name in ("Add", "Sub", "Mul", "Max", "Min", "Neg", "Abs")
        for element in case.elements
        if element in INTEGERS
    ],
)
def test_integer_range(target: Target, case: Case, element: str) -> None:
    """Integers are exact over their range and wrap around beyond it."""
    kind = np.iinfo(ElementType[element.upper()].dtype)
    feeds = _pairs(case, element, (kind.min, kind.max, kind.max - 1, kind.max // 3, 0, 1, 7))
    with open_case(target, case.reshaped("[N]"), element) as session:
        check_results(session.run(None, feeds), case.expected(feeds, element), exact=True)


@pytest.mark.ort_operator("ai.onnx::Softmax")
def test_large_softmax(target: Target) -> None:
    """Softmax of large numbers does not overflow."""
    case = next(case for case in CASES if case.name == "Softmax")
    feeds = {"x": np.array([[1e4, 1e4, -1e4], [500.0, 501.0, -500.0]], np.float32)}
    with open_case(target, case) as session:
        check_results(session.run(None, feeds), case.expected(feeds))


@each_case()
def test_results_repeat(target: Target, case: Case) -> None:
    """The same inputs give the same bits, in one session and in another."""
    feeds = case.feeds(11, N=7, M=33, K=19)
    seen = set()
    for _ in range(2):
        with open_case(target, case) as session:
            for _ in range(4):
                seen.add(str([bits(result) for result in session.run(None, feeds)]))
    assert len(seen) == 1, f"8 runs on the same inputs gave {len(seen)} different results"


def _pairs(case: Case, element: str, values: tuple[float, ...]) -> Arrays:
    """All pairs of the values, and some random numbers after them; the first of each pair for an operator of one input."""
    kind = ElementType[element.upper()]
    first, second = (np.array(v, kind.dtype).reshape(-1) for v in np.meshgrid(*[np.array(values, object)] * 2))
    filler = random_array(np.random.default_rng(0), kind, (9,))
    return {name: np.concatenate([part, filler]) for name, part in zip(case.input_names, (first, second), strict=False)}
