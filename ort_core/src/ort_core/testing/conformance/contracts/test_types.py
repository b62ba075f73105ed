"""Element types and shapes: what comes out is what was inferred, for all sizes and forms of inputs."""

from __future__ import annotations

import pytest

from ort_core.ir.types import ElementType
from ort_core.testing.conformance.contracts.cases import SIZES, Case
from ort_core.testing.conformance.contracts.catalogue import CASES, ELEMENTWISE, each_case, parameter
from ort_core.testing.conformance.contracts.checks import check_results
from ort_core.testing.conformance.contracts.claims import open_case
from ort_core.testing.conformance.contracts.odd_arrays import FORMS
from ort_core.testing.conformance.target import Target

pytestmark = pytest.mark.ort_contract("types")

SHAPES = {
    "scalar": "",
    "vector": "[N]",
    "one-element": "[1]",
    "rank-8": "[2, 1, 3, 1, 2, 1, 1, 2]",
    "empty-middle": "[2, 0, 3]",
}
DIMENSIONS: tuple[dict[str, int], ...] = (
    {},
    {"N": 1, "M": 1, "K": 1, "C": 1},
    {"N": 0, "K": 0},
    {"N": 33, "M": 65, "K": 17},
    {"N": 2, "M": 300, "K": 3},
    {},
)


@pytest.mark.parametrize(("case", "element"), [parameter(case, e) for case in CASES for e in case.elements])
def test_element_type(target: Target, case: Case, element: str) -> None:
    """Results are of the declared element type and of the right shape."""
    feeds = case.feeds(1, element)
    with open_case(target, case, element) as session:
        results = session.run(None, feeds)
        check_results(results, case.expected(feeds, element), exact=case.exact)
        for result, output in zip(results, session.get_outputs(), strict=True):
            assert output.type == f"tensor({ElementType.from_dtype(result.dtype).onnx_name})"


@each_case()
def test_dimensions_change_between_runs(target: Target, case: Case) -> None:
    """One session takes empty batches, single elements and large inputs in turn."""
    with open_case(target, case) as session:
        for seed, sizes in enumerate(DIMENSIONS):
            feeds = case.feeds(seed, **sizes)
            check_results(session.run(None, feeds), case.expected(feeds), exact=case.exact)


@each_case()
def test_known_dimensions(target: Target, case: Case) -> None:
    """A model with known dimensions gives what the one with unknown dimensions gives."""
    feeds = case.feeds(2)
    with open_case(target, case, sizes=SIZES, optimize=True) as session:
        check_results(session.run(None, feeds), case.expected(feeds), exact=case.exact)


@pytest.mark.parametrize(
    ("case", "shape"), [parameter(case, s) for case in ELEMENTWISE for s in SHAPES], indirect=["case"]
)
def test_shape(target: Target, case: Case, shape: str) -> None:
    """Scalars, single elements, many dimensions and empty tensors keep their shape."""
    case = case.reshaped(SHAPES[shape])
    feeds = case.feeds(3)
    with open_case(target, case) as session:
        check_results(session.run(None, feeds), case.expected(feeds), exact=case.exact)


@each_case()
def test_forms_of_inputs(target: Target, case: Case) -> None:
    """Inputs may be strided, reversed, column-major, unaligned or byte-swapped."""
    feeds = case.feeds(4)
    expected = case.expected(feeds)
    with open_case(target, case) as session:
        for name, form in FORMS.items():
            odd = {key: form(array) if array.ndim else array for key, array in feeds.items()}
            try:
                check_results(session.run(None, odd), expected, exact=case.exact)
            except AssertionError as error:
                raise AssertionError(f"inputs that are {name}: {error}") from error
