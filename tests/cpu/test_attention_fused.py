"""FusedAttention in every layout, and RotaryEmbedding."""

import itertools

import ml_dtypes
import numpy as np
import pytest
from onnx.reference.ops.op_rotary_embedding import rotary_embedding
from product_session import REJECTIONS, random, run_product

PERMUTATIONS = {"bhsd": (0, 1, 2, 3), "bshd": (0, 2, 1, 3), "bhds": (0, 1, 3, 2)}


def attention(q, k, v, scale, mask):
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    times = q.shape[1] // k.shape[1]
    scores = scale * (q @ np.repeat(k, times, 1).swapaxes(2, 3)) + mask
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ np.repeat(v, times, 1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("sizes", [(2, 4, 2, 9, 30, 16, 24), (1, 6, 6, 50, 50, 64, 64), (2, 8, 2, 1, 300, 64, 64)])
def test_layouts(threads, sizes):
    batch, heads, groups, rows, keys, depth, values = sizes
    q, k, v = (
        random(batch, heads, rows, depth),
        random(batch, groups, keys, depth, seed=1),
        random(batch, groups, keys, values, seed=2),
    )
    mask = random(batch, 1, rows, keys, seed=3)
    expected = attention(q, k, v, 0.2, mask)
    lay = lambda x, layout: np.ascontiguousarray(x.transpose(PERMUTATIONS[layout]))  # noqa: E731
    for layouts in itertools.product(("bhsd", "bshd"), ("bhsd", "bshd", "bhds"), ("bhsd", "bshd"), ("bhsd", "bshd")):
        names = dict(zip(("q_layout", "k_layout", "v_layout", "out_layout"), layouts, strict=True))
        inputs = [lay(x, layout) for x, layout in zip((q, k, v), layouts, strict=False)]
        common = {"domain": "ort.cpu", "scale": 0.2, "threads": threads, **names}
        actual = run_product("FusedAttention", *inputs, mask, **common, out_rank=4)
        np.testing.assert_allclose(actual, lay(expected, layouts[3]), rtol=2e-5, atol=2e-5)
        merged = [
            x.reshape(*x.shape[:2], -1) if layout == "bshd" else x for x, layout in zip(inputs, layouts, strict=False)
        ]
        actual = run_product("FusedAttention", *merged, mask, **common, num_heads=heads, kv_num_heads=groups)
        wanted = lay(expected, layouts[3])
        np.testing.assert_allclose(actual.reshape(wanted.shape), wanted, rtol=2e-5, atol=2e-5)


def test_masks_that_broadcast():
    q, k, v = random(2, 3, 8, 16), random(2, 3, 20, 16, seed=1), random(2, 3, 20, 16, seed=2)
    for shape in [(), (1,), (20,), (8, 1), (8, 20), (3, 1, 20), (2, 1, 1, 20), (2, 3, 8, 20), (1, 3, 8, 1)]:
        mask = random(*shape, seed=3)
        actual = run_product("FusedAttention", q, k, v, mask, domain="ort.cpu")
        np.testing.assert_allclose(actual, attention(q, k, v, 0.25, mask), rtol=2e-5, atol=2e-5)


def test_wrong_operands_are_rejected():
    q, k, v = random(2, 4, 8, 16), random(2, 2, 20, 16), random(2, 2, 20, 16)
    for inputs, attributes in [
        ((q, k[:, :1], v), {}),
        ((q[:, :3], k, v), {}),
        ((q, k, v, random(9, 20)), {}),
        ((q, k, v, random(8, 19)), {}),
        ((q.reshape(2, 4, 128), k, v), {"q_layout": "bshd", "num_heads": 3}),
        ((q.reshape(2, 4, 128), k, v), {"q_layout": "bshd"}),
        ((q[0], k, v), {}),
    ]:
        with pytest.raises(REJECTIONS):
            run_product("FusedAttention", *inputs, domain="ort.cpu", **attributes)


@pytest.mark.parametrize("dtype", [np.dtype(np.float32), np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)], ids=str)
@pytest.mark.parametrize("interleaved", [0, 1])
def test_rotary_embedding(dtype, interleaved):
    unit = float(ml_dtypes.finfo(dtype).eps)
    for (batch, heads, rows, depth), part, merged in itertools.product(
        [(2, 3, 5, 16), (1, 2, 70, 64)], (0, 8), (False, True)
    ):
        x = random(batch, heads, rows, depth, dtype=dtype)
        attributes = {"interleaved": interleaved, "rotary_embedding_dim": part}
        if merged:
            x = np.ascontiguousarray(x.transpose(0, 2, 1, 3)).reshape(batch, rows, -1)
            attributes["num_heads"] = heads
        half = (part or depth) // 2
        ids = np.random.default_rng(0).integers(0, 90, (batch, rows))
        for caches, places in [((90, half), ids), ((batch, rows, half), None)]:
            cos, sin = random(*caches, seed=1, dtype=dtype), random(*caches, seed=2, dtype=dtype)
            expected = rotary_embedding(*(y.astype(np.float64) for y in (x, cos, sin)), places, **attributes)
            for threads in (1, 2):
                actual = run_product("RotaryEmbedding", x, cos, sin, places, threads=threads, **attributes)
                np.testing.assert_allclose(actual.astype(np.float64), expected, rtol=4 * unit, atol=4 * unit)


def test_rotary_embedding_rejects_wrong_inputs():
    x, cos = random(2, 3, 5, 16), random(9, 8)
    ids = np.zeros((2, 5), np.int64)
    for inputs, attributes in [
        ((x, cos, cos, ids + 9), {}),
        ((x, cos, cos, ids - 1), {}),
        ((x, cos, cos, ids[:, :4]), {}),
        ((x, cos, cos[:8], ids), {}),
        ((x, cos, cos), {}),
        ((x, cos, cos, ids), {"rotary_embedding_dim": 7}),
        ((x, cos, cos, ids), {"rotary_embedding_dim": 18}),
        ((x[0], cos, cos, ids), {}),
    ]:
        with pytest.raises(REJECTIONS):
            run_product("RotaryEmbedding", *inputs, **attributes)
