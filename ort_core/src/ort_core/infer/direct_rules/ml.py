"""Operators of ai.onnx.ml: features, linear models, trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ort_core.infer.direct_rules.common import (
    Output,
    Rule,
    Types,
    UndecidedError,
    UnknownRankError,
    check,
    family,
    known_shape,
    like_first,
    needed_shape,
    product,
    size,
    without_shape,
)
from ort_core.ir.graph import Node
from ort_core.ir.shapes import Dim, Shape
from ort_core.ir.types import ElementType, MapType, SequenceType, TensorType

_STRING, _INT64, _FLOAT = ElementType.STRING, ElementType.INT64, ElementType.FLOAT


def _array_feature_extractor(node: Node, types: Types) -> Sequence[Output]:
    shape, indices = needed_shape(types, 0), known_shape(types, 1)
    if len(shape) == 1:
        raise UnknownRankError
    check(bool(shape))
    return ((*shape[:-1], product(indices) if indices else None),)


def _label_encoder(node: Node, types: Types) -> Sequence[Output]:
    keys, key_count = _table(node, "keys")
    values, value_count = _table(node, "values")
    default = node.attr("default_tensor")
    check(types[0] is not None and types[0].element is keys and key_count == value_count)
    check(default is None or (default.element is values and tuple(default.shape) == (1,)))
    return (TensorType(values, known_shape(types, 0)),)


def _table(node: Node, side: str) -> tuple[ElementType, int]:
    """The element type and the length of the only one of the attributes that is set."""
    given = [name for name in ("tensor", "strings", "int64s", "floats") if f"{side}_{name}" in node.attributes]
    if len(given) != 1:
        raise UndecidedError
    value = node.attr(f"{side}_{given[0]}")
    if given[0] == "tensor":
        check(len(value.shape) == 1)
        return value.element, value.shape[0]
    check(bool(value))
    return {"strings": _STRING, "int64s": _INT64, "floats": _FLOAT}[given[0]], len(value)


def _linear_classifier(node: Node, types: Types) -> Sequence[Output]:
    strings, integers = node.attr("classlabels_strings", ()), node.attr("classlabels_ints", ())
    count = len(node.attr("intercepts", ()))
    if count == 1 and len(strings or integers) == 2:
        count = 2
    shape = known_shape(types, 0)
    check(shape is None or len(shape) in (1, 2))
    batch: Dim = None if shape is None else shape[0] if len(shape) == 2 else 1
    return (TensorType(_STRING if strings else _INT64, (batch,)), (batch, count))


def _svm_classifier(node: Node, types: Types) -> Sequence[Output]:
    return (TensorType(_STRING if node.attr("classlabels_strings") else _INT64), None)


def _tree_classifier(node: Node, types: Types) -> Sequence[Output]:
    batch = _rows(node, types)
    strings, integers = node.attr("classlabels_strings"), node.attr("classlabels_int64s")
    check(bool(strings or integers))
    return (TensorType(_STRING if strings else _INT64, (batch,)), (batch, len(strings or integers)))


def _tree_regressor(node: Node, types: Types) -> Sequence[Output]:
    targets = node.attr("n_targets")
    return ((_rows(node, types), None if targets is None else size(targets)),)


def _rows(node: Node, types: Types) -> Dim:
    """The batch of a tree ensemble of version 3, none of whose attributes may be given in both of its forms."""
    check(not any(name + "_as_tensor" in node.attributes for name in node.attributes))
    shape = known_shape(types, 0)
    check(shape is None or len(shape) == 2)
    return None if shape is None else shape[0]


def _one_hot_encoder(node: Node, types: Types) -> Sequence[Output]:
    integers, strings = node.attr("cats_int64s"), node.attr("cats_strings")
    check((integers is None) != (strings is None))
    shape: Shape = needed_shape(types, 0)
    return ((*shape, len(strings if integers is None else integers)),)


def _zip_map(node: Node, types: Types) -> Sequence[Output]:
    strings, integers = node.attr("classlabels_strings"), node.attr("classlabels_int64s")
    shape = known_shape(types, 0)
    check(bool(strings or integers) and (shape is None or len(shape) in (1, 2)))
    return (SequenceType(MapType(_INT64 if integers else _STRING, TensorType(_FLOAT, ()))),)


RULES: Mapping[str, Rule] = {
    **family(
        "FeatureVectorizer Imputer LinearRegressor Normalizer SVMRegressor Scaler",
        without_shape,
    ),
    "ArrayFeatureExtractor": _array_feature_extractor,
    "Binarizer": like_first,
    "LabelEncoder": _label_encoder,
    "LinearClassifier": _linear_classifier,
    "OneHotEncoder": _one_hot_encoder,
    "SVMClassifier": _svm_classifier,
    "TreeEnsembleClassifier": _tree_classifier,
    "TreeEnsembleRegressor": _tree_regressor,
    "ZipMap": _zip_map,
}
