"""What our kernels compute where `onnx.reference` is wrong, incomplete or fails."""

import math

import ml_dtypes
import numpy as np
import pytest
from reference_helpers import f32, i64, noise, run, run_all, strings

BF16 = ml_dtypes.bfloat16


def test_conv_transpose_of_groups_is_that_of_each_group() -> None:
    x, w, b = noise(2, 4, 3, 3), noise(4, 3, 2, 2, seed=1), noise(6, seed=2)
    whole = run("ConvTranspose", x, w, b, group=2, strides=[2, 1])
    parts = [
        run("ConvTranspose", x[:, 2 * g : 2 * g + 2], w[2 * g : 2 * g + 2], b[3 * g : 3 * g + 3], strides=[2, 1])
        for g in range(2)
    ]
    np.testing.assert_allclose(whole, np.concatenate(parts, axis=1), rtol=1e-5)


def test_conv_transpose_to_an_output_shape_crops_evenly() -> None:
    x, w = np.ones((1, 1, 3), np.float32), f32(1, 2, 3)[None, None]
    full = run("ConvTranspose", x, w)[0, 0]
    assert full.tolist() == [1, 3, 6, 5, 3]
    assert run("ConvTranspose", x, w, output_shape=[3])[0, 0].tolist() == [3, 6, 5]
    assert run("ConvTranspose", x, w, output_shape=[4], auto_pad="SAME_UPPER")[0, 0].tolist() == [1, 3, 6, 5]
    assert run("ConvTranspose", x, w, output_shape=[4])[0, 0].tolist() == [3, 6, 5, 3]


def test_convolution_of_an_empty_batch_is_empty() -> None:
    x = np.zeros((0, 2, 4, 4), np.float32)
    assert run("Conv", x, noise(3, 2, 3, 3)).shape == (0, 3, 2, 2)
    assert run("ConvTranspose", x, noise(2, 3, 3, 3)).shape == (0, 3, 6, 6)
    assert run("MaxPool", x, kernel_shape=[2, 2]).shape == (0, 2, 3, 3)


def test_lp_pool_does_not_scale_windows_at_the_border() -> None:
    result = run("LpPool", f32(3, 4)[None, None], kernel_shape=[2], pads=[1, 1], p=2)
    assert result[0, 0].tolist() == [3, 5, 4]


def test_average_pool_with_ceil_mode_counts_only_what_the_window_covers() -> None:
    x = f32(1, 2, 3, 4, 5)[None, None]
    assert run("AveragePool", x, kernel_shape=[2], strides=[2], ceil_mode=1)[0, 0].tolist() == [1.5, 3.5, 5]
    x = f32(1, 2, 3, 4, 5, 6)[None, None]
    padded = run("AveragePool", x, kernel_shape=[3], strides=[3], pads=[1, 1], ceil_mode=1, count_include_pad=1)
    assert padded[0, 0].tolist() == [1, 4, 3]


def test_max_pool_of_integers_pads_with_the_least_value() -> None:
    x = np.array([[[-5, -7]]], np.int8)
    assert run("MaxPool", x, kernel_shape=[2], pads=[1, 1])[0, 0].tolist() == [-5, -5, -7]


def test_global_pools_take_any_rank() -> None:
    x = noise(2, 3, 2, 2, 2)
    assert run("GlobalMaxPool", x).tolist() == x.max(axis=(2, 3, 4), keepdims=True).tolist()
    np.testing.assert_allclose(run("GlobalLpPool", x, p=1), np.abs(x).sum((2, 3, 4), keepdims=True), rtol=1e-5)
    assert run("GlobalMaxPool", noise(2, 3, 4)).shape == (2, 3, 1)


def test_max_roi_pool_takes_the_maximum_of_each_bin() -> None:
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    result = run("MaxRoiPool", x, f32([0, 0, 0, 3, 3], [0, 1, 1, 1, 1]), pooled_shape=[2, 2])
    assert result[:, 0].tolist() == [[[5, 7], [13, 15]], [[5, 5], [5, 5]]]


def test_max_roi_pool_of_a_region_outside_is_zero() -> None:
    assert run("MaxRoiPool", noise(1, 1, 4, 4), f32([0, 9, 9, 10, 10]), pooled_shape=[1, 1]).item() == 0


def test_lrn_sums_over_channels_of_any_batch_size() -> None:
    x = np.ones((1, 4, 1, 1), np.float32)
    assert run("LRN", x, size=3, alpha=3.0, beta=1.0).ravel().tolist() == pytest.approx([1 / 3, 1 / 4, 1 / 4, 1 / 3])


def test_lp_normalization_takes_absolute_values() -> None:
    assert run("LpNormalization", f32(3, -1), p=1).tolist() == [0.75, -0.25]
    assert run("LpNormalization", f32(0, 0), p=2).tolist() == [0, 0]


def test_log_softmax_does_not_underflow() -> None:
    assert run("LogSoftmax", f32(0, 200)).tolist() == [-200, 0]


def test_reduce_log_sum_exp_of_infinities() -> None:
    x = f32([-np.inf, -np.inf], [np.inf, 0], [1000, 1000])
    assert run("ReduceLogSumExp", x, i64(1), keepdims=0).tolist() == [-np.inf, np.inf, np.float32(1000 + math.log(2))]


def test_layer_normalization_of_half_floats_computes_and_returns_statistics_in_single() -> None:
    x = np.float16([[1000, 1001, 1002, 1003]])
    y, mean, inverse = run_all("LayerNormalization", x, np.ones(4, np.float16), outputs=3)
    assert (y.dtype, mean.dtype, inverse.dtype) == (np.float16, np.float32, np.float32)
    np.testing.assert_allclose(y[0].astype(float), [-1.342, -0.447, 0.447, 1.342], atol=2e-3)
    assert mean.item() == 1001.5


@pytest.mark.parametrize("dtype", [np.float16, BF16])
def test_sums_of_narrow_floats_do_not_stall(dtype) -> None:
    ones = np.ones((1, 4096), dtype)
    assert float(run("MatMul", ones, ones.T, types=(dtype,)).item()) == 4096
    assert float(run("Gemm", ones, ones.T, types=(dtype,)).item()) == 4096
    assert float(run("ReduceMean", ones, types=(dtype,)).item()) == 1


def test_gather_elements_beyond_32_rows_and_along_any_axis() -> None:
    data = np.arange(100 * 3).reshape(100, 3)
    assert run("GatherElements", data, i64([99, -1, 50])).tolist() == [[297, 298, 152]]
    assert run("GatherElements", data, i64([2, 0], [-3, 1]), axis=1).tolist() == [[2, 0], [3, 4]]


def test_scatter_elements_writes_the_last_of_equal_indices() -> None:
    assert run("ScatterElements", f32(0, 0), i64(1, 1), f32(3, 4)).tolist() == [0, 4]
    assert run("ScatterElements", f32(1, 2), i64(1, 1), f32(3, 4), reduction="add").tolist() == [1, 9]


def test_slice_with_a_negative_step_clamps_as_the_standard_says() -> None:
    assert run("Slice", i64(0, 1, 2), i64(-9), i64(-9), i64(0), i64(-1)).tolist() == [0]
    assert run("Slice", i64(0, 1, 2), i64(9), i64(-9), i64(0), i64(-2)).tolist() == [2, 0]
    assert run("Slice", i64(0, 1, 2), i64(1), i64(np.iinfo(np.int64).max)).tolist() == [1, 2]


def test_quantisation_of_huge_values_saturates_at_the_right_end() -> None:
    x = f32(1e20, -1e20, np.inf)
    assert run("QuantizeLinear", x, np.float32(1).reshape(()), np.array(3, np.uint8)).tolist() == [255, 0, 255]
    assert run("QuantizeLinear", x, np.float32(1).reshape(()), output_dtype=3).tolist() == [127, -128, 127]


def test_quantisation_rounds_half_to_even_before_the_zero_point() -> None:
    x = f32(0.5, 1.5, 2.5)
    assert run("QuantizeLinear", x, np.float32(1).reshape(()), np.array(1, np.uint8)).tolist() == [1, 3, 3]


def test_matmul_integer_takes_zero_points_of_rows_and_columns() -> None:
    a, b = np.uint8([[1, 2], [3, 4]]), np.int8([[5, 6], [7, 8]])
    expected = (a.astype(int) - [[1], [2]]) @ (b.astype(int) - [3, 4])
    assert run("MatMulInteger", a, b, np.uint8([1, 2]), np.int8([3, 4])).tolist() == expected.tolist()


def test_unique_in_order_of_appearance_along_an_axis() -> None:
    x = i64([3, 1, 3], [0, 5, 0])
    y, first, inverse, counts = run_all("Unique", x, axis=1, sorted=0, outputs=4)
    assert y.tolist() == [[3, 1], [0, 5]]
    assert (first.tolist(), inverse.tolist(), counts.tolist()) == ([0, 1], [0, 1, 0], [2, 1])
    assert run("Unique", x, sorted=0).tolist() == [3, 1, 0, 5]


def test_unique_of_strings_and_of_nothing() -> None:
    assert run("Unique", strings("b", "a", "b")).tolist() == ["a", "b"]
    assert run("Unique", strings("b", "a", "b", "a").reshape(2, 2), axis=0).tolist() == [["b", "a"]]
    assert run("Unique", np.zeros((2, 0, 3), np.float32), axis=1).shape == (2, 0, 3)


def test_elu_of_zero_is_zero_whatever_alpha_is() -> None:
    x = np.array([-1, 0, 2], np.float32)
    assert run("Elu", x, alpha=np.inf).tolist() == [-np.inf, 0, 2]


def test_variadic_operators_broadcast_all_inputs() -> None:
    column, row = f32([1], [4]), f32(2, 3)
    assert run("Max", column, row, f32(0)).tolist() == [[2, 3], [4, 4]]
    assert run("Min", column).tolist() == [[1], [4]]
    assert run("Mean", row, column).tolist() == [[1.5, 2], [3, 3.5]]


def test_pow_of_integers() -> None:
    assert run("Pow", np.int32([2, 3]), np.int32([3, -1]), types=(np.int32,)).tolist() == [8, 0]
    assert run("Pow", np.int32([2, 3]), f32(0.5, 2), types=(np.int32,)).tolist() == [1, 9]


def test_erf_of_doubles_keeps_their_precision() -> None:
    assert run("Erf", np.array([0.5])).item() == math.erf(0.5)


def test_strings_can_be_expanded_padded_and_one_hot_encoded() -> None:
    assert run("Expand", strings("a"), i64(2)).tolist() == ["a", "a"]
    assert run("Pad", strings("a"), i64(1, 0)).tolist() == ["", "a"]
    assert run("OneHot", i64(1), i64(2), strings("no", "yes")).tolist() == [["no", "yes"]]
    assert run("OneHot", i64(0), i64(2), np.array([False, True])).tolist() == [[True, False]]


def test_negative_padding_crops() -> None:
    assert run("Pad", f32(1, 2, 3), i64(-1, 1), np.float32(9).reshape(())).tolist() == [2, 3, 9]


def test_split_into_unequal_parts() -> None:
    assert [p.tolist() for p in run_all("Split", i64(1, 2, 3, 4, 5), num_outputs=3, outputs=3)] == [[1, 2], [3, 4], [5]]


def test_shape_clamps_its_range() -> None:
    x = noise(2, 3, 4)
    assert run("Shape", x, start=-9, end=-9).tolist() == []
    assert run("Shape", x, start=1, end=9).tolist() == [3, 4]


def test_flatten_of_empty_tensors() -> None:
    assert run("Flatten", np.zeros((2, 0, 3)), axis=1).shape == (2, 0)
    assert run("Flatten", np.zeros((2, 0, 3)), axis=-3).shape == (1, 0)


def test_sequence_insert_positions() -> None:
    pair = [i64(1), i64(2)]
    for position, expected in ((2, [1, 2, 3]), (-1, [1, 3, 2]), (0, [3, 1, 2])):
        assert [int(v[0]) for v in run("SequenceInsert", pair, i64(3), np.array(position))] == expected
    assert len(run("SequenceInsert", [], i64(3))) == 1


def test_sequence_erase_and_at_count_from_the_end() -> None:
    items = [i64(1), i64(2), i64(3)]
    assert [int(v[0]) for v in run("SequenceErase", items)] == [1, 2]
    assert [int(v[0]) for v in run("SequenceErase", items, np.array(-3))] == [2, 3]
    assert run("SequenceAt", items, np.array(-1)).tolist() == [3]


def test_string_normalizer_leaves_accents_and_the_locale_alone() -> None:
    words = strings("Monday", "Élan", "monday")
    result = run("StringNormalizer", words, case_change_action="LOWER", stopwords=["monday"], locale="xx_YY")
    assert result.tolist() == ["élan"]
    assert run("StringNormalizer", words[:1], stopwords=["monday"]).tolist() == [""]
    assert run("StringNormalizer", words[None], stopwords=["monday"], is_case_sensitive=1).shape == (1, 2)


def test_resize_sizes_follow_single_precision_scales() -> None:
    assert run("Resize", noise(1, 1, 5, 5), None, f32(1, 1, 2.6, 0.4)).shape == (1, 1, 13, 2)


def test_resize_to_one_pixel_takes_the_first_with_pytorch_half_pixel() -> None:
    x = f32(1, 2, 3)[None, None]
    result = run(
        "Resize", x, None, None, i64(1, 1, 1), mode="cubic", coordinate_transformation_mode="pytorch_half_pixel"
    )
    assert result.item() == 1


def test_nearest_resize_keeps_large_integers_exact() -> None:
    x = i64(2**62 + 1)[None, None]
    assert run("Resize", x, None, f32(1, 1, 2)).tolist() == [[[2**62 + 1, 2**62 + 1]]]


def test_non_max_suppression_without_optional_inputs_selects_nothing() -> None:
    assert run("NonMaxSuppression", noise(1, 3, 4), noise(1, 1, 3)).shape == (0, 3)


def test_roi_of_no_size_pools_to_zero() -> None:
    assert run("RoiAlign", noise(1, 1, 4, 4), f32([1, 1, 1, 1]), i64(0)).item() == 0


def test_reshape_of_empty_tensors() -> None:
    assert run("Reshape", np.zeros((0, 3)), i64(-1, 0)).shape == (0, 3)
    assert run("Reshape", np.zeros((2, 0, 3)), i64(0, 0, 3)).shape == (2, 0, 3)
    assert run("Reshape", np.zeros((2, 0)), i64(3, 0), allowzero=1).shape == (3, 0)


def test_image_decoder_returns_three_channels_for_any_image() -> None:
    import io

    from PIL import Image

    for mode in ("L", "RGBA", "P"):
        stream = io.BytesIO()
        Image.new(mode, (3, 2)).save(stream, "PNG")
        data = np.frombuffer(stream.getvalue(), np.uint8)
        assert run("ImageDecoder", data).shape == (2, 3, 3)
        assert run("ImageDecoder", data, pixel_format="Grayscale").shape == (2, 3, 1)
