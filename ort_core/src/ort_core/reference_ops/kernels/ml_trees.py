"""Tree ensembles of ai.onnx.ml: TreeEnsemble, TreeEnsembleRegressor, TreeEnsembleClassifier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ort_core.ir.graph import Node
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.ml_common import ML, class_labels, feature_rows, second_class, transform_scores
from ort_core.reference_ops.kernels.ml_forest import LEAF, MEMBER, Forest, aggregate, forest_from_ids, leaf_table

_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")


def _floats(values: Sequence[float], tensor: np.ndarray | None) -> np.ndarray:
    return tensor if tensor is not None else np.array(values, np.float32)


class _Ensemble:
    """What the three have in common: a forest, and the weights of its leaves for each target.

    Attributes:
        forest: the trees.
        table: weights and presence, each [nodes, targets].
    """

    forest: Forest
    table: tuple[np.ndarray, np.ndarray]

    def scores(self, x: np.ndarray, function: str = "SUM") -> np.ndarray:
        """The aggregated weights [N, targets], in their type, of the leaves that X [N, F] ends in."""
        rows = feature_rows(x)
        if rows.dtype.kind != "f":
            rows = rows.astype(self.forest.thresholds.dtype)
        return aggregate(self.forest.leaves(rows), *self.table, function)


@kernel("TreeEnsemble", domain=ML)
class TreeEnsemble(_Ensemble):
    """Y [N, n_targets] = the leaf weights of all trees, aggregated and transformed, for X [N, F]. Source: ONNX TreeEnsemble."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        leaf_targetids: Sequence[int],
        leaf_weights: np.ndarray,
        nodes_falseleafs: Sequence[int],
        nodes_falsenodeids: Sequence[int],
        nodes_featureids: Sequence[int],
        nodes_modes: np.ndarray,
        nodes_splits: np.ndarray,
        nodes_trueleafs: Sequence[int],
        nodes_truenodeids: Sequence[int],
        tree_roots: Sequence[int],
        aggregate_function: int = 1,
        membership_values: np.ndarray | None = None,
        n_targets: int = 1,
        nodes_hitrates: np.ndarray | None = None,
        nodes_missing_value_tracks_true: Sequence[int] = (),
        post_transform: int = 0,
    ) -> None:
        """Lays the forest out, its leaves after its inner nodes."""
        inner, leaves = len(nodes_modes), len(leaf_weights)
        count = inner + leaves

        def follow(ids: Sequence[int], leads_to_leaf: Sequence[int]) -> np.ndarray:
            next_ = np.array(ids, np.int64) + np.array(leads_to_leaf, np.int64).astype(bool) * inner
            return np.concatenate([next_, np.zeros(leaves, np.int64)])

        def padded(values: Sequence[float] | np.ndarray, dtype: np.dtype | type) -> np.ndarray:
            return np.concatenate([np.asarray(values, dtype), np.zeros(leaves, dtype)])

        modes = np.concatenate([np.asarray(nodes_modes, np.uint8), np.full(leaves, LEAF, np.uint8)])
        self.forest = Forest(
            modes,
            padded(nodes_featureids, np.int64),
            padded(nodes_splits, nodes_splits.dtype),
            padded(nodes_missing_value_tracks_true if len(nodes_missing_value_tracks_true) else [0] * inner, bool),
            follow(nodes_truenodeids, nodes_trueleafs),
            follow(nodes_falsenodeids, nodes_falseleafs),
            np.array(tree_roots, np.int64),
            _member_sets(modes, membership_values),
        )
        self.forest.check()
        self.table = leaf_table(count, range(inner, count), leaf_targetids, leaf_weights, n_targets)
        self._function, self._transform = _AGGREGATES[aggregate_function], _TRANSFORMS[post_transform]

    def run(self, x: np.ndarray) -> np.ndarray:
        """Descends the trees."""
        return transform_scores(self.scores(x, self._function), self._transform)


def _member_sets(modes: np.ndarray, values: np.ndarray | None) -> dict[int, np.ndarray]:
    nodes = np.flatnonzero(modes == MEMBER)
    flat = np.zeros(0) if values is None else values.reshape(-1)
    ends = np.flatnonzero(np.isnan(flat))
    if len(ends) not in (len(nodes), len(nodes) - 1):
        raise ValueError(f"membership_values hold {len(ends)} sets for {len(nodes)} membership nodes")
    parts = np.split(flat, ends)
    return {int(node): part[~np.isnan(part)] for node, part in zip(nodes, parts, strict=False)}


@kernel("TreeEnsembleRegressor", domain=ML)
class TreeEnsembleRegressor(_Ensemble):
    """Y [N, n_targets] float = the leaf weights of all trees, aggregated, plus base values, transformed.

    Source: ONNX TreeEnsembleRegressor.
    """

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        nodes_falsenodeids: Sequence[int] = (),
        nodes_featureids: Sequence[int] = (),
        nodes_modes: Sequence[str] = (),
        nodes_nodeids: Sequence[int] = (),
        nodes_treeids: Sequence[int] = (),
        nodes_truenodeids: Sequence[int] = (),
        nodes_values: Sequence[float] = (),
        nodes_values_as_tensor: np.ndarray | None = None,
        nodes_hitrates: Sequence[float] = (),
        nodes_hitrates_as_tensor: np.ndarray | None = None,
        nodes_missing_value_tracks_true: Sequence[int] = (),
        target_ids: Sequence[int] = (),
        target_nodeids: Sequence[int] = (),
        target_treeids: Sequence[int] = (),
        target_weights: Sequence[float] = (),
        target_weights_as_tensor: np.ndarray | None = None,
        base_values: Sequence[float] = (),
        base_values_as_tensor: np.ndarray | None = None,
        aggregate_function: str = "SUM",
        n_targets: int = 1,
        post_transform: str = "NONE",
    ) -> None:
        """Lays the forest out."""
        self.forest, index = forest_from_ids(
            nodes_treeids,
            nodes_nodeids,
            nodes_modes,
            nodes_featureids,
            _floats(nodes_values, nodes_values_as_tensor),
            nodes_truenodeids,
            nodes_falsenodeids,
            nodes_missing_value_tracks_true,
        )
        entries = [index.get(key, -1) for key in zip(target_treeids, target_nodeids, strict=True)]
        weights = _floats(target_weights, target_weights_as_tensor)
        self.table = leaf_table(len(index), entries, target_ids, weights, n_targets)
        self._base = _floats(base_values, base_values_as_tensor)
        self._function, self._transform = aggregate_function, post_transform

    def run(self, x: np.ndarray) -> np.ndarray:
        """Descends the trees."""
        scores = self.scores(x, self._function)
        scores = scores + self._base if self._base.size else scores
        return transform_scores(scores, self._transform)


@kernel("TreeEnsembleClassifier", domain=ML)
class TreeEnsembleClassifier(_Ensemble):
    """Labels [N] and scores [N, classes] float from the summed leaf weights. Source: ONNX TreeEnsembleClassifier."""

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        nodes_falsenodeids: Sequence[int] = (),
        nodes_featureids: Sequence[int] = (),
        nodes_modes: Sequence[str] = (),
        nodes_nodeids: Sequence[int] = (),
        nodes_treeids: Sequence[int] = (),
        nodes_truenodeids: Sequence[int] = (),
        nodes_values: Sequence[float] = (),
        nodes_values_as_tensor: np.ndarray | None = None,
        nodes_hitrates: Sequence[float] = (),
        nodes_hitrates_as_tensor: np.ndarray | None = None,
        nodes_missing_value_tracks_true: Sequence[int] = (),
        class_ids: Sequence[int] = (),
        class_nodeids: Sequence[int] = (),
        class_treeids: Sequence[int] = (),
        class_weights: Sequence[float] = (),
        class_weights_as_tensor: np.ndarray | None = None,
        classlabels_int64s: Sequence[int] = (),
        classlabels_strings: Sequence[str] = (),
        base_values: Sequence[float] = (),
        base_values_as_tensor: np.ndarray | None = None,
        post_transform: str = "NONE",
    ) -> None:
        """Lays the forest out."""
        self.forest, index = forest_from_ids(
            nodes_treeids,
            nodes_nodeids,
            nodes_modes,
            nodes_featureids,
            _floats(nodes_values, nodes_values_as_tensor),
            nodes_truenodeids,
            nodes_falsenodeids,
            nodes_missing_value_tracks_true,
        )
        self._labels = class_labels(classlabels_strings, classlabels_int64s)
        weights = _floats(class_weights, class_weights_as_tensor)
        entries = [index.get(key, -1) for key in zip(class_treeids, class_nodeids, strict=True)]
        self.table = leaf_table(len(index), entries, class_ids, weights, max(len(self._labels), 1))
        self._base = _floats(base_values, base_values_as_tensor)
        self._one_scored = len(self._labels) <= 2 and len(set(class_ids)) == 1
        self._column = class_ids[0] if class_ids else 0
        self._all_positive = bool((weights >= 0).all())
        self._transform = post_transform

    def run(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Descends the trees."""
        scores = self.scores(x)
        if not self._one_scored:
            scores = scores + self._base if self._base.size else scores
            return self._labels[scores.argmax(axis=1)], transform_scores(scores, self._transform)
        score = scores[:, self._column] + (self._base[-1] if self._base.size else 0)
        labels = self._labels if len(self._labels) == 2 else np.array([0, *self._labels])
        label = labels[(score > (0.5 if self._all_positive else 0)).astype(np.intp)]
        if self._column == 0:
            return label, second_class(score, self._transform, is_probability=self._all_positive)
        scores[:, self._column] = score
        return label, transform_scores(scores, self._transform)
