"""The kernels: one function for each operator, named and typed as ONNX has it."""

from __future__ import annotations

import numpy as np
from ort_core.providers.kernel_provider import FLOATS, NUMBERS, kernel

DOMAIN = "ort_provider_example"


@kernel("Add", types={"T": NUMBERS})
def add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """C = A + B, broadcast."""
    return a + b


@kernel("Mul", types={"T": NUMBERS})
def mul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """C = A * B, broadcast."""
    return a * b


@kernel("MatMul", types={"T": FLOATS})
def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Y = A @ B. A [..., M, K], B [..., K, N]."""
    return np.matmul(a, b)


@kernel("Relu", types={"T": FLOATS})
def relu(x: np.ndarray) -> np.ndarray:
    """Y = max(X, 0)."""
    return np.maximum(x, x.dtype.type(0))


@kernel("LeakyRelu", types={"T": FLOATS})
def leaky_relu(x: np.ndarray, *, alpha: float = 0.01) -> np.ndarray:
    """Y = X where X >= 0, alpha * X elsewhere."""
    return np.where(x < 0, x * x.dtype.type(alpha), x)


@kernel("Dense", domain=DOMAIN)
def dense(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Y = max(X @ W + B, 0): what the provider makes of MatMul, Add and Relu."""
    return relu(np.asarray(np.matmul(x, weight) + bias))
