"""Losses of classifiers: NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss."""

from __future__ import annotations

import numpy as np

from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.normalize import log_softmax
from ort_core.reference_ops.kernels.numerics import cast, widen


@kernel("NegativeLogLikelihoodLoss")
def negative_log_likelihood_loss(
    x: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    *,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> np.ndarray:
    """Loss = -weight[target] * X[n, target, ...] for log-probabilities X [N, C, ...] and target [N, ...].

    `mean` divides by the sum of the weights; targets that are `ignore_index` do not count.
    Source: ONNX NegativeLogLikelihoodLoss.
    """
    if reduction not in ("none", "sum", "mean"):
        raise ValueError(f"reduction is '{reduction}', must be none, sum or mean")
    if x.ndim < 2 or target.shape != (x.shape[0], *x.shape[2:]):
        raise ValueError(f"target of shape {target.shape} does not fit scores [N, C, ...] of shape {x.shape}")
    classes = x.shape[1]
    if weight is not None and weight.shape != (classes,):
        raise ValueError(f"weight has shape {weight.shape}, expected one for each of {classes} classes")
    counted = np.ones(target.shape, bool) if ignore_index is None else target != ignore_index
    wrong = counted & ((target < 0) | (target >= classes))
    if wrong.any():
        raise IndexError(f"target {int(target[wrong][0])} is out of range for {classes} classes")
    chosen = np.where(counted, target, 0)
    log_probability = np.take_along_axis(widen(x), chosen[:, None], axis=1)[:, 0]
    factor = counted.astype(log_probability.dtype) if weight is None else np.where(counted, widen(weight)[chosen], 0)
    loss = np.where(counted, -log_probability * factor, 0)
    if reduction == "none":
        return cast(loss, x.dtype)
    return cast(loss.sum() / factor.sum() if reduction == "mean" else loss.sum(), x.dtype)


@kernel("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy_loss(
    scores: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    ignore_index: int | None = None,
    reduction: str = "mean",
) -> tuple[np.ndarray, np.ndarray]:
    """NegativeLogLikelihoodLoss of the logarithms of softmax(scores) over axis 1, and these logarithms.

    Source: ONNX SoftmaxCrossEntropyLoss.
    """
    log_probability = log_softmax(widen(scores), axis=1)
    loss = negative_log_likelihood_loss(
        log_probability, labels, weights, ignore_index=ignore_index, reduction=reduction
    )
    return cast(loss, scores.dtype), cast(log_probability, scores.dtype)
