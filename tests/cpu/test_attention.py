"""Attention of ONNX in all its forms, against the reference evaluator."""

import itertools

import numpy as np
import pytest
from onnx.reference.ops.op_attention import _compute_attention
from product_session import REJECTIONS, random, run_product


def widened(x):
    return x if x is None or x.dtype == bool else x.astype(np.float64)


def check(
    q,
    k,
    v,
    mask=None,
    past_key=None,
    past_value=None,
    lengths=None,
    *,
    outputs=1,
    threads=1,
    tolerance=2e-5,
    **attributes,
):
    rows = None if mask is None else np.broadcast_to(mask, (*mask.shape[:-2], q.shape[-2], mask.shape[-1]))
    inputs = (widened(x) for x in (q, k, v, rows, past_key, past_value))
    expected = _compute_attention(*inputs, lengths, _validate_attention25=False, **attributes)
    actual = run_product(
        "Attention", q, k, v, mask, past_key, past_value, lengths, outputs=outputs, threads=threads, **attributes
    )
    for i, y in enumerate([actual] if isinstance(actual, np.ndarray) else actual):
        assert y.dtype == q.dtype
        assert y.shape == expected[i].shape
        np.testing.assert_allclose(y.astype(np.float64), expected[i], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("threads", [1, 3])
def test_sizes_and_groups(dtype, threads):
    tolerance = 5e-3 if dtype == np.float16 else 2e-5
    for heads, groups, rows, keys, depth, values in [
        (4, 4, 9, 9, 16, 16), (8, 2, 1, 130, 64, 64), (6, 3, 5, 70, 24, 40), (3, 1, 40, 200, 64, 80), (1, 1, 1, 1, 8, 8),
        (4, 2, 100, 700, 32, 32), (2, 2, 3, 1100, 16, 20),
    ]:  # fmt: skip
        q, k, v = (
            random(2, h, t, d, seed=i, dtype=dtype)
            for i, (h, t, d) in enumerate([(heads, rows, depth), (groups, keys, depth), (groups, keys, values)])
        )
        check(q, k, v, threads=threads, tolerance=tolerance)
        q, k, v = (x.transpose(0, 2, 1, 3).reshape(2, x.shape[2], -1) for x in (q, k, v))
        check(q, k, v, threads=threads, tolerance=tolerance, q_num_heads=heads, kv_num_heads=groups)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masks(dtype):
    q, k, v = (
        random(2, 4, 10, 16, dtype=dtype),
        random(2, 2, 33, 16, seed=1, dtype=dtype),
        random(2, 2, 33, 8, seed=2, dtype=dtype),
    )
    for shape in [
        (10, 33),
        (1, 33),
        (10, 1),
        (4, 10, 33),
        (4, 1, 33),
        (2, 4, 10, 33),
        (2, 1, 10, 33),
        (1, 1, 1, 33),
        (10, 20),
        (33,),
    ]:
        mask = random(*shape, seed=3, dtype=dtype)
        for causal in (0, 1):
            check(q, k, v, mask, is_causal=causal)
            check(q, k, v, mask > -0.5, is_causal=causal)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_without_keys_are_zero(dtype):
    q, k, v = (random(1, 2, 9, 16, seed=i, dtype=dtype) for i in range(3))
    mask = np.ones((9, 9), bool)
    mask[4] = False
    check(q, k, v, mask)
    check(q, k, v, np.where(mask, 0, -np.inf).astype(dtype))
    assert (run_product("Attention", q, k, v, mask)[:, :, 4] == 0).all()


def test_causal_windows():
    for rows, keys in [(12, 12), (5, 40), (70, 70), (1, 30)]:
        q, k, v = random(2, 2, rows, 16), random(2, 2, keys, 16, seed=1), random(2, 2, keys, 16, seed=2)
        for causal, left, right in itertools.product((0, 1), (-1, 0, 6), (-1, 0, 3)):
            check(q, k, v, is_causal=causal, left_window_size=left, right_window_size=right)


@pytest.mark.parametrize("rows", [1, 3, 20])
@pytest.mark.parametrize("merged", [False, True])
def test_past_and_present(rows, merged):
    past_key, past_value = random(2, 2, 50, 16, seed=3), random(2, 2, 50, 24, seed=4)
    q, k, v = random(2, 4, rows, 16), random(2, 2, rows, 16, seed=1), random(2, 2, rows, 24, seed=2)
    heads = {}
    if merged:
        q, k, v = (x.transpose(0, 2, 1, 3).reshape(2, rows, -1) for x in (q, k, v))
        heads = {"q_num_heads": 4, "kv_num_heads": 2}
    for causal in (0, 1):
        check(q, k, v, None, past_key, past_value, outputs=3, is_causal=causal, **heads)
        check(q, k, v, None, past_key, past_value, is_causal=causal, **heads)
        check(q, k, v, outputs=3, is_causal=causal, **heads)
        check(q, k, v, random(rows, 50 + rows), past_key, past_value, outputs=3, is_causal=causal, **heads)
    for dtype in (np.float16, np.float64):
        arrays = [x.astype(dtype) for x in (q, k, v, past_key, past_value)]
        check(*arrays[:3], None, *arrays[3:], outputs=3, tolerance=5e-3 if dtype == np.float16 else 1e-7, **heads)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lengths_of_keys(dtype):
    q, k, v = (
        random(3, 2, 4, 16, dtype=dtype),
        random(3, 2, 40, 16, seed=1, dtype=dtype),
        random(3, 2, 40, 16, seed=2, dtype=dtype),
    )
    for lengths in ([40, 4, 17], [0, 2, 40]):
        for causal in (0, 1):
            check(q, k, v, None, None, None, np.array(lengths, np.int64), is_causal=causal)
    huge = np.array([2**63 - 1, -(2**63), 5], np.int64)
    assert np.isfinite(run_product("Attention", q, k, v, None, None, None, huge, is_causal=1)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softcap_scale_and_scores(dtype):
    q, k, v = (
        random(1, 4, 7, 16, dtype=dtype),
        random(1, 2, 20, 16, seed=1, dtype=dtype),
        random(1, 2, 20, 16, seed=2, dtype=dtype),
    )
    mask = random(7, 20, seed=3, dtype=dtype)
    check(q, k, v, scale=0.7, softcap=0.4)
    check(q, k, v, mask, softcap=2.0)
    check(q, k, v, mask, outputs=4)
    for mode in range(1, 4):
        check(q, k, v, mask, outputs=4, softcap=2.0, qk_matmul_output_mode=mode, is_causal=1)
    for precision in (1, 11):
        check(q, k, v, mask, softmax_precision=precision)
    check(q, k, v, mask, softmax_precision=10, tolerance=5e-3)


def test_empty_inputs():
    for batch, rows, keys in [(0, 3, 4), (2, 0, 4), (2, 3, 0)]:
        for dtype in (np.float32, np.float64):
            q, k, v = (
                np.ones((batch, 4, rows, 8), dtype),
                np.ones((batch, 2, keys, 8), dtype),
                np.ones((batch, 2, keys, 6), dtype),
            )
            y, key, value = run_product("Attention", q, k, v, outputs=3)
            np.testing.assert_array_equal(y, np.zeros((batch, 4, rows, 6), dtype))
            np.testing.assert_array_equal(key, k)
            np.testing.assert_array_equal(value, v)


def test_wrong_inputs_are_rejected():
    q, k, v = random(2, 4, 5, 8), random(2, 2, 9, 8), random(2, 2, 9, 6)
    wrong = [
        ((q, k[:1], v), {}),
        ((q, k[..., :4], v), {}),
        ((q, k, v[:, :, :3]), {}),
        ((q[:, :3], k, v), {}),
        ((q, k, v, random(5, 10)), {}),
        ((q, k, v, random(3, 9)), {}),
        ((q, k, v, None, random(2, 2, 3, 8), random(2, 2, 4, 6)), {}),
        ((q, k, v, None, None, None, np.array([1], np.int64)), {}),
        ((random(2, 5, 32), random(2, 9, 16), random(2, 9, 12)), {"q_num_heads": 3, "kv_num_heads": 2}),
    ]
    for inputs, attributes in wrong:
        with pytest.raises(REJECTIONS):
            run_product("Attention", *inputs, **attributes)
