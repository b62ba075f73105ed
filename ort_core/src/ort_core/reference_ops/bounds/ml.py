"""Sizes of the outputs of ai.onnx.ml and of the training operators."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ort_core.ir.graph import Node
from ort_core.reference_ops.bounds.rules import counts, map_bytes, nbytes, total_bytes

_ML = "ai.onnx.ml"


def _rows(x: np.ndarray) -> int:
    return x.shape[0] if x.ndim > 1 else 1


def _labels(node: Node) -> int:
    return max(len(node.attr(name) or ()) for name in ("classlabels_strings", "classlabels_int64s", "classlabels_ints"))


@counts("Binarizer", "CategoryMapper", "Imputer", "LabelEncoder", "Normalizer", "Scaler", domain=_ML)
def as_first_input(node: Node, x: np.ndarray) -> int:
    """Y is as large as X."""
    return x.size


@counts("ArrayFeatureExtractor", domain=_ML)
def array_feature_extractor(node: Node, x: np.ndarray, indices: np.ndarray) -> int:
    """Y [..., the number of indices]."""
    return math.prod(x.shape[:-1]) * indices.size


@counts("OneHotEncoder", domain=_ML)
def one_hot_encoder(node: Node, x: np.ndarray) -> int:
    """A number for each category of each element."""
    return x.size * len(node.attr("cats_strings") or node.attr("cats_int64s") or ())


@counts("FeatureVectorizer", domain=_ML)
def feature_vectorizer(node: Node, *inputs: np.ndarray) -> int:
    """As many features of each input as `inputdimensions` says."""
    return max(map(_rows, inputs)) * int(sum(node.attr("inputdimensions") or (x.shape[-1] for x in inputs)))


@counts("CastMap", domain=_ML)
def cast_map(node: Node, x: Mapping[int, Any]) -> int:
    """Y [1, max_map], or one number for each entry."""
    return int(node.attr("max_map", 1)) if node.attr("map_form") == "SPARSE" else len(x)


@counts("DictVectorizer", domain=_ML)
def dict_vectorizer(node: Node, x: Mapping[Any, Any]) -> int:
    """Y [1, the size of the vocabulary]."""
    return len(node.attr("string_vocabulary") or node.attr("int64_vocabulary") or ())


@total_bytes("ZipMap", domain=_ML)
def zip_map(node: Node, x: np.ndarray) -> int:
    """A map of all labels for each row."""
    return map_bytes(x.size)


@counts("LinearClassifier", "TreeEnsembleClassifier", domain=_ML)
def classifier(node: Node, x: np.ndarray) -> tuple[int, int]:
    """A label and the scores of all classes, at least two, for each row."""
    return _rows(x), _rows(x) * max(2, _labels(node), len(node.attr("intercepts") or ()))


@counts("SVMClassifier", domain=_ML)
def svm_classifier(node: Node, x: np.ndarray) -> tuple[int, int]:
    """A label, and a score for each class or pair of classes, for each row."""
    classes = max(2, _labels(node))
    return _rows(x), _rows(x) * max(classes, classes * (classes - 1) // 2)


@counts("LinearRegressor", domain=_ML)
def linear_regressor(node: Node, x: np.ndarray) -> int:
    """Y [N, targets]."""
    return _rows(x) * int(node.attr("targets", 1))


@counts("SVMRegressor", domain=_ML)
def svm_regressor(node: Node, x: np.ndarray) -> int:
    """Y [N, 1]."""
    return _rows(x)


@counts("TreeEnsemble", "TreeEnsembleRegressor", domain=_ML)
def tree_ensemble(node: Node, x: np.ndarray) -> int:
    """Y [N, n_targets]."""
    return _rows(x) * int(node.attr("n_targets", 1))


@total_bytes("Adagrad", "Adam", "Momentum", domain="ai.onnx.preview.training")
def optimizer(node: Node, *inputs: np.ndarray) -> int:
    """At most the tensors and their state."""
    return sum(map(nbytes, inputs))
