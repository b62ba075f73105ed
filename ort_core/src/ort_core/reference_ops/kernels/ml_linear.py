"""Linear models and scaling of ai.onnx.ml: Scaler, Normalizer, LinearRegressor, LinearClassifier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ort_core.ir.graph import Node
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.ml_common import ML, class_labels, feature_rows, second_class, transform_scores


@kernel("Scaler", domain=ML)
def scaler(x: np.ndarray, *, offset: Sequence[float] = (), scale: Sequence[float] = ()) -> np.ndarray:
    """Y float = (X - offset) * scale, both one or one for each feature. Source: ONNX Scaler."""
    if len(offset) != len(scale) or len(offset) not in (1, x.shape[-1]):
        raise ValueError(f"{len(offset)} offsets and {len(scale)} scales do not fit {x.shape[-1]} features")
    return (x.astype(np.float32) - np.array(offset, np.float32)) * np.array(scale, np.float32)


@kernel("Normalizer", domain=ML)
def normalizer(x: np.ndarray, *, norm: str = "MAX") -> np.ndarray:
    """Y float = X [N, C] or [C] divided by the norm of each row (MAX, L1 or L2), unless that is 0. Source: ONNX Normalizer."""
    rows = x.astype(np.float32)
    if norm == "MAX":
        size = rows.max(axis=-1, keepdims=True)
    elif norm == "L1":
        size = np.abs(rows).sum(axis=-1, keepdims=True)
    elif norm == "L2":
        size = np.sqrt(np.square(rows).sum(axis=-1, keepdims=True))
    else:
        raise ValueError(f"norm is '{norm}', must be MAX, L1 or L2")
    return np.where(size == 0, rows, rows / size)


@kernel("LinearRegressor", domain=ML)
def linear_regressor(
    x: np.ndarray,
    *,
    coefficients: Sequence[float],
    intercepts: Sequence[float] = (),
    post_transform: str = "NONE",
    targets: int = 1,
) -> np.ndarray:
    """Y [N, targets] float = X [N, C] coefficients' + intercepts, transformed. Source: ONNX LinearRegressor."""
    return transform_scores(_linear(x, coefficients, intercepts, targets), post_transform)


def _linear(x: np.ndarray, coefficients: Sequence[float], intercepts: Sequence[float], targets: int) -> np.ndarray:
    rows = feature_rows(x)
    if len(coefficients) != targets * rows.shape[1] or len(intercepts) not in (0, targets):
        raise ValueError(
            f"{len(coefficients)} coefficients and {len(intercepts)} intercepts do not make {targets} scores of X {x.shape}"
        )
    scores = rows.astype(np.float32) @ np.array(coefficients, np.float32).reshape(targets, -1).T
    return scores + np.array(intercepts, np.float32) if len(intercepts) else scores


@kernel("LinearClassifier", domain=ML)
class LinearClassifier:
    """Labels [N] and scores [N, C] float of X [N, F]. Source: ONNX LinearClassifier."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        coefficients: Sequence[float],
        classlabels_ints: Sequence[int] = (),
        classlabels_strings: Sequence[str] = (),
        intercepts: Sequence[float] = (),
        multi_class: int = 0,
        post_transform: str = "NONE",
    ) -> None:
        """Keeps the model."""
        self._model, self._labels = (coefficients, intercepts), class_labels(classlabels_strings, classlabels_ints)
        self._transform = post_transform

    def run(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Computes both outputs."""
        coefficients, intercepts = self._model
        features = x.shape[-1]
        classes = len(intercepts) or len(coefficients) // max(features, 1)
        scores = _linear(x, coefficients, intercepts, classes)
        if classes == 1:
            return self._binary(scores[:, 0])
        if len(self._labels) < classes:
            raise ValueError(f"{len(self._labels)} class labels for {classes} scores")
        return self._labels[scores.argmax(axis=1)], transform_scores(scores, self._transform)

    def _binary(self, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if len(self._labels) == 2:
            negative, positive = self._labels
        else:
            negative, positive = ("0", "1") if self._labels.dtype == object else (0, 1)
        labels = np.where(score > 0, positive, negative).astype(self._labels.dtype)
        if len(self._labels) != 2:
            return labels, transform_scores(score[:, None], self._transform)
        return labels, second_class(score, self._transform, is_probability=True)
