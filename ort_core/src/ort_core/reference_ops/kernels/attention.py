"""Attention with masks, windows, caches and grouped heads, and rotary embeddings."""

from __future__ import annotations

import math

import numpy as np

from ort_core.ir.types import ElementType
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.kernels.numerics import cast, widen

_RAW, _CAPPED, _BIASED, _PROBABILITIES = range(4)


@kernel("Attention")
def attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    attn_mask: np.ndarray | None = None,
    past_key: np.ndarray | None = None,
    past_value: np.ndarray | None = None,
    nonpad_kv_seqlen: np.ndarray | None = None,
    *,
    is_causal: int = 0,
    kv_num_heads: int | None = None,
    left_window_size: int = -1,
    q_num_heads: int | None = None,
    qk_matmul_output_mode: int = 0,
    right_window_size: int = -1,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int | None = None,
) -> tuple[np.ndarray, ...]:
    """Y = softmax(softcap(scale Q K') + bias) V, the keys and values with those of the past, and the scores asked for.

    Q [B, Hq, S, D], K [B, H, T, D], V [B, H, T, Dv], or with the heads in the last dimension [B, S, Hq * D]. A row of
    which the bias leaves nothing is zero. Each step is rounded to the type of Q, as the standard has it.
    Source: ONNX Attention.
    """
    if (past_key is None) is not (past_value is None) or (past_key is not None and nonpad_kv_seqlen is not None):
        raise ValueError("past_key and past_value go together, and not with nonpad_kv_seqlen")
    if min(left_window_size, right_window_size) < -1 or qk_matmul_output_mode not in range(4):
        raise ValueError(
            f"window sizes {left_window_size} and {right_window_size} must be at least -1, qk_matmul_output_mode "
            f"{qk_matmul_output_mode} from 0 to 3"
        )
    packed = q.ndim == 3
    if packed:
        q, k, v = _split_heads(q, q_num_heads), _split_heads(k, kv_num_heads), _split_heads(v, kv_num_heads)
    if past_key is not None and past_value is not None:
        present_key, present_value = np.concatenate([past_key, k], axis=2), np.concatenate([past_value, v], axis=2)
    else:
        present_key, present_value = k, v
    _check_shapes(q, present_key, present_value)
    past = 0 if past_key is None else past_key.shape[2]
    offset = np.int64(past) if nonpad_kv_seqlen is None else nonpad_kv_seqlen.reshape(-1, 1, 1, 1) - q.shape[2]
    bias = _position_bias(
        q.shape[2], present_key.shape[2], offset, bool(is_causal), left_window_size, right_window_size
    )
    if nonpad_kv_seqlen is not None:
        bias = bias + _closed(np.arange(present_key.shape[2]) >= nonpad_kv_seqlen.reshape(-1, 1, 1, 1))
    if attn_mask is not None:
        bias = bias + _mask_bias(attn_mask, present_key.shape[2])

    groups = q.shape[1] // present_key.shape[1]
    key, value = (np.repeat(x, groups, axis=1) for x in (present_key, present_value))
    factor = q.dtype.type(math.sqrt(1 / math.sqrt(q.shape[3]) if scale is None else scale))
    raw = cast(np.matmul(widen(q * factor), widen(np.swapaxes(key * factor, 2, 3))), q.dtype)
    capped = cast(np.tanh(widen(raw) / softcap) * softcap, q.dtype) if softcap > 0 else raw
    biased = cast(widen(capped) + bias, q.dtype)
    precise = cast(biased, ElementType(softmax_precision).dtype) if softmax_precision else biased
    probabilities = cast(_softmax(precise, empty=np.isneginf(bias.max(axis=-1, keepdims=True))), q.dtype)
    y = cast(np.matmul(widen(probabilities), widen(value)), q.dtype)
    if packed:
        y = y.transpose(0, 2, 1, 3).reshape(y.shape[0], y.shape[2], -1)
    scores = {_RAW: raw, _CAPPED: capped, _BIASED: biased, _PROBABILITIES: probabilities}[qk_matmul_output_mode]
    return y, present_key, present_value, cast(scores, q.dtype)


@kernel("RotaryEmbedding")
def rotary_embedding(
    x: np.ndarray,
    cos_cache: np.ndarray,
    sin_cache: np.ndarray,
    position_ids: np.ndarray | None = None,
    *,
    interleaved: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
) -> np.ndarray:
    """Y = X with the pairs among the first `rotary_embedding_dim` of each head turned by the angle of their position.

    X [B, H, S, D] or [B, S, H * D]; the caches [P, R / 2] are read at position_ids [B, S], or are [B, S, R / 2]. A pair
    is of neighbours if `interleaved`, otherwise of one in each half. Source: ONNX RotaryEmbedding.
    """
    heads = _split_heads(x, num_heads) if x.ndim == 3 else x
    turned = rotary_embedding_dim or heads.shape[3]
    cos, sin = (_at_positions(c, position_ids) for c in (cos_cache, sin_cache))
    expected = (heads.shape[0], heads.shape[2], turned // 2)
    if heads.ndim != 4 or turned % 2 or turned > heads.shape[3] or {cos.shape, sin.shape} != {expected}:
        raise ValueError(
            f"X {x.shape} with rotary_embedding_dim {turned} needs angles {expected}, got {cos.shape} and {sin.shape}"
        )
    part, rest = widen(heads[..., :turned]), heads[..., turned:]
    real, imaginary = (part[..., ::2], part[..., 1::2]) if interleaved else np.split(part, 2, axis=-1)
    cos, sin = widen(cos)[:, None], widen(sin)[:, None]
    pairs = (cos * real - sin * imaginary, sin * real + cos * imaginary)
    moved = np.stack(pairs, axis=-1).reshape(part.shape) if interleaved else np.concatenate(pairs, axis=-1)
    y = np.concatenate([cast(moved, x.dtype), rest], axis=-1)
    return y if x.ndim == 4 else y.transpose(0, 2, 1, 3).reshape(x.shape)


def _at_positions(cache: np.ndarray, position_ids: np.ndarray | None) -> np.ndarray:
    if position_ids is None:
        return cache
    if ((position_ids < 0) | (position_ids >= len(cache))).any():
        raise IndexError(
            f"position_ids from {position_ids.min()} to {position_ids.max()} do not fit {len(cache)} positions"
        )
    found: np.ndarray = cache[position_ids]
    return found


def _split_heads(x: np.ndarray, heads: int | None) -> np.ndarray:
    if x.ndim != 3 or not heads or heads < 0 or x.shape[2] % heads:
        raise ValueError(
            f"inputs of rank 3 need head counts that divide their last dimension, got {heads} for {x.shape}"
        )
    return x.reshape(x.shape[0], x.shape[1], heads, -1).transpose(0, 2, 1, 3)


def _check_shapes(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> None:
    fits = (
        q.ndim == k.ndim == v.ndim == 4
        and q.shape[0] == k.shape[0] == v.shape[0]
        and q.shape[3] == k.shape[3]
        and k.shape[1:3] == v.shape[1:3]
        and k.shape[1] > 0
        and q.shape[1] % k.shape[1] == 0
    )
    if not fits:
        raise ValueError(f"queries {q.shape}, keys {k.shape} and values {v.shape} do not fit together")


def _closed(mask: np.ndarray) -> np.ndarray:
    """The bias that shuts out what the mask names."""
    return np.where(mask, np.float32(-np.inf), np.float32(0))


def _position_bias(
    queries: int, keys: int, offset: np.ndarray | np.int64, is_causal: bool, left: int, right: int
) -> np.ndarray:
    """The bias of causality and windows: query i is at position i + offset."""
    ahead = np.arange(keys) - (np.arange(queries)[:, None] + offset)
    shut = np.zeros(ahead.shape, bool)
    if is_causal:
        shut |= ahead > 0
    if left >= 0:
        shut |= ahead < -left
    if right >= 0:
        shut |= ahead > right
    return _closed(shut)


def _mask_bias(mask: np.ndarray, keys: int) -> np.ndarray:
    """The mask as a bias, with shut positions where it is too short."""
    bias = _closed(~mask) if mask.dtype == bool else mask.astype(np.promote_types(widen(mask).dtype, np.float32))
    missing = keys - mask.shape[-1]
    if missing < 0:
        raise ValueError(f"attn_mask of shape {mask.shape} is longer than the {keys} keys")
    return np.pad(bias, [(0, 0)] * (mask.ndim - 1) + [(0, missing)], constant_values=-np.inf) if missing else bias


def _softmax(x: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """The probabilities of each row; all zero where it is `empty`."""
    zero, one = x.dtype.type(0), x.dtype.type(1)
    peak = x.max(axis=-1, keepdims=True, initial=-np.inf)
    weights = np.exp(x - np.where(np.isneginf(peak), zero, peak))
    total = weights.sum(axis=-1, keepdims=True)
    probabilities: np.ndarray = np.where(empty, zero, weights / np.where(total == 0, one, total))
    return probabilities
