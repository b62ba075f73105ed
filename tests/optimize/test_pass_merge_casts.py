import itertools

import ml_dtypes
import numpy as np
import pytest
from optimize_helpers import apply_pass, assert_same_results, floats, ops

from ort_core.ir.types import ElementType
from ort_core.optimize.passes.merge_casts import can_skip, is_lossless

NUMBERS = [
    ElementType.BOOL, ElementType.INT8, ElementType.UINT8, ElementType.INT16, ElementType.UINT16, ElementType.INT32,
    ElementType.UINT32, ElementType.INT64, ElementType.UINT64, ElementType.FLOAT16, ElementType.BFLOAT16,
    ElementType.FLOAT, ElementType.DOUBLE,
]  # fmt: skip


def _samples(element: ElementType) -> np.ndarray:
    dtype = element.dtype
    if element is ElementType.BOOL:
        return np.array([False, True])
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        near = [info.min, info.min + 1, -1, 0, 1, 2, 100, info.max - 1, info.max, info.max // 2, info.max // 3 + 1]
        return np.array([v for v in near if info.min <= v <= info.max], dtype)
    info = ml_dtypes.finfo(dtype)
    values = [0.0, -0.0, 1.0, -1.5, 0.1, 3.14159, float(info.max), float(info.tiny), float(info.smallest_subnormal)]
    return np.array([*values, np.inf, -np.inf, np.nan], dtype)


def _cast(array: np.ndarray, element: ElementType) -> np.ndarray:
    with np.errstate(all="ignore"):
        return array.astype(element.dtype)


@pytest.mark.parametrize(("start", "end"), list(itertools.product(NUMBERS, NUMBERS)), ids=lambda e: e.onnx_name)
def test_lossless_means_that_every_value_comes_back(start: ElementType, end: ElementType) -> None:
    samples = _samples(start)
    if is_lossless(start, end):
        back = _cast(_cast(samples, end), start)
        assert back.tobytes() == samples.tobytes()


@pytest.mark.parametrize("start", NUMBERS, ids=lambda e: e.onnx_name)
def test_skipping_a_cast_never_changes_the_result(start: ElementType) -> None:
    samples = _samples(start)
    for middle, end in itertools.product(NUMBERS, NUMBERS):
        if can_skip(start, middle, end):
            through = _cast(_cast(samples, middle), end)
            assert through.tobytes() == _cast(samples, end).tobytes(), (middle, end)


def test_widening_and_back_vanishes() -> None:
    text = "g (float16[3] x) => (float16[3] z) { y = Cast<to = 1>(x) z = Cast<to = 10>(y) }"
    model = apply_pass("merge_casts", text)
    assert ops(model) == []
    assert_same_results(text, model, {"x": floats(3).astype(np.float16)})


def test_two_widening_casts_become_one() -> None:
    text = "g (float16[3] x) => (double[3] z) { y = Cast<to = 1>(x) z = Cast<to = 11>(y) }"
    model = apply_pass("merge_casts", text)
    assert ops(model) == ["Cast"]
    assert_same_results(text, model, {"x": floats(3).astype(np.float16)})


@pytest.mark.parametrize(
    ("start", "middle", "end"),
    [("float", 10, 1), ("float", 7, 1), ("int64", 1, 7), ("float", 11, 7), ("float", 11, 6), ("int32", 11, 10)],
)
def test_casts_that_may_lose_something_stay(start: str, middle: int, end: int) -> None:
    name = {1: "float", 6: "int32", 7: "int64", 10: "float16"}[end]
    text = f"g ({start}[3] x) => ({name}[3] z) {{ y = Cast<to = {middle}>(x) z = Cast<to = {end}>(y) }}"
    assert ops(apply_pass("merge_casts", text)) == ["Cast", "Cast"]


def test_inner_cast_stays_for_its_other_users() -> None:
    text = "g (float16[3] x) => (float[3] y, float16[3] z) { y = Cast<to = 1>(x) z = Cast<to = 10>(y) }"
    model = apply_pass("merge_casts", text)
    assert ops(model) == ["Cast"]
    assert_same_results(text, model, {"x": floats(3).astype(np.float16)})
