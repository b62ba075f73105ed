"""Linear models and features of ai.onnx.ml against the reference provider."""

import numpy as np
import pytest
from onnx import TensorProto
from parity_session import REJECTIONS, assert_parity, run_native

ML = "ai.onnx.ml"
FLOAT = {0: TensorProto.FLOAT}
FEATURES = [np.dtype(t) for t in (np.float32, np.float64, np.int64, np.int32)]
SHAPES = [(5, 7), (1, 7), (7,), (0, 7)]
TRANSFORMS = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"]


def features(shape, dtype):
    return (np.random.default_rng(0).standard_normal(shape) * 5).astype(dtype)


def floats(n):
    return np.random.default_rng(n).standard_normal(n).tolist()


@pytest.mark.parametrize("dtype", FEATURES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_features_are_scaled_normalized_and_binarized(dtype, shape):
    x = features(shape, dtype)
    for n in (1, 7):
        assert_parity("Scaler", [x], domain=ML, types=FLOAT, offset=floats(n), scale=floats(n))
    for norm in ("MAX", "L1", "L2"):
        assert_parity("Normalizer", [x], domain=ML, types=FLOAT, norm=norm)
    assert_parity("Binarizer", [x], domain=ML, threshold=0.5)


@pytest.mark.parametrize("dtype", FEATURES, ids=str)
@pytest.mark.parametrize("targets", [1, 3, 70])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_linear_regressors_make_scores(dtype, targets, transform):
    for shape in SHAPES:
        inputs = [features(shape, dtype)]
        attributes = {"coefficients": floats(7 * targets), "targets": targets, "post_transform": transform}
        assert_parity("LinearRegressor", inputs, domain=ML, types=FLOAT, tolerance=1e-4, **attributes)
        assert_parity(
            "LinearRegressor", inputs, domain=ML, types=FLOAT, tolerance=1e-4, intercepts=floats(targets), **attributes
        )


@pytest.mark.parametrize("dtype", FEATURES, ids=str)
@pytest.mark.parametrize("labels", [[4], [3, 9], [5, 2, 7], list(range(70, 0, -1))], ids=len)
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_linear_classifiers_name_the_class_with_the_largest_score(dtype, labels, transform):
    classes = 1 if len(labels) <= 2 else len(labels)
    types = {0: TensorProto.INT64, 1: TensorProto.FLOAT}
    attributes = {"coefficients": floats(7 * classes), "classlabels_ints": labels, "post_transform": transform}
    for shape in SHAPES:
        for intercepts in ({}, {"intercepts": floats(classes)}):
            inputs = [features(shape, dtype)]
            assert_parity(
                "LinearClassifier",
                inputs,
                domain=ML,
                outputs=(0, 1),
                types=types,
                tolerance=1e-4,
                **attributes,
                **intercepts,
            )


@pytest.mark.parametrize("dtype", FEATURES, ids=str)
def test_missing_values_are_imputed(dtype):
    x = np.array([[1, 0, 3], [0, 2, 0]], dtype)
    kind, suffix = ("floats", "float") if dtype.kind == "f" else ("int64s", "int64")
    for values in ([7, 8, 9], [4]):
        given = [float(v) for v in values] if dtype.kind == "f" else values
        replaced = {f"replaced_value_{suffix}": 0.0 if dtype.kind == "f" else 0}
        assert_parity("Imputer", [x], domain=ML, **{f"imputed_value_{kind}": given}, **replaced)


def test_nan_is_imputed():
    x = np.array([[np.nan, 1.0]], np.float32)
    assert_parity("Imputer", [x], domain=ML, imputed_value_floats=[7.0], replaced_value_float=float("nan"))


@pytest.mark.parametrize("dtype", FEATURES, ids=str)
def test_features_are_chosen_and_joined(dtype):
    x = features((4, 3), dtype)
    for indices in ([0, 2], [[1, 1, 0]]):
        assert_parity("ArrayFeatureExtractor", [x, np.array(indices)], domain=ML)
    assert_parity("ArrayFeatureExtractor", [x[0], np.array([2])], domain=ML)
    assert_parity("FeatureVectorizer", [x, x[:, :2], x], domain=ML, types=FLOAT, inputdimensions=[3, 1, 5])


@pytest.mark.parametrize("index", [-1, 3])
def test_features_that_are_not_there_are_rejected(index):
    with pytest.raises(REJECTIONS, match=str(index)):
        run_native("ArrayFeatureExtractor", [features((2, 3), np.float32), np.array([index])], domain=ML)


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("Scaler", {"offset": [1.0, 2.0], "scale": [1.0, 2.0]}),
        ("Scaler", {"offset": [1.0], "scale": [1.0, 2.0]}),
        ("Normalizer", {"norm": "L3"}),
        ("LinearRegressor", {"coefficients": [1.0, 2.0]}),
        ("LinearRegressor", {"coefficients": [1.0] * 7, "intercepts": [1.0, 2.0]}),
        ("LinearRegressor", {"coefficients": [1.0] * 7, "post_transform": "EXP"}),
    ],
)
def test_models_that_do_not_fit_are_rejected(op, attributes):
    with pytest.raises(REJECTIONS):
        run_native(op, [features((2, 7), np.float32)], domain=ML, types=FLOAT, **attributes)
