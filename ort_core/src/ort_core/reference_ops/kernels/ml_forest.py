"""Decision forests as arrays, descended for all rows and trees at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

LEQ, LT, GTE, GT, EQ, NEQ, MEMBER, LEAF = range(8)
MODES = {
    "BRANCH_LEQ": LEQ,
    "BRANCH_LT": LT,
    "BRANCH_GTE": GTE,
    "BRANCH_GT": GT,
    "BRANCH_EQ": EQ,
    "BRANCH_NEQ": NEQ,
    "BRANCH_MEMBER": MEMBER,
    "LEAF": LEAF,
}
_COMPARISONS = {
    LEQ: np.less_equal,
    LT: np.less,
    GTE: np.greater_equal,
    GT: np.greater,
    EQ: np.equal,
    NEQ: np.not_equal,
}


@dataclass(slots=True)
class Forest:
    """Nodes of all trees; a leaf has mode `LEAF`.

    Attributes:
        modes, features, thresholds: what an inner node tests.
        missing_true: whether NaN takes the true branch.
        true_next, false_next: where the branches lead.
        roots: the first node of each tree.
        members: the sets of the `MEMBER` nodes.
    """

    modes: np.ndarray
    features: np.ndarray
    thresholds: np.ndarray
    missing_true: np.ndarray
    true_next: np.ndarray
    false_next: np.ndarray
    roots: np.ndarray
    members: dict[int, np.ndarray] = field(default_factory=dict)

    def check(self) -> None:
        """Raises ValueError if an index leads nowhere."""
        inner = self.modes != LEAF
        for name, index in (("true", self.true_next[inner]), ("false", self.false_next[inner]), ("root", self.roots)):
            if index.size and (index.min() < 0 or index.max() >= len(self.modes)):
                raise ValueError(f"a {name} node index is outside the {len(self.modes)} nodes")

    def leaves(self, x: np.ndarray) -> np.ndarray:
        """The leaf [N, trees] that each row of `x` [N, F] ends in.

        Raises:
            ValueError: a feature does not exist, or the nodes form a cycle.
        """
        inner = self.modes != LEAF
        if inner.any() and (self.features[inner].min() < 0 or self.features[inner].max() >= x.shape[1]):
            raise ValueError(f"the trees test feature {self.features[inner].max()} of inputs with {x.shape[1]}")
        place = np.tile(self.roots, (len(x), 1))
        rows, trees = np.nonzero(inner[place])
        for _ in range(len(self.modes) + 1):
            if not rows.size:
                return place
            node = place[rows, trees]
            value = x[rows, self.features[node]]
            place[rows, trees] = np.where(self._test(node, value), self.true_next[node], self.false_next[node])
            still = inner[place[rows, trees]]
            rows, trees = rows[still], trees[still]
        raise ValueError("the nodes of a tree form a cycle")

    def _test(self, node: np.ndarray, value: np.ndarray) -> np.ndarray:
        result: np.ndarray = np.isnan(value) & self.missing_true[node]
        modes = self.modes[node]
        for mode in np.unique(modes):
            chosen = modes == mode
            if mode == MEMBER:
                found = [v in self.members[n] for n, v in zip(node[chosen].tolist(), value[chosen], strict=True)]
                result[chosen] |= np.array(found, bool)
            else:
                result[chosen] |= _COMPARISONS[int(mode)](value[chosen], self.thresholds[node[chosen]])
        return result


def forest_from_ids(
    tree_ids: Sequence[int],
    node_ids: Sequence[int],
    modes: Sequence[str],
    features: Sequence[int],
    thresholds: np.ndarray,
    true_ids: Sequence[int],
    false_ids: Sequence[int],
    missing_true: Sequence[int],
) -> tuple[Forest, dict[tuple[int, int], int]]:
    """The forest of TreeEnsembleClassifier and TreeEnsembleRegressor, and the index of each (tree id, node id).

    Raises:
        ValueError: the attributes do not fit each other.
    """
    keys = list(zip(tree_ids, node_ids, strict=True))
    index = {key: i for i, key in enumerate(keys)}
    count = len(keys)
    lengths = {len(modes), len(features), len(thresholds), len(true_ids), len(false_ids), count}
    if len(lengths) != 1 or len(index) != count or len(missing_true) not in (0, count):
        raise ValueError("the attributes nodes_* must have one entry for each node, with distinct ids")
    if unknown := set(modes) - MODES.keys():
        raise ValueError(f"node mode '{min(unknown)}' is unknown, must be one of {', '.join(MODES)}")
    codes = np.array([MODES[m] for m in modes], np.uint8)
    inner = codes != LEAF

    def follow(ids: Sequence[int]) -> np.ndarray:
        return np.array(
            [index.get((t, i), -1) if b else 0 for t, i, b in zip(tree_ids, ids, inner, strict=True)], np.int64
        )

    true_next, false_next = follow(true_ids), follow(false_ids)
    targets = set(true_next[inner].tolist()) | set(false_next[inner].tolist())
    roots: dict[int, int] = {}
    for i, tree in enumerate(tree_ids):
        if i not in targets or tree not in roots:
            roots.setdefault(tree, i)
    forest = Forest(
        codes,
        np.array(features, np.int64),
        thresholds,
        np.array(missing_true, bool) if len(missing_true) else np.zeros(count, bool),
        true_next,
        false_next,
        np.array([roots[t] for t in sorted(roots)], np.int64),
    )
    forest.check()
    return forest, index


def aggregate(leaves: np.ndarray, weights: np.ndarray, present: np.ndarray, function: str) -> np.ndarray:
    """The sums (or means, minima, maxima) [N, targets] over trees of the weights [nodes, targets] of `leaves` [N, trees].

    A minimum or maximum is over the weights that are `present`, and 0 where none is.

    Raises:
        ValueError: the function is unknown.
    """
    shape = (len(leaves), weights.shape[1])
    if function in ("MIN", "MAX"):
        reduce, start = (np.minimum, np.inf) if function == "MIN" else (np.maximum, -np.inf)
        total, seen = np.full(shape, start, weights.dtype), np.zeros(shape, bool)
        for leaf in leaves.T:
            reduce(total, np.where(present[leaf], weights[leaf], start), out=total)
            seen |= present[leaf]
        return np.where(seen, total, 0).astype(weights.dtype)
    if function not in ("SUM", "AVERAGE"):
        raise ValueError(f"aggregate_function is '{function}', must be SUM, AVERAGE, MIN or MAX")
    total = np.zeros(shape, weights.dtype)
    for leaf in leaves.T:
        total += weights[leaf]
    return total / leaves.shape[1] if function == "AVERAGE" else total


def leaf_table(
    count: int, entries: Sequence[int], targets: Sequence[int], values: np.ndarray, n_targets: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and presence [nodes, targets] from parallel lists of node index, target and weight.

    Raises:
        ValueError: an entry is outside the table.
    """
    if len(entries) != len(targets) or len(values) != len(entries):
        raise ValueError("leaf nodes, targets and weights must be equally many")
    if len(entries) and (min(entries) < 0 or min(targets) < 0 or max(targets) >= n_targets):
        raise ValueError(f"a leaf refers to an unknown node or to a target outside 0 to {n_targets - 1}")
    weights, present = np.zeros((count, n_targets), values.dtype), np.zeros((count, n_targets), bool)
    np.add.at(weights, (np.asarray(entries, np.intp), np.asarray(targets, np.intp)), values)
    present[np.asarray(entries, np.intp), np.asarray(targets, np.intp)] = True
    return weights, present
