import math

import numpy as np
import pytest

from benchmarks.compare.figures import (
    deviation,
    fastest,
    geometric_mean,
    largest_deviation,
    ratio_by_round,
    spread,
)


def test_spread_is_the_median_with_quartiles():
    found = spread([5.0, 1.0, 2.0, 4.0, 3.0])
    assert (found.median, found.low, found.high, found.count) == (3.0, 2.0, 4.0, 5)
    assert found.noise == pytest.approx(1 / 3)


def test_a_slow_round_does_not_change_the_ratio():
    found = ratio_by_round([1.0, 10.0, 1.0], [2.0, 20.0, 2.0])
    assert (found.median, found.low, found.high) == (0.5, 0.5, 0.5)


def test_fastest_is_the_least_and_none_of_nothing():
    assert fastest({"a": 2.0, "b": 1.0}) == "b"
    assert fastest({}) is None


def test_geometric_mean_of_reciprocals_is_one():
    assert geometric_mean([0.25, 4.0]) == pytest.approx(1.0)


def test_deviation_is_relative_to_the_range():
    a = np.array([100.0, 101.0, 102.0], np.float32)
    assert deviation(a + np.array([0, 0, 0.5], np.float32), a) == pytest.approx(0.25)
    assert deviation(a, a) == 0


def test_deviation_without_a_range_is_relative_to_the_magnitude():
    assert deviation(np.float32(11), np.float32(10)) == pytest.approx(0.1)
    assert deviation(np.float32(0.5), np.float32(0)) == 0.5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_equal_special_values_agree_and_others_never_do(value):
    special, plain = np.array([value, 1], np.float32), np.array([2, 1], np.float32)
    assert deviation(special, special) == 0
    assert deviation(plain, special) == math.inf
    assert deviation(special, plain) == math.inf


def test_other_shapes_and_types_deviate_infinitely():
    assert deviation(np.zeros((2, 1), np.float32), np.zeros(2, np.float32)) == math.inf
    assert deviation(np.zeros(2, np.float32), np.zeros(2, np.float64)) == math.inf


def test_integers_and_texts_deviate_by_the_share_of_differences():
    assert deviation(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 5])) == 0.25
    assert deviation(np.array(["a", "b"], object), np.array(["a", "c"], object)) == 0.5


def test_sequences_and_maps_are_compared_by_their_items():
    assert deviation([{"a": 1.0}], [{"a": 1.0}]) == 0
    assert deviation([{"a": 1.0}], [{"b": 1.0}]) == math.inf
    assert deviation([1.0], [1.0, 2.0]) == math.inf


def test_largest_deviation_names_the_output():
    a = {"x": np.array([0.0, 1.0]), "y": np.array([0.0, 1.0])}
    b = {"x": np.array([0.0, 1.0]), "y": np.array([0.0, 2.0])}
    assert largest_deviation(a, b) == (0.5, "y")
    assert largest_deviation({"x": a["x"]}, a) == (math.inf, "y")
