"""Casts between all pairs of types, against the rules of the standard."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from reference_helpers import f32, run, strings
from type_sweep import E, elements_allowed, recast, schemas

PAIRS = elements_allowed(schemas()["", "Cast"], "T1")
NUMBERS = f32(-3, -1.5, 0, 0.5, 1, 1.75, 2, 3)
SATURATING = {E.FLOAT8E4M3FN, E.FLOAT8E4M3FNUZ, E.FLOAT8E5M2, E.FLOAT8E5M2FNUZ}


def is_integer(element: E) -> bool:
    return "INT" in element.name


def wrapped(values: np.ndarray, element: E) -> list[int]:
    """Whole numbers cut to the bits of a type, in two's complement."""
    bits = element.bits
    low = [int(v) % 2**bits for v in values]
    return low if element.name.startswith("U") else [v - 2**bits if v >= 2 ** (bits - 1) else v for v in low]


@pytest.mark.parametrize("source", PAIRS, ids=lambda e: e.onnx_name)
def test_numbers_are_converted_from_each_type_to_every_other(source: E) -> None:
    x = recast(np.abs(NUMBERS) if source is E.FLOAT8E8M0 else NUMBERS, source)
    exact = x.astype(np.float64)
    for target in PAIRS:
        y = run("Cast", x, to=int(target), types=(target.dtype,))
        assert y.dtype == target.dtype
        like = run("CastLike", x, np.zeros(1, target.dtype), types=(target.dtype,))
        assert [str(v) for v in like] == [str(v) for v in y]
        if target is E.STRING:
            np.testing.assert_allclose([float(s) for s in y], exact, rtol=1e-7)
        elif target is E.BOOL:
            assert y.tolist() == [v != 0 for v in exact]
        elif is_integer(target):
            if is_integer(source) or source is E.BOOL:
                assert [int(v) for v in y] == wrapped(exact, target)
            else:
                fits = [i for i, v in enumerate(exact) if [np.trunc(v)] == wrapped([np.trunc(v)], target)]
                assert y.astype(np.float64)[fits].tolist() == np.trunc(exact)[fits].tolist()
        elif target is not E.FLOAT8E8M0:
            assert (
                y.astype(np.float64).tolist()
                == exact.astype(np.float32).astype(target.dtype).astype(np.float64).tolist()
            )


@pytest.mark.parametrize("element", sorted(SATURATING), ids=lambda e: e.onnx_name)
def test_what_is_too_large_for_8_bits_saturates_unless_told_not_to(element: E) -> None:
    x = f32(1e9, -1e9, np.inf, -np.inf, np.nan, 0, -0.0)
    largest = float(ml_dtypes.finfo(element.dtype).max)
    y = run("Cast", x, to=int(element), types=(element.dtype,)).astype(np.float32)
    assert y[:4].tolist() == [largest, -largest, largest, -largest]
    assert np.isnan(y[4])
    plain = run("Cast", x, to=int(element), saturate=0, types=(element.dtype,)).astype(np.float32)
    expected = np.inf if element is E.FLOAT8E5M2 else np.nan
    np.testing.assert_array_equal(np.abs(plain[:4]), [expected] * 4)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("up", [1, 2, 2, 2, 4]), ("down", [1, 1, 1, 2, 2]), ("nearest", [1, 1, 2, 2, 4])],
)
def test_scales_are_rounded_to_powers_of_two(mode: str, expected: list[float]) -> None:
    y = run("Cast", f32(1, 1.25, 1.5, 2, 3), to=int(E.FLOAT8E8M0), round_mode=mode, types=(E.FLOAT8E8M0.dtype,))
    assert y.astype(np.float64).tolist() == expected


def test_scales_out_of_range_saturate_or_become_nan() -> None:
    x = np.array([0, np.inf, np.nan, 1e300, 1e-300])
    dtype = E.FLOAT8E8M0.dtype
    y = run("Cast", x, to=int(E.FLOAT8E8M0), types=(dtype,))
    assert y.view(np.uint8).tolist() == [0, 254, 255, 254, 0]
    plain = run("Cast", x, to=int(E.FLOAT8E8M0), saturate=0, round_mode="nearest", types=(dtype,))
    assert plain.view(np.uint8).tolist() == [255] * 5


def test_text_is_parsed_for_every_type() -> None:
    text = strings("1", "0", "1")
    for target in PAIRS:
        y = run("Cast", text, to=int(target), types=(target.dtype,))
        assert y.dtype == target.dtype
        if target is not E.FLOAT8E8M0:
            assert [float(v) for v in y] == [1, 0, 1]


def test_large_integers_are_parsed_and_written_exactly() -> None:
    large = strings("9223372036854775807", "-9223372036854775808")
    assert run("Cast", large, to=7, types=(np.int64,)).tolist() == [2**63 - 1, -(2**63)]
    assert run("Cast", strings("18446744073709551615"), to=13, types=(np.uint64,)).tolist() == [2**64 - 1]
    assert run("Cast", np.uint64([2**64 - 1]), to=8, types=(object,)).tolist() == ["18446744073709551615"]


def test_text_that_is_no_number_is_refused() -> None:
    with pytest.raises(Exception, match="could not convert string to float"):
        run("Cast", strings("Hello"), to=1, types=(np.float32,))


def test_scalars_stay_scalars() -> None:
    for source in PAIRS:
        x = recast(np.array(1.0, np.float32), source)
        for target in PAIRS:
            assert run("Cast", x, to=int(target), types=(target.dtype,)).shape == ()
