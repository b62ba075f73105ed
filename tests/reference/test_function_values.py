"""Functions of one or two numbers, in every float type, against their formulas in double precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import helper
from type_sweep import EPSILON, E, elements_allowed, run_model, schemas

FLOATS = [E.DOUBLE, E.FLOAT, E.FLOAT16, E.BFLOAT16]
WIDE = [
    -300.0,
    -88.5,
    -20,
    -7.5,
    -3,
    -1.5,
    -1,
    -0.5,
    -1e-3,
    -0.0,
    0.0,
    1e-3,
    0.25,
    0.5,
    1,
    1.5,
    2.5,
    3,
    7.5,
    20,
    88.5,
    300,
]
UNIT = [-1.0, -0.999, -0.5, -1e-3, 0, 1e-3, 0.5, 0.999, 1]
POSITIVE = [1e-3, 0.25, 0.5, 1, 1.5, 2.5, 7.5, 20, 300]
erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, 0)


FUNCTIONS: dict[str, tuple[list[float], Callable[[np.ndarray], np.ndarray], dict[str, Any]]] = {
    "Abs": (WIDE, np.abs, {}),
    "Acos": (UNIT, np.arccos, {}),
    "Acosh": ([1.0, 1.5, 7.5, 300], np.arccosh, {}),
    "Asin": (UNIT, np.arcsin, {}),
    "Asinh": (WIDE, np.arcsinh, {}),
    "Atan": (WIDE, np.arctan, {}),
    "Atanh": (UNIT[1:-1], np.arctanh, {}),
    "Ceil": (WIDE, np.ceil, {}),
    "Celu": (WIDE, lambda x: np.maximum(x, 0) + np.minimum(0, 2 * np.expm1(x / 2)), {"alpha": 2.0}),
    "Cos": (WIDE, np.cos, {}),
    "Cosh": (WIDE, np.cosh, {}),
    "Elu": (WIDE, lambda x: np.where(x < 0, 0.5 * np.expm1(np.minimum(x, 0)), x), {"alpha": 0.5}),
    "Erf": (WIDE, erf, {}),
    "Exp": (WIDE, np.exp, {}),
    "Floor": (WIDE, np.floor, {}),
    "Gelu": (WIDE, lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))), {}),
    "HardSigmoid": (WIDE, lambda x: np.clip(0.25 * x + 0.5, 0, 1), {"alpha": 0.25}),
    "HardSwish": (WIDE, lambda x: x * np.clip(x / 6 + 0.5, 0, 1), {}),
    "LeakyRelu": (WIDE, lambda x: np.where(x < 0, 0.25 * x, x), {"alpha": 0.25}),
    "Log": (POSITIVE, np.log, {}),
    "Mish": (WIDE, lambda x: x * np.tanh(softplus(x)), {}),
    "Neg": (WIDE, np.negative, {}),
    "Reciprocal": (POSITIVE, lambda x: 1 / x, {}),
    "Relu": (WIDE, lambda x: np.maximum(x, 0), {}),
    "Round": (WIDE, np.rint, {}),
    "Selu": (WIDE, lambda x: 0.5 * np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0))), {"alpha": 2.0, "gamma": 0.5}),
    "Shrink": (WIDE, lambda x: np.where(x < -2, x + 0.5, np.where(x > 2, x - 0.5, 0)), {"lambd": 2.0, "bias": 0.5}),
    "Sigmoid": (WIDE, sigmoid, {}),
    "Sign": (WIDE, np.sign, {}),
    "Sin": (WIDE, np.sin, {}),
    "Sinh": (WIDE, np.sinh, {}),
    "Softplus": (WIDE, softplus, {}),
    "Softsign": (WIDE, lambda x: x / (1 + np.abs(x)), {}),
    "Sqrt": (POSITIVE, np.sqrt, {}),
    "Swish": (WIDE, lambda x: x * sigmoid(0.5 * x), {"alpha": 0.5}),
    "Tan": (UNIT, np.tan, {}),
    "Tanh": (WIDE, np.tanh, {}),
    "ThresholdedRelu": (WIDE, lambda x: np.where(x > 1.25, x, 0), {"alpha": 1.25}),
}
STEPWISE = {"Celu": 8, "Elu": 8, "Gelu": 8, "HardSwish": 2.0**28, "Mish": 8, "Selu": 8, "Swish": 8}
"""Functions that lose digits on the way, with the ulps of 1 that they may be off; HardSwish is defined by the float 1/6."""


def close(got: np.ndarray, exact: np.ndarray, element: E, ulps: float, scale: Any = 0.0) -> bool:
    """Whether a result is the exact one rounded, up to units in the last place of itself or of `scale`."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(element.dtype).astype(np.float64)
    tolerance = ulps * EPSILON[element]
    tiny = float(
        np.finfo(np.float32).tiny if element in (E.FLOAT, E.BFLOAT16) else 2.0**-24 if element is E.FLOAT16 else 0
    )
    return np.allclose(
        got.astype(np.float64), rounded, rtol=tolerance, atol=tolerance * np.max(scale) + 2 * tiny, equal_nan=True
    )


@pytest.mark.parametrize("element", FLOATS, ids=lambda e: e.onnx_name)
@pytest.mark.parametrize("op_type", FUNCTIONS)
def test_functions_of_one_number(op_type: str, element: E) -> None:
    values, formula, attributes = FUNCTIONS[op_type]
    if element not in elements_allowed(schemas()["", op_type], schemas()["", op_type].inputs[0].type_str):
        pytest.skip("the schema does not allow it")
    x = np.array(values).astype(element.dtype)
    (y,) = run_model(helper.make_node(op_type, ["x"], ["y"], **attributes), {"x": x})
    with np.errstate(all="ignore"):
        exact = formula(x.astype(np.float64))
    assert y.dtype == element.dtype
    ulps = STEPWISE.get(op_type, 2.0) if element is E.DOUBLE else min(STEPWISE.get(op_type, 2.0), 8)
    ok = close(y, exact, element, ulps, 1.0 if op_type in STEPWISE else 0.0)
    assert ok, list(zip(values, y.tolist(), exact.tolist(), strict=True))
