"""Support vector machines of ai.onnx.ml: SVMRegressor, SVMClassifier."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from ort_core.ir.graph import Node
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.activations import sigmoid
from ort_core.reference_ops.kernels.ml_common import ML, class_labels, feature_rows, second_class, transform_scores
from ort_core.reference_ops.kernels.numerics import cast


class _Similarity:
    """The kernel function between rows [N, F] and support vectors [S, F]."""

    def __init__(self, kind: str, parameters: Sequence[float]) -> None:
        if kind not in ("LINEAR", "POLY", "RBF", "SIGMOID"):
            raise ValueError(f"kernel_type is '{kind}', must be LINEAR, POLY, RBF or SIGMOID")
        self._kind = kind
        self._gamma, self._offset, self._degree = parameters or (0.0, 0.0, 0.0)

    def __call__(self, x: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        if self._kind == "RBF":
            squares = np.square(x).sum(axis=1)[:, None] + np.square(vectors).sum(axis=1) - 2 * (x @ vectors.T)
            similarity: np.ndarray = np.exp(-self._gamma * np.maximum(squares, 0))
            return similarity
        product: np.ndarray = x @ vectors.T
        if self._kind == "LINEAR":
            return product
        scaled: np.ndarray = self._gamma * product + self._offset
        shaped: np.ndarray = np.tanh(scaled) if self._kind == "SIGMOID" else scaled ** int(self._degree)
        return shaped


@kernel("SVMRegressor", domain=ML)
class SvmRegressor:
    """Y [N, 1] float = sum of coefficients * kernel(X, support vectors) + rho, or its sign. Source: ONNX SVMRegressor."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        coefficients: Sequence[float] = (),
        kernel_params: Sequence[float] = (),
        kernel_type: str = "LINEAR",
        n_supports: int = 0,
        one_class: int = 0,
        post_transform: str = "NONE",
        rho: Sequence[float] = (),
        support_vectors: Sequence[float] = (),
    ) -> None:
        """Keeps the model."""
        self._similarity = _Similarity(kernel_type if n_supports else "LINEAR", kernel_params)
        self._vectors = np.array(support_vectors, np.float64).reshape(n_supports, -1) if n_supports else None
        self._coefficients = np.array(coefficients, np.float64)
        self._rho, self._one_class, self._transform = float(rho[0]), bool(one_class), post_transform

    def run(self, x: np.ndarray) -> np.ndarray:
        """Evaluates the machine."""
        rows = feature_rows(x).astype(np.float64)
        compared = rows if self._vectors is None else self._similarity(rows, self._vectors)
        scores = cast(compared @ self._coefficients + self._rho, np.dtype(np.float32))[:, None]
        return np.where(scores > 0, 1, -1) if self._one_class else transform_scores(scores, self._transform)


@kernel("SVMClassifier", domain=ML)
class SvmClassifier:
    """Labels [N] by vote of the pairwise machines, and their scores or the classes' probabilities, float.

    Source: ONNX SVMClassifier; probabilities after Wu, Lin and Weng, 2004.
    """

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        coefficients: Sequence[float],
        classlabels_ints: Sequence[int] = (),
        classlabels_strings: Sequence[str] = (),
        kernel_params: Sequence[float] = (),
        kernel_type: str = "LINEAR",
        post_transform: str = "NONE",
        prob_a: Sequence[float] = (),
        prob_b: Sequence[float] = (),
        rho: Sequence[float] = (),
        support_vectors: Sequence[float] = (),
        vectors_per_class: Sequence[int] = (),
    ) -> None:
        """Keeps the model."""
        self._labels = class_labels(classlabels_strings, classlabels_ints)
        supports = sum(vectors_per_class)
        flat = np.array(coefficients, np.float64)
        self._vectors = np.array(support_vectors, np.float64).reshape(supports, -1) if supports else None
        self._coefficients = flat.reshape(-1, supports) if supports else flat.reshape(max(len(self._labels), 1), -1)
        self._similarity = _Similarity(kernel_type if supports else "LINEAR", kernel_params)
        ends = np.cumsum(vectors_per_class).tolist()
        self._ranges = [slice(e - n, e) for e, n in zip(ends, vectors_per_class, strict=True)]
        self._rho, self._transform = np.array(rho, np.float64), post_transform
        self._sigmoids = np.array(prob_a, np.float64), np.array(prob_b, np.float64)

    def run(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Evaluates the machines."""
        rows = feature_rows(x).astype(np.float64)
        if self._vectors is None:
            scores = rows @ self._coefficients.T + self._rho[0]
            return self._labels[scores.argmax(axis=1)], transform_scores(scores.astype(np.float32), self._transform)
        scores, votes = self._duels(self._similarity(rows, self._vectors))
        labels = self._labels[votes.argmax(axis=1)]
        if self._sigmoids[0].size:
            probabilities = self._probabilities(scores)
            return labels, transform_scores(probabilities.astype(np.float32), self._transform)
        single = scores.astype(np.float32)
        if single.shape[1] == 1:
            softened = self._transform in ("SOFTMAX", "SOFTMAX_ZERO")
            return labels, second_class(single[:, 0], self._transform, is_probability=softened)
        return labels, transform_scores(single, self._transform)

    def _duels(self, similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        classes = len(self._ranges)
        pairs = list(itertools.combinations(range(classes), 2))
        scores, votes = np.empty((len(similarity), len(pairs))), np.zeros((len(similarity), classes))
        for n, (i, j) in enumerate(pairs):
            first, second = self._ranges[i], self._ranges[j]
            scores[:, n] = (
                similarity[:, first] @ self._coefficients[j - 1, first]
                + similarity[:, second] @ self._coefficients[i, second]
                + self._rho[n]
            )
            won = scores[:, n] > 0
            votes[:, i] += won
            votes[:, j] += ~won
        return scores, votes

    def _probabilities(self, scores: np.ndarray) -> np.ndarray:
        a, b = self._sigmoids
        pairwise = np.clip(sigmoid(-(scores * a + b)), 1e-7, 1 - 1e-7)
        classes = len(self._ranges)
        table = np.zeros((len(scores), classes, classes))
        for n, (i, j) in enumerate(itertools.combinations(range(classes), 2)):
            table[:, i, j], table[:, j, i] = pairwise[:, n], 1 - pairwise[:, n]
        return np.array([_couple(t) for t in table])


def _couple(pairwise: np.ndarray) -> np.ndarray:
    """Class probabilities [C] from pairwise ones [C, C], by the iteration of Wu, Lin and Weng's second method."""
    classes = len(pairwise)
    q = -pairwise.T * pairwise
    np.fill_diagonal(q, np.square(pairwise).sum(axis=0))
    p = np.full(classes, 1 / classes)
    for _ in range(max(100, classes)):
        qp = q @ p
        total = p @ qp
        if np.abs(qp - total).max() < 0.005 / classes:
            break
        for t in range(classes):
            change = (total - qp[t]) / q[t, t]
            p[t] += change
            total = (total + change * (change * q[t, t] + 2 * qp[t])) / (1 + change) ** 2
            qp = (qp + change * q[t]) / (1 + change)
            p /= 1 + change
    return p
