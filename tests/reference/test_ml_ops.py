import math

import numpy as np
import pytest
from reference_helpers import ML, f32, i64, noise, run, run_all, strings

from ort_core.errors import InvalidGraph, RuntimeException

STUMP = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [1, 0, 0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
}


def regress(x, **attributes):
    leaves = {"target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 0], "target_weights": [10.0, 20.0]}
    return run("TreeEnsembleRegressor", x, domain=ML, **(STUMP | leaves | attributes))


def random_forest(trees: int, depth: int, seed: int = 0):
    """Attributes of complete trees over 4 features, with every kind of comparison."""
    rng = np.random.default_rng(seed)
    nodes = 2 ** (depth + 1) - 1
    inner = nodes // 2
    modes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
    order = [(t, n) for t in range(trees) for n in range(nodes)]
    return {
        "nodes_treeids": [t for t, _ in order],
        "nodes_nodeids": [n for _, n in order],
        "nodes_featureids": rng.integers(0, 4, len(order)).tolist(),
        "nodes_modes": [modes[rng.integers(6)] if n < inner else "LEAF" for _, n in order],
        "nodes_values": rng.integers(-2, 3, len(order)).astype(float).tolist(),
        "nodes_truenodeids": [2 * n + 1 if n < inner else 0 for _, n in order],
        "nodes_falsenodeids": [2 * n + 2 if n < inner else 0 for _, n in order],
        "nodes_missing_value_tracks_true": rng.integers(0, 2, len(order)).tolist(),
    }, [(t, n) for t, n in order if n >= inner]


def descend(forest, row, tree):
    """The leaf of one tree, followed node by node."""
    compare = {
        "LEQ": np.less_equal, "LT": np.less, "GTE": np.greater_equal, "GT": np.greater, "EQ": np.equal, "NEQ": np.not_equal,
    }  # fmt: skip
    at = {key: i for i, key in enumerate(zip(forest["nodes_treeids"], forest["nodes_nodeids"], strict=True))}
    i = at[tree, 0]
    while forest["nodes_modes"][i] != "LEAF":
        value = row[forest["nodes_featureids"][i]]
        test = compare[forest["nodes_modes"][i].removeprefix("BRANCH_")](value, np.float32(forest["nodes_values"][i]))
        missing = np.isnan(value) and forest["nodes_missing_value_tracks_true"][i]
        i = at[tree, forest["nodes_truenodeids" if test or missing else "nodes_falsenodeids"][i]]
    return forest["nodes_nodeids"][i]


@pytest.mark.parametrize("function", ["SUM", "AVERAGE", "MIN", "MAX"])
def test_forest_regression_equals_following_each_tree(function: str) -> None:
    forest, leaves = random_forest(trees=3, depth=3)
    weights = np.random.default_rng(1).standard_normal(len(leaves)).astype(np.float32)
    rows = np.random.default_rng(2).integers(-2, 3, (20, 4)).astype(np.float32)
    rows[::5, 2] = np.nan
    result = run(
        "TreeEnsembleRegressor", rows, domain=ML, **forest, aggregate_function=function, base_values=[1.0],
        target_treeids=[t for t, _ in leaves], target_nodeids=[n for _, n in leaves],
        target_ids=[0] * len(leaves), target_weights=weights.tolist(),
    )  # fmt: skip
    weight_of = dict(zip(leaves, weights, strict=True))
    combine = {"SUM": np.sum, "AVERAGE": np.mean, "MIN": np.min, "MAX": np.max}[function]
    expected = [1 + combine([weight_of[t, descend(forest, row, t)] for t in range(3)]) for row in rows]
    np.testing.assert_allclose(result[:, 0], expected, rtol=1e-5)


def test_regression_of_integers_and_doubles_returns_floats() -> None:
    assert regress(i64([0, 0], [0, 1])).tolist() == [[10], [20]]
    assert regress(np.float64([[0, 0.6]]), types=(np.float32,)).dtype == np.float32


def test_tensor_attributes_give_double_thresholds() -> None:
    edge = np.float64([[0, 0.1]])
    assert regress(edge, nodes_values_as_tensor=np.float64([0.1, 0, 0]), nodes_values=None).tolist() == [[10]]


def test_multiclass_trees_label_the_largest_sum() -> None:
    classes = {
        "class_treeids": [0, 0, 0],
        "class_nodeids": [1, 2, 2],
        "class_ids": [0, 1, 2],
        "class_weights": [1.0, 0.4, 0.6],
    }
    labels, scores = run_all(
        "TreeEnsembleClassifier", f32([0, 0], [0, 1]), outputs=2, domain=ML, **STUMP, **classes,
        classlabels_strings=["a", "b", "c"], types=(object, np.float32),
    )  # fmt: skip
    assert labels.tolist() == ["a", "c"]
    np.testing.assert_allclose(scores, [[1, 0, 0], [0, 0.4, 0.6]], rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "transform", "expected_labels", "expected"),
    [
        ([0.2, 0.8], "NONE", [3, 7], [[0.8, 0.2], [0.2, 0.8]]),
        ([-1.0, 2.0], "NONE", [3, 7], [[1, -1], [-2, 2]]),
        ([-1.0, 2.0], "LOGISTIC", [3, 7], [[0.7310586, 0.26894143], [0.11920292, 0.88079708]]),
    ],
)
def test_binary_trees_score_both_classes_from_one_sum(weights, transform, expected_labels, expected) -> None:
    classes = {"class_treeids": [0, 0], "class_nodeids": [1, 2], "class_ids": [0, 0], "class_weights": weights}
    labels, scores = run_all(
        "TreeEnsembleClassifier", f32([0, 0], [0, 1]), outputs=2, domain=ML, **STUMP, **classes,
        classlabels_int64s=[3, 7], post_transform=transform,
    )  # fmt: skip
    assert labels.tolist() == expected_labels
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_tree_ensemble_of_opset_5_tests_set_membership() -> None:
    result = run(
        "TreeEnsemble", f32([1.0], [3.0], [4.0]), domain=ML, n_targets=2,
        nodes_modes=np.uint8([6]), nodes_splits=f32(0), nodes_featureids=[0], membership_values=f32(1, 3, np.nan),
        nodes_truenodeids=[0], nodes_trueleafs=[1], nodes_falsenodeids=[1], nodes_falseleafs=[1],
        leaf_targetids=[0, 1], leaf_weights=f32(5, 6), tree_roots=[0],
    )  # fmt: skip
    assert result.tolist() == [[5, 0], [5, 0], [0, 6]]


def test_trees_that_form_a_cycle_are_refused_not_followed() -> None:
    loop = {
        "nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF"],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [1, 0, 0],
    }
    with pytest.raises(RuntimeException, match="cycle"):
        regress(f32([0, 0]), **loop)


def test_trees_that_test_unknown_features_are_refused() -> None:
    with pytest.raises(RuntimeException, match="feature 1 of inputs with 1"):
        regress(f32([0]))


@pytest.mark.parametrize(
    "damage",
    [
        {"nodes_truenodeids": [9, 0, 0]},
        {"nodes_modes": ["BRANCH_XX", "LEAF", "LEAF"]},
        {"nodes_values": [0.5]},
        {"target_nodeids": [1, 9]},
        {"target_ids": [0, 3]},
    ],
)
def test_damaged_trees_are_found_when_binding(damage) -> None:
    with pytest.raises(InvalidGraph, match="cannot be prepared"):
        regress(f32([0, 0]), **damage)


def test_linear_classifier() -> None:
    x, weights = f32([1, 2], [-1, 0]), [1.0, 0.0, 0.0, 1.0, -1.0, -1.0]
    labels, scores = run_all(
        "LinearClassifier", x, outputs=2, domain=ML, coefficients=weights, intercepts=[0.0, 0.5, 0.0],
        classlabels_strings=["a", "b", "c"], types=(object, np.float32),
    )  # fmt: skip
    assert labels.tolist() == ["b", "c"]
    np.testing.assert_allclose(scores, [[1, 2.5, -3], [-1, 0.5, 1]], rtol=1e-6)


@pytest.mark.parametrize(
    ("transform", "expected"),
    [("NONE", [[0.75, 0.25], [1.5, -0.5]]), ("LOGISTIC", [[0.4378235, 0.5621765], [0.62245935, 0.37754068]])],
)
def test_linear_classifier_of_one_score(transform: str, expected) -> None:
    labels, scores = run_all(
        "LinearClassifier", f32([1], [-2]), outputs=2, domain=ML, coefficients=[0.25], classlabels_ints=[3, 7],
        post_transform=transform,
    )  # fmt: skip
    assert labels.tolist() == [7, 3]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_scaling_returns_floats_of_any_number(dtype) -> None:
    x = np.array([[1, 2], [3, 4]], dtype)
    scaled = run("Scaler", x, domain=ML, offset=[0.5, 1.0], scale=[2.0, 0.5])
    assert (scaled.dtype, scaled.tolist()) == (np.float32, [[1, 0.5], [5, 1.5]])
    regressed = run("LinearRegressor", x, domain=ML, coefficients=[0.5, 0.25], intercepts=[1.0])
    assert (regressed.dtype, regressed.tolist()) == (np.float32, [[2], [3.5]])
    assert run("Normalizer", x, domain=ML, norm="L1").dtype == np.float32


def test_normalizer_leaves_zero_rows_alone() -> None:
    x = f32([3, -4], [0, 0])
    for norm, expected in (("L1", [3 / 7, -4 / 7]), ("L2", [0.6, -0.8]), ("MAX", [1, -4 / 3])):
        result = run("Normalizer", x, domain=ML, norm=norm)
        np.testing.assert_allclose(result, [expected, [0, 0]], rtol=1e-6)


def test_support_vector_regression() -> None:
    x, vectors = noise(5, 3), noise(2, 3, seed=1)
    rbf = np.exp(-0.5 * np.square(x[:, None] - vectors).sum(-1)) @ [2.0, -1.0] + 0.25
    settings = {
        "coefficients": [2.0, -1.0],
        "rho": [0.25],
        "n_supports": 2,
        "support_vectors": vectors.ravel().tolist(),
    }
    result = run("SVMRegressor", x, domain=ML, kernel_type="RBF", kernel_params=[0.5, 0.0, 3.0], **settings)
    np.testing.assert_allclose(result[:, 0], rbf, rtol=1e-5)
    signs = run("SVMRegressor", x, domain=ML, kernel_type="RBF", kernel_params=[0.5, 0.0, 3.0], one_class=1,
                types=(np.float32,), **settings)  # fmt: skip
    assert signs[:, 0].tolist() == np.sign(rbf).tolist()


def test_support_vector_classification_equals_scikit_learn() -> None:
    svm = pytest.importorskip("sklearn.svm")
    x = noise(60, 3)
    y = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)
    model = svm.SVC(kernel="rbf", gamma=0.4).fit(x, y)
    labels, scores = run_all(
        "SVMClassifier", x, outputs=2, domain=ML, kernel_type="RBF", kernel_params=[0.4, 0.0, 3.0],
        coefficients=model.dual_coef_.ravel().tolist(), support_vectors=model.support_vectors_.ravel().tolist(),
        rho=model.intercept_.tolist(), vectors_per_class=model.n_support_.tolist(), classlabels_ints=[10, 11, 12],
        types=(np.int64, np.float32),
    )  # fmt: skip
    assert labels.tolist() == (10 + model.predict(x)).tolist()
    model.decision_function_shape = "ovo"
    np.testing.assert_allclose(scores, model.decision_function(x), rtol=1e-3, atol=1e-4)


def test_coupled_probabilities_sum_to_one_and_follow_the_votes() -> None:
    labels, scores = run_all(
        "SVMClassifier", f32([0.0], [3.0], [6.0]), outputs=2, domain=ML, kernel_type="LINEAR", kernel_params=[0.0, 0.0, 0.0],
        coefficients=[-1.0, 1.0, 0.0, -1.0, 0.0, 1.0], support_vectors=[1.0, -1.0, 1.0], vectors_per_class=[1, 1, 1],
        rho=[3.0, 6.0, 9.0], prob_a=[-1.0, -1.0, -1.0], prob_b=[0.0, 0.0, 0.0], classlabels_strings=["a", "b", "c"],
        types=(object, np.float32),
    )  # fmt: skip
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-4)
    assert labels[0] == ["a", "b", "c"][scores[0].argmax()]


def test_label_encoder_finds_nan_and_takes_the_first_of_equal_keys() -> None:
    x = f32(1, np.nan, 5)
    attributes = {"keys_floats": [1.0, math.nan, 1.0], "values_strings": ["a", "b", "c"], "default_string": "?"}
    assert run("LabelEncoder", x, domain=ML, **attributes).tolist() == ["a", "b", "?"]


def test_label_encoder_with_tensors() -> None:
    result = run(
        "LabelEncoder", strings("a", "z"), domain=ML, keys_tensor=strings("a", "b"), values_tensor=np.int16([3, 4]),
        default_tensor=np.int16([9]),
    )  # fmt: skip
    assert (result.dtype, result.tolist()) == (np.int16, [3, 9])


def test_category_mapper_goes_both_ways() -> None:
    cats = {"cats_int64s": [1, 2], "cats_strings": ["one", "two"]}
    assert run("CategoryMapper", strings("two", "six"), domain=ML, **cats).tolist() == [2, -1]
    assert run("CategoryMapper", i64(1, 6), domain=ML, **cats).tolist() == ["one", "_Unused"]


def test_zip_map_makes_plain_dictionaries() -> None:
    result = run("ZipMap", f32([0.25, 0.75]), domain=ML, classlabels_strings=["no", "yes"])
    assert result == [{"no": 0.25, "yes": 0.75}]
    assert type(result[0]["no"]) is float


def test_maps_become_rows() -> None:
    row = {3: 1.5, 1: 2.0}
    assert run("CastMap", row, domain=ML).tolist() == [[2, 1.5]]
    assert run("CastMap", row, domain=ML, map_form="SPARSE", max_map=4, cast_to="TO_INT64").tolist() == [[0, 2, 0, 1]]
    assert run("CastMap", {0: "1.5"}, domain=ML).tolist() == [[1.5]]
    assert run("DictVectorizer", row, domain=ML, int64_vocabulary=[1, 2, 3], types=(np.float32,)).tolist() == [
        [2, 0, 1.5]
    ]


def test_class_labels_must_fit_the_scores() -> None:
    with pytest.raises(RuntimeException, match="3 class labels do not fit"):
        run("ZipMap", f32([0.25, 0.75]), domain=ML, classlabels_int64s=[1, 2, 3])
