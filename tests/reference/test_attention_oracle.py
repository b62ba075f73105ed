"""Attention by its definition, one query at a time in double precision, for every mask, window and cache."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from reference_helpers import i64, noise, run, run_all

B, H, KV, S, T, D, DV = 2, 4, 2, 3, 5, 8, 6
Q, K, V = noise(B, H, S, D), noise(B, KV, T, D, seed=1), noise(B, KV, T, DV, seed=2)
PAST = noise(B, KV, 2, D, seed=3), noise(B, KV, 2, DV, seed=4)
MASKS: dict[str, Any] = {
    "none": None,
    "float": noise(S, T, seed=5),
    "bool": noise(B, 1, S, T, seed=6) > 0,
    "heads": noise(H, S, T, seed=7),
    "int": np.random.default_rng(8).integers(-3, 3, (S, T)).astype(np.int32),
    "uint8": np.random.default_rng(8).integers(0, 3, (S, T)).astype(np.uint8),
    "short": noise(S, T - 2, seed=9) > 0,
}


def expected(
    k: np.ndarray,
    v: np.ndarray,
    mask: Any,
    *,
    past: int,
    nonpad: Any,
    causal: bool,
    left: int,
    right: int,
    softcap: float,
) -> np.ndarray:
    y = np.zeros((B, H, S, DV))
    for b, h, s in itertools.product(range(B), range(H), range(S)):
        keys, values = k[b, h // (H // KV)].astype(np.float64), v[b, h // (H // KV)].astype(np.float64)
        scores = keys @ Q[b, h, s].astype(np.float64) / np.sqrt(D)
        if softcap:
            scores = np.tanh(scores / softcap) * softcap
        position = s + (past if nonpad is None else int(nonpad[b]) - S)
        for t in range(len(scores)):
            shut = causal and t > position
            shut |= left >= 0 and t < position - left
            shut |= right >= 0 and t > position + right
            shut |= nonpad is not None and t >= nonpad[b]
            if mask is not None:
                if t >= mask.shape[-1]:
                    shut = True
                else:
                    whole = np.broadcast_to(mask, (B, H, S, mask.shape[-1]))[b, h, s, t]
                    shut |= mask.dtype == bool and not whole
                    scores[t] += 0 if mask.dtype == bool else whole
            scores[t] = -np.inf if shut else scores[t]
        if not np.isneginf(scores).all():
            weights = np.exp(scores - scores.max())
            y[b, h, s] = weights @ values / weights.sum()
    return y


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize(("left", "right"), [(-1, -1), (1, -1), (-1, 0), (2, 1)])
@pytest.mark.parametrize("causal", [0, 1])
def test_masks_and_windows(name: str, left: int, right: int, causal: int) -> None:
    mask = MASKS[name]
    options = {"is_causal": causal, "left_window_size": left, "right_window_size": right, "softcap": 1.5}
    for nonpad in (None, i64(5, 2)):
        y = run("Attention", Q, K, V, mask, None, None, nonpad, types=(np.float32,), **options)
        exact = expected(
            K, V, mask, past=0, nonpad=nonpad, causal=bool(causal), left=left, right=right, softcap=1.5
        )  # fmt: skip
        np.testing.assert_allclose(y, exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("causal", [0, 1])
def test_the_past_comes_first(causal: int) -> None:
    y, keys, values = run_all("Attention", Q, K, V, None, *PAST, outputs=3, is_causal=causal, left_window_size=3)
    np.testing.assert_array_equal(keys, np.concatenate([PAST[0], K], axis=2))
    np.testing.assert_array_equal(values, np.concatenate([PAST[1], V], axis=2))
    exact = expected(keys, values, None, past=2, nonpad=None, causal=bool(causal), left=3, right=-1, softcap=0)
    np.testing.assert_allclose(y, exact, rtol=1e-4, atol=1e-5)


def test_heads_in_the_last_dimension_are_the_same_heads() -> None:
    packed = [x.transpose(0, 2, 1, 3).reshape(B, x.shape[2], -1) for x in (Q, K, V)]
    y = run("Attention", *packed, q_num_heads=H, kv_num_heads=KV)
    np.testing.assert_allclose(y.reshape(B, S, H, DV).transpose(0, 2, 1, 3), run("Attention", Q, K, V), rtol=1e-6)


def test_the_scores_of_each_stage() -> None:
    mask = MASKS["bool"]
    stages = [
        run_all("Attention", Q, K, V, mask, outputs=4, softcap=1.5, qk_matmul_output_mode=mode)[3] for mode in range(4)
    ]
    raw = np.einsum("bhsd,bhtd->bhst", Q, np.repeat(K, 2, axis=1)) / np.sqrt(D)
    np.testing.assert_allclose(stages[0], raw, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stages[1], np.tanh(raw / 1.5) * 1.5, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stages[2], np.where(mask, stages[1], -np.inf), rtol=1e-6)
    np.testing.assert_allclose(stages[3].sum(axis=-1), np.broadcast_to(mask.any(axis=-1), (B, H, S)), atol=1e-6)
