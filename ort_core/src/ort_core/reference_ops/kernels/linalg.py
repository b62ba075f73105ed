"""Linear algebra that numpy lacks for some types: Det."""

from __future__ import annotations

import numpy as np

from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import widen


@kernel("Det")
def det(x: np.ndarray) -> np.ndarray:
    """Y = the determinants of the matrices X [..., M, M]. Source: ONNX Det."""
    return np.asarray(np.linalg.det(widen(x))).astype(x.dtype)
