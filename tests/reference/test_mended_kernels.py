"""Operators that `onnx.reference` does not compute, or not for all that the standard allows."""

from __future__ import annotations

import numpy as np
import pytest
from reference_helpers import f32, i64, noise, run, run_all, strings

from ort_core.errors import OutOfMemory, RuntimeException

NAN, INF = np.nan, np.inf


def test_softsign_of_a_scalar() -> None:
    assert run("Softsign", np.array(1, np.float32)).tolist() == 0.5


@pytest.mark.parametrize("axis", [np.array(1), i64(1), i64(-1), np.int32([1])])
def test_running_sums_take_the_axis_as_a_scalar_or_one_element(axis: np.ndarray) -> None:
    x = f32([1, 2, 3])
    assert run("CumSum", x, axis).tolist() == [[1, 3, 6]]
    assert run("CumSum", x, axis, exclusive=1, reverse=1).tolist() == [[5, 3, 0]]
    assert run("CumProd", x, axis, exclusive=1).tolist() == [[1, 1, 2]]


def test_running_products_of_integers_wrap_around() -> None:
    assert run("CumProd", np.int8([100, 2, 2]), np.array(0), types=(np.int8,)).tolist() == [100, -56, -112]


@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("rank", [2, 3])
def test_pixels_outside_do_not_spread_what_the_border_has(mode: str, rank: int) -> None:
    if rank == 3 and mode == "cubic":
        return
    x = np.full((1, 1, *(3,) * rank), INF, np.float32)
    x[0, 0, 1] = 1
    outside = np.full((1, *(1,) * rank, rank), 3.0, np.float32)
    assert run("GridSample", x, outside, mode=mode).item() == 0


def test_deformed_convolution_far_outside_is_zero_whatever_the_border_has() -> None:
    x = np.full((1, 1, 3, 3), NAN, np.float32)
    offset = np.full((1, 2, 3, 3), 100, np.float32)
    assert run("DeformConv", x, np.ones((1, 1, 1, 1), np.float32), offset).tolist() == np.zeros((1, 1, 3, 3)).tolist()


def test_image_samples_of_integers_keep_their_fractions_until_the_end() -> None:
    x = np.int32([[[[0, 10], [20, 30]]]])
    centre = np.zeros((1, 1, 1, 2), np.float32)
    assert run("GridSample", x, centre, types=(np.int32,)).item() == 15


def test_ignored_targets_do_not_count_in_the_mean() -> None:
    x = np.log(f32([0.25, 0.75], [0.5, 0.5], [0.5, 0.5]))
    loss = run("NegativeLogLikelihoodLoss", x, i64(0, -1, -1), ignore_index=-1, types=(np.float32,))
    np.testing.assert_allclose(loss, -np.log(0.25), rtol=1e-6)


def test_statistics_of_half_precision_batches_keep_the_precision_of_their_type() -> None:
    x = noise(4, 2, 3, 3).astype(np.float16)
    mean, var = f32(0, 0), f32(1, 1)
    scale = np.float16([1, 1])
    _, running_mean, running_var = run_all("BatchNormalization", x, scale, scale, mean, var, outputs=3, training_mode=1)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(running_mean, wide.mean(axis=(0, 2, 3)) * 0.1, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(running_var, 0.9 + wide.var(axis=(0, 2, 3)) * 0.1, rtol=1e-4)


def test_normalisation_over_chosen_axes_in_double_precision() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    y = run("MeanVarianceNormalization", x, axes=[0, -1])
    exact = (x - x.mean(axis=(0, 2), keepdims=True)) / x.std(axis=(0, 2), keepdims=True)
    np.testing.assert_allclose(y, exact, rtol=1e-7)


def test_text_without_parts_keeps_its_shape() -> None:
    y, counts = run_all("StringSplit", np.empty((2, 0), object), outputs=2)
    assert (y.shape, counts.shape) == ((2, 0, 0), (2, 0))
    y, counts = run_all("StringSplit", strings("  ", " a  b "), outputs=2)
    assert (y.tolist(), counts.tolist()) == ([["", ""], ["a", "b"]], [0, 2])


def test_ngrams_in_one_column_add_up() -> None:
    options = {"max_gram_length": 1, "min_gram_length": 1, "max_skip_count": 0, "ngram_counts": [0], "mode": "TFIDF"}
    y = run(
        "TfIdfVectorizer",
        strings("a", "b", "a"),
        pool_strings=["a", "b"],
        ngram_indexes=[1, 1],
        weights=[2.0, 5.0],
        **options,
    )
    assert y.tolist() == [0, 9]


def test_reversed_sequences_by_time_and_batch() -> None:
    x = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert run("ReverseSequence", x, i64(0, 3)).T.tolist() == [[0, 2, 4, 6], [5, 3, 1, 7]]


def test_blocks_move_between_depth_and_space_and_back() -> None:
    x = noise(2, 3, 4, 6)
    depth = run("SpaceToDepth", x, blocksize=2)
    assert depth.shape == (2, 12, 2, 3)
    assert np.array_equal(run("DepthToSpace", depth, blocksize=2), x)


def test_products_of_narrow_integers_wrap_around_and_bfloat16_sums_wide() -> None:
    x = np.int8([[100, 100]])
    assert run("Einsum", x, x, equation="ij,ij->i", types=(np.int8,)).tolist() == [32]
    import ml_dtypes

    ones = np.ones((1, 1000), ml_dtypes.bfloat16)
    assert float(run("Einsum", ones, ones, equation="ij,kj->ik", types=(ml_dtypes.bfloat16,))[0, 0]) == 1000


def test_rotary_embeddings_in_both_layouts() -> None:
    x, cos, sin = noise(1, 2, 3, 4), np.cos(noise(5, 2)), np.sin(noise(5, 2))
    positions = i64([0, 2, 4])
    y = run("RotaryEmbedding", x, cos, sin, positions, interleaved=1)
    turned = (x[..., ::2] + 1j * x[..., 1::2]) * (cos + 1j * sin)[positions][:, None]
    np.testing.assert_allclose(y[..., ::2] + 1j * y[..., 1::2], turned, rtol=1e-5, atol=1e-6)
    packed = x.transpose(0, 2, 1, 3).reshape(1, 3, 8)
    again = run("RotaryEmbedding", packed, cos, sin, positions, interleaved=1, num_heads=2)
    np.testing.assert_array_equal(again.reshape(1, 3, 2, 4).transpose(0, 2, 1, 3), y)


@pytest.mark.parametrize("sizes", [i64(3, 3), i64(6), i64(1, 1, 4)])
def test_split_into_another_number_of_parts_than_it_has_outputs(sizes: np.ndarray) -> None:
    with pytest.raises(RuntimeException, match="do not make up axis 0"):
        run_all("Split", noise(6), sizes, outputs=4)


@pytest.mark.parametrize(("op_type", "value"), [("AveragePool", 1.0), ("MaxPool", 3.0), ("LpPool", 3 * 2000.0)])
def test_windows_of_millions_of_positions_take_no_loop(op_type: str, value: float) -> None:
    x = np.ones((1, 1, 2000, 2000), np.float32)
    x[0, 0, ::2], x[0, 0, 1::2] = 3, -1
    if op_type == "LpPool":
        x[...] = 3
    assert run(op_type, x, kernel_shape=[2000, 2000]).item() == pytest.approx(value, rel=1e-3)


def test_axes_resized_to_nothing_are_empty() -> None:
    x = noise(1, 1, 4, 4)
    assert run("Resize", x, None, f32(1, 1, 1e-7, 1), mode="cubic", antialias=1).shape == (1, 1, 0, 4)


def test_counts_beyond_any_memory_do_not_make_empty_results() -> None:
    most = np.array((1 << 63) - 1)
    with pytest.raises(OutOfMemory):
        run("OneHot", i64(0, 1), most, i64(0, 1), types=(np.int64,))
    with pytest.raises(OutOfMemory):
        run("Range", np.array(0), most, np.array(1), types=(np.int64,))
    with pytest.raises(OutOfMemory):
        run("Resize", np.ones((1, 2), np.float32), None, None, np.array([1, most]), mode="linear")


@pytest.mark.parametrize(("limit", "delta"), [(4.6e18, INF), (-5.0, -INF), (0.0, 1.0), (5.0, -1.0)])
def test_a_range_whose_quotient_is_not_positive_is_empty(limit: float, delta: float) -> None:
    arguments = [np.array(v, np.float32) for v in (0, limit, delta)]
    assert run("Range", *arguments).shape == (0,)
