"""Element-wise operators whose counterparts of `onnx.reference` take a fixed number of inputs, warn or lose precision."""

from __future__ import annotations

import functools
import math

import numpy as np

from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import cast, widen
from ort_core.values import RuntimeValue


@kernel("Identity")
def identity(x: RuntimeValue) -> RuntimeValue:
    """Y = X, of any type. Source: ONNX Identity."""
    return x


@kernel("Elu")
def elu(x: np.ndarray, *, alpha: float = 1.0) -> np.ndarray:
    """Y = alpha * (exp(X) - 1) where X < 0, else X. Source: ONNX Elu."""
    wide = widen(x)
    return cast(np.where(wide < 0, alpha * np.expm1(wide), wide), x.dtype)


@kernel("Max")
def maximum(*data: np.ndarray) -> np.ndarray:
    """Y = the element-wise maximum of the broadcast inputs. Source: ONNX Max."""
    result: np.ndarray = functools.reduce(np.maximum, data)
    return result


@kernel("Min")
def minimum(*data: np.ndarray) -> np.ndarray:
    """Y = the element-wise minimum of the broadcast inputs. Source: ONNX Min."""
    result: np.ndarray = functools.reduce(np.minimum, data)
    return result


@kernel("Mean")
def mean(*data: np.ndarray) -> np.ndarray:
    """Y = the element-wise mean of the broadcast inputs. Source: ONNX Mean."""
    total: np.ndarray = functools.reduce(np.add, map(widen, data))
    return cast(total / len(data), data[0].dtype)


@kernel("Sqrt")
def sqrt(x: np.ndarray) -> np.ndarray:
    """Y = X^0.5, NaN for negative X. Source: ONNX Sqrt."""
    result: np.ndarray = np.sqrt(x)
    return result


@kernel("Pow")
def power(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Z = X^Y in the type of X. Source: ONNX Pow."""
    if x.dtype.kind in "iu" and y.dtype.kind == "i" and (y < 0).any():
        return cast(np.power(x.astype(np.float64), y), x.dtype)
    return cast(np.power(x, y), x.dtype)


@kernel("Erf")
def erf(x: np.ndarray) -> np.ndarray:
    """Y = the error function of X. Source: ONNX Erf."""
    values = np.fromiter(map(math.erf, x.astype(np.float64).ravel().tolist()), np.float64, x.size)
    return values.reshape(x.shape).astype(x.dtype)


@kernel("Softsign")
def softsign(x: np.ndarray) -> np.ndarray:
    """Y = X / (1 + |X|). Source: ONNX Softsign."""
    return cast(widen(x) / (1 + np.abs(widen(x))), x.dtype)
