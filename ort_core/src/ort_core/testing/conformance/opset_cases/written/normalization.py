"""Written cases: normalisations and Dropout."""

from __future__ import annotations

from ort_core.testing.conformance.opset_cases.recipe import case
from ort_core.testing.conformance.opset_cases.samples import IMAGE, NORM, X, f32, positive

GROUPS = (f32(2, 4, 3), positive(2), f32(2))

RECIPES = [
    case("BatchNormalization", (7, 9, 13, 14), *NORM, epsilon=1e-3),
    case("BatchNormalization", 7, X, *(positive(3, 4) for _ in range(4)), spatial=0, note="per_activation"),
    case("BatchNormalization", (7, 9, 13), *NORM, momentum=0.8, out="y mean var saved inv", note="training"),
    case("Dropout", (7, 10, 12, 13), X),
    case("Dropout", (7, 10, 12), X, out="y mask", note="mask"),
    case("GroupNormalization", (18, 20), *GROUPS, num_groups=2),
    case("GroupNormalization", 18, *GROUPS, constants=(1, 2), num_groups=2, note="constant"),
    case("GroupNormalization", 21, f32(2, 4, 3), positive(4), f32(4), num_groups=2, note="present"),
    case("InstanceNormalization", (6, 7), X, positive(3), f32(3)),
    case("MeanVarianceNormalization", (7, 8), IMAGE),
    case("MeanVarianceNormalization", 8, IMAGE, across_channels=1, note="across"),
    case("MeanVarianceNormalization", 8, IMAGE, normalize_variance=0, note="mean"),
    case("MeanVarianceNormalization", 8, IMAGE, normalize_variance=0, across_channels=1, note="mean_across"),
    case("MeanVarianceNormalization", (9, 13), IMAGE, axes=[1, 2]),
    case("LRN", (7, 13), IMAGE, size=3),
    case("LayerNormalization", (12, 17), X, f32(4), f32(4)),
    case("BatchNormalization", (7, 9, 14), f32(4, 3), *NORM[1:], note="matrix"),
    case("BatchNormalization", 7, f32(4, 3), *(positive(3) for _ in range(4)), spatial=0, note="matrix_per_activation"),
    case("BatchNormalization", (14, 15), *NORM, training_mode=1, momentum=0.7, out="y mean var", note="train"),
    case("MeanVarianceNormalization", (9, 13), IMAGE, note="default"),
]
