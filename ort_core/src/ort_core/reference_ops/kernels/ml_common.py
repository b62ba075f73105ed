"""What the operators of ai.onnx.ml share: the domain, features, class labels and score transformations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ort_core.reference_ops.kernels.activations import sigmoid
from ort_core.reference_ops.kernels.numerics import cast

ML = "ai.onnx.ml"
_KINDS_OF_SEVERAL = frozenset({"LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"})


def feature_rows(x: np.ndarray) -> np.ndarray:
    """X [N, F]; a vector is one row.

    Raises:
        ValueError: it has another rank.
    """
    if x.ndim not in (1, 2):
        raise ValueError(f"features [N, F] are needed, got shape {x.shape}")
    return np.atleast_2d(x)


def class_labels(strings: Sequence[str], integers: Sequence[int]) -> np.ndarray:
    """The labels of a classifier, which are strings where there are any."""
    return np.array(strings, object) if strings else np.array(integers, np.int64)


def transform_scores(scores: np.ndarray, kind: str) -> np.ndarray:
    """Scores [N, C] after the transformation `kind`. As in onnxruntime, a single score is changed by PROBIT only.

    Raises:
        ValueError: the transformation is unknown.
    """
    if kind == "NONE" or (scores.shape[1] == 1 and kind in _KINDS_OF_SEVERAL):
        return scores
    if kind == "LOGISTIC":
        return sigmoid(scores)
    if kind == "SOFTMAX":
        return _softmax(scores, np.ones(scores.shape, bool))
    if kind == "SOFTMAX_ZERO":
        return _softmax(scores, np.abs(scores) > 1e-7)
    if kind == "PROBIT":
        return probit(scores)
    raise ValueError(f"post_transform is '{kind}', must be NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT")


def _softmax(scores: np.ndarray, counted: np.ndarray) -> np.ndarray:
    peak = scores.max(axis=1, keepdims=True)
    weights = np.where(counted, np.exp(scores - peak), scores * np.exp(-peak))
    total = weights.sum(axis=1, keepdims=True)
    return np.where(total == 0, 0.5, weights / total).astype(scores.dtype)


def probit(p: np.ndarray) -> np.ndarray:
    """The quantile of the normal distribution, by Winitzki's approximation, as onnxruntime computes it."""
    x = 2 * p - 1
    log = np.log((1 - x) * (1 + x))
    v = 2 / (np.pi * 0.147) + 0.5 * log
    return cast(np.sqrt(2.0) * np.sign(x) * np.sqrt(-v + np.sqrt(v * v - log / 0.147)), p.dtype)


def second_class(score: np.ndarray, kind: str, *, is_probability: bool) -> np.ndarray:
    """Scores [N, 2] of both classes from the one score [N] that a binary classifier computes."""
    if kind == "PROBIT":
        return np.stack([-probit(score), probit(score)], axis=1)
    if is_probability and kind != "LOGISTIC":
        return np.stack([1 - score, score], axis=1)
    both = np.stack([-score, score], axis=1)
    return sigmoid(both) if kind == "LOGISTIC" else both
