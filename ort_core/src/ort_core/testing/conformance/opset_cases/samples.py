"""The numbers that the written cases share."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Attributes: TypeAlias = dict[str, Any]
"""Keyword arguments that several cases share."""

_RNG = np.random.default_rng(28)


def f32(*shape: int) -> np.ndarray:
    """Normally distributed numbers."""
    return _RNG.standard_normal(shape).astype(np.float32)


def positive(*shape: int) -> np.ndarray:
    """Numbers between 0.5 and 1.5."""
    return (_RNG.random(shape) + 0.5).astype(np.float32)


def i64(*values: Any) -> np.ndarray:
    """Integers: a vector, or a matrix of rows."""
    return np.array(values, np.int64)


def scalar(value: Any, dtype: Any = np.float32) -> np.ndarray:
    """An array of no dimensions."""
    return np.array(value, dtype)


def floats(*values: Any) -> np.ndarray:
    """Floats: a vector, or a matrix of rows."""
    return np.array(values, np.float32)


X = f32(2, 3, 4)
P = positive(2, 3, 4)
IMAGE = f32(1, 2, 4, 5)
BOOLS = f32(2, 3) > 0
NORM = (f32(2, 3, 2, 2), positive(3), f32(3), f32(3), positive(3))
"""Data of 3 channels with the scale, bias, mean and variance of each."""

WINDOW: Attributes = {"kernel_shape": [3, 2], "strides": [2, 2], "pads": [1, 0, 1, 1]}
