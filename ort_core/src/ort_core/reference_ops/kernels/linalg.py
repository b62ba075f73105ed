"""Products and determinants of matrices, for 16-bit floats in float32: numpy multiplies them without BLAS."""

from __future__ import annotations

import numpy as np

from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import cast, widen


@kernel("MatMul")
def matmul(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Y = A B, broadcast over leading axes: A [..., M, K], B [..., K, N]. Source: ONNX MatMul."""
    return cast(np.matmul(widen(a), widen(b)), a.dtype)


@kernel("Gemm")
def gemm(
    a: np.ndarray,
    b: np.ndarray,
    c: np.ndarray | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> np.ndarray:
    """Y = alpha A' B' + beta C: A' [M, K], B' [K, N], C broadcast to [M, N]. Source: ONNX Gemm."""
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(f"A and B must be matrices, got shapes {a.shape} and {b.shape}")
    y = np.matmul(widen(a.T if transA else a), widen(b.T if transB else b))
    if alpha != 1:
        y = y * alpha
    if c is not None and beta != 0:
        shape = y.shape
        y = y + (widen(c) if beta == 1 else widen(c) * beta)
        if y.shape != shape:
            raise ValueError(f"C of shape {c.shape} does not broadcast to {shape}")
    return cast(y, a.dtype)


@kernel("Det")
def det(x: np.ndarray) -> np.ndarray:
    """Y = the determinants of the matrices X [..., M, M]. Source: ONNX Det."""
    return np.asarray(np.linalg.det(widen(x))).astype(x.dtype)
