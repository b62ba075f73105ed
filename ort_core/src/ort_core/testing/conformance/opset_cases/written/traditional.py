"""Written cases: the domain ai.onnx.ml."""

from __future__ import annotations

import functools

import numpy as np

from ort_core.testing.conformance.opset_cases.recipe import case as any_case
from ort_core.testing.conformance.opset_cases.samples import Attributes, X, f32, floats, i64

case = functools.partial(any_case, domain="ai.onnx.ml")

EVERY = (1, 2, 3, 4, 5)
UNTIL_4 = (1, 2, 3, 4)

WORDS = np.array(["b", "x", "a"], object)
FEATURES = floats([0.1, 2], [0.9, -1], [0.4, 0.4])
LABELS: Attributes = {"classes_strings": ["a", "b"]}
NODES: Attributes = {
    "nodes_treeids": [0, 0, 0],
    "nodes_nodeids": [0, 1, 2],
    "nodes_featureids": [0, 0, 0],
    "nodes_values": [0.5, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0],
}
TREE: Attributes = {
    **NODES,
    "target_treeids": [0, 0],
    "target_nodeids": [1, 2],
    "target_ids": [0, 0],
    "target_weights": [1.0, 2.0],
    "n_targets": 1,
}
CORNERS = floats([0.25], [0.5], [0.75], [np.nan])
TWO_TREES: Attributes = {
    "nodes_treeids": [0, 0, 0, 1, 1, 1],
    "nodes_nodeids": [0, 1, 2, 0, 1, 2],
    "nodes_featureids": [0] * 6,
    "nodes_values": [0.5, 0.0, 0.0, 0.25, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"] * 2,
    "nodes_truenodeids": [1, 0, 0, 1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0, 2, 0, 0],
    "target_treeids": [0, 0, 1, 1],
    "target_nodeids": [1, 2, 1, 2],
    "target_ids": [0] * 4,
    "target_weights": [1.0, 2.0, -4.0, 8.0],
    "n_targets": 1,
}
CLASS_TREE: Attributes = {
    **NODES,
    "class_treeids": [0, 0, 0, 0],
    "class_nodeids": [1, 1, 2, 2],
    "class_ids": [0, 2, 1, 2],
    "class_weights": [0.75, 0.25, 0.5, 0.5],
    "classlabels_strings": ["p", "q", "r"],
    "out": "label scores",
}
LINEAR: Attributes = {
    "coefficients": [1.0, -0.5, 0.25, 2.0, -1.0, 0.5],
    "intercepts": [0.5, -0.25, 0.0],
    "out": "label scores",
}
SUPPORT: Attributes = {
    "kernel_type": "RBF",
    "kernel_params": [0.5, 0.0, 3.0],
    "support_vectors": [0.0, 1.0, 1.0, 0.0, -1.0, 0.5],
}

RECIPES = [
    case("ArrayFeatureExtractor", EVERY, X[0], i64(2, 0)),
    case("Binarizer", EVERY, X[0], threshold=0.25),
    case("CastMap", EVERY, {0: 0.5, 2: -1.5}, cast_to="TO_FLOAT"),
    case(
        "CastMap",
        EVERY,
        {1: "7", 3: "9"},
        cast_to="TO_INT64",
        map_form="SPARSE",
        max_map=5,
        expected=[i64([0, 7, 0, 9, 0])],
        note="sparse",
    ),
    case("CastMap", EVERY, {1: 0.5, 3: 2.5}, cast_to="TO_STRING", note="strings"),
    case("CategoryMapper", EVERY, WORDS, cats_int64s=[4, 5], cats_strings=["a", "b"], default_int64=-7),
    case("CategoryMapper", EVERY, i64(5, 6, 4), cats_int64s=[4, 5], cats_strings=["a", "b"], note="to_strings"),
    case("DictVectorizer", EVERY, {"a": 1.5, "c": 2.5}, string_vocabulary=["c", "b", "a"]),
    case("DictVectorizer", EVERY, {4: 1.5, 6: 2.5}, int64_vocabulary=[6, 5, 4], note="numbers"),
    case("FeatureVectorizer", EVERY, X[0], X[1, :, :2], inputdimensions=[4, 2]),
    case("FeatureVectorizer", EVERY, X[0], X[1], inputdimensions=[3, 5], note="cut_and_filled"),
    case("Imputer", EVERY, floats([1, -1], [-1, 4]), imputed_value_floats=[7.0, 8.0], replaced_value_float=-1.0),
    case("Imputer", EVERY, i64([1, -1], [-1, 4]), imputed_value_int64s=[7], replaced_value_int64=-1, note="int64"),
    case("LabelEncoder", 1, WORDS, default_int64=-2, **LABELS, note="strings"),
    case("LabelEncoder", 1, i64(1, 0, 7), default_string="?", **LABELS, note="numbers"),
    case("LabelEncoder", (2, 3), i64(1, 2, 5), keys_int64s=[1, 1, 2], values_strings=["p", "q", "r"]),
    case("LabelEncoder", (2, 3, 4, 5), WORDS, keys_strings=["a", "b"], values_floats=[0.5, 1.5], note="floats"),
    *(
        made
        for transform in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO")
        for made in (
            case(
                "LinearClassifier",
                EVERY,
                FEATURES,
                classlabels_ints=[7, 8, 9],
                post_transform=transform,
                **LINEAR,
                note=transform,
            ),
            case("TreeEnsembleClassifier", UNTIL_4, FEATURES, post_transform=transform, **CLASS_TREE, note=transform),
        )
    ),
    case(
        "LinearClassifier",
        EVERY,
        FEATURES,
        coefficients=[1.0, -0.5],
        intercepts=[0.25],
        classlabels_strings=["no", "yes"],
        out="label scores",
        note="binary",
    ),
    case("LinearRegressor", EVERY, FEATURES, coefficients=[1.0, -0.5, 0.25, 2.0], intercepts=[0.5, -1.0], targets=2),
    *(case("Normalizer", EVERY, FEATURES, norm=norm, note=norm) for norm in ("MAX", "L1", "L2")),
    case("OneHotEncoder", EVERY, i64(5, 4, 9), cats_int64s=[4, 5, 6]),
    case("OneHotEncoder", EVERY, WORDS, cats_strings=["a", "b"], zeros=1, note="strings"),
    case("Scaler", EVERY, X[0], offset=[0.5], scale=[2.0]),
    case("Scaler", EVERY, i64([1, 2], [3, 4]), offset=[0.5, 1.0], scale=[2.0, 0.5], note="int64"),
    case("SVMRegressor", EVERY, FEATURES, n_supports=3, coefficients=[0.5, -1.0, 2.0], rho=[0.25], **SUPPORT),
    case(
        "SVMClassifier",
        EVERY,
        FEATURES,
        classlabels_ints=[3, 5],
        vectors_per_class=[2, 1],
        coefficients=[0.5, -1.0, 2.0],
        rho=[0.25],
        out="label scores",
        **SUPPORT,
    ),
    case(
        "SVMClassifier",
        EVERY,
        f32(4, 2),
        classlabels_strings=["p", "q"],
        vectors_per_class=[2, 1],
        coefficients=[0.5, -1.0, 2.0],
        rho=[0.25],
        prob_a=[-1.5],
        prob_b=[0.1],
        out="label scores",
        note="probabilities",
        **SUPPORT,
    ),
    *(
        case(
            "SVMRegressor",
            1,
            FEATURES,
            n_supports=3,
            coefficients=[0.5, -1.0, 2.0],
            rho=[0.25],
            **{**SUPPORT, "kernel_type": kernel},
            note=kernel,
        )
        for kernel in ("LINEAR", "POLY", "SIGMOID")
    ),
    case("TreeEnsembleRegressor", UNTIL_4, floats([0.1], [0.9]), **TREE),
    *(
        case("TreeEnsembleRegressor", (1, 3), CORNERS, aggregate_function=how, base_values=[0.5], **TWO_TREES, note=how)
        for how in ("SUM", "AVERAGE", "MIN", "MAX")
    ),
    *(
        case("TreeEnsembleRegressor", (1, 3), CORNERS, **{**TREE, "nodes_modes": [mode, "LEAF", "LEAF"]}, note=mode)
        for mode in ("BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ")
    ),
    case("TreeEnsembleRegressor", (1, 3), CORNERS, nodes_missing_value_tracks_true=[1, 0, 0], **TREE, note="missing"),
    case("TreeEnsembleRegressor", (3, 4), np.array([[0.1], [0.9]], np.float64), **TREE, note="double"),
    case("ZipMap", EVERY, floats([0.25, 0.75], [0.5, 0.5]), classlabels_int64s=[3, 5]),
    case("ZipMap", EVERY, floats([0.25, 0.75]), classlabels_strings=["no", "yes"], note="strings"),
]
