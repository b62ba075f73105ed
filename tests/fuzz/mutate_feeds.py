"""Mutations of what is fed and asked for."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.fuzz.fuzz_protos import CODES, DIMS, NAMES, array_for, pick, random_array, visible_names
from tests.fuzz.mutant import Mutant, mutation


class _Hostile:
    """Claims to be an array and is none."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise ValueError("no array here")


class _Scalars(np.ndarray):
    """A subclass of ndarray."""


def _strided(a: np.ndarray) -> Any:
    return np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a


def _unaligned(a: np.ndarray) -> Any:
    if a.dtype.hasobject or not a.size:
        return a
    raw = np.zeros(a.nbytes + 1, np.uint8)
    view = raw[1:].view(a.dtype).reshape(a.shape)
    view[...] = a
    return view


def _read_only(a: np.ndarray) -> Any:
    a = a.copy()
    a.flags.writeable = False
    return a


_DISGUISES: dict[str, Callable[[np.ndarray], Any]] = {
    "strided": _strided,
    "reversed": lambda a: a[::-1] if a.ndim else a,
    "transposed": lambda a: a.T.copy().T,
    "Fortran order": np.asfortranarray,
    "broadcast": lambda a: np.broadcast_to(a, a.shape),
    "big-endian": lambda a: (
        a.astype(a.dtype.newbyteorder(">")) if a.dtype.kind in "iuf" and a.dtype.isbuiltin == 1 else a
    ),
    "unaligned": _unaligned,
    "read-only": _read_only,
    "list": lambda a: a.tolist(),
    "tuple": lambda a: tuple(a.tolist()) if a.ndim else a.item(),
    "subclass": lambda a: a.view(_Scalars),
    "masked": lambda a: np.ma.masked_array(a, np.zeros(a.shape, bool)),
    "memoryview": lambda a: memoryview(a) if a.dtype.isbuiltin == 1 and not a.dtype.hasobject else a,
}
"""Forms of the same value, which may be accepted or refused, but not misread."""


def _arrays(mutant: Mutant) -> list[str]:
    return [n for n, v in mutant.feeds.items() if isinstance(v, np.ndarray)] if isinstance(mutant.feeds, dict) else []


@mutation("feeds")
def disguise(rng: random.Random, mutant: Mutant) -> str | None:
    name = pick(rng, _arrays(mutant))
    if name is None:
        return None
    how = rng.choice(list(_DISGUISES))
    mutant.feeds[name] = _DISGUISES[how](mutant.feeds[name])
    return f"{name} is {how}"


@mutation("feeds")
def feed_other_type(rng: random.Random, mutant: Mutant) -> str | None:
    name = pick(rng, _arrays(mutant))
    if name is None:
        return None
    code = rng.choice(CODES)
    mutant.feeds[name] = random_array(rng, code, list(mutant.feeds[name].shape))
    return f"{name} is of type {code}"


@mutation("feeds")
def feed_other_shape(rng: random.Random, mutant: Mutant) -> str | None:
    name = pick(rng, _arrays(mutant))
    if name is None:
        return None
    shape = [d for d in (rng.choice([*DIMS, 1, 2, 3, 4]) for _ in range(rng.randrange(6))) if 0 <= d < 100]
    mutant.feeds[name] = (
        np.resize(mutant.feeds[name], shape) if mutant.feeds[name].size else np.zeros(shape, mutant.feeds[name].dtype)
    )
    return f"{name} is {shape}"


@mutation("feeds")
def feed_odd_numbers(rng: random.Random, mutant: Mutant) -> str | None:
    name = pick(
        rng,
        (
            n
            for n in _arrays(mutant)
            if mutant.feeds[n].dtype.isbuiltin == 1 and mutant.feeds[n].dtype.kind in "iuf" and mutant.feeds[n].size
        ),
    )
    if name is None:
        return None
    array = mutant.feeds[name].copy()
    if np.issubdtype(array.dtype, np.floating):
        value = rng.choice([np.nan, np.inf, -np.inf, np.finfo(array.dtype).max, np.finfo(array.dtype).tiny, -0.0])
    else:
        limits = np.iinfo(array.dtype)
        value = rng.choice([limits.min, limits.max, limits.max // 2, 0, 1, -1 if limits.min else 7])
    array.reshape(-1)[:: rng.choice([1, 2, array.size])] = value
    mutant.feeds[name] = array
    return f"{name} has {value}"


@mutation("feeds")
def feed_no_array(rng: random.Random, mutant: Mutant) -> str | None:
    names = list(mutant.feeds) if isinstance(mutant.feeds, dict) else []
    name = pick(rng, names)
    if name is None:
        return None
    value = rng.choice(
        [None, 1, -1, 1 << 70, 1.5, float("nan"), "text", b"\xff", True, [], [[]], [[1], [1, 2]], {}, {"a": 1}, object(),
         _Hostile(), np.array([1, "a", None], object), np.array(None), np.float32(1), np.array([1], "datetime64[D]"),
         np.zeros(2, [("a", int)]), np.array(["a", "b"]), np.array([b"\xff"]), np.zeros((2, 0)), 1j, range(3), int,
         [np.ones(2), np.ones(3)]]
    )  # fmt: skip
    mutant.feeds[name] = value
    return f"{name} is {str(value)[:40]!r}"


@mutation("feeds")
def change_feed_names(rng: random.Random, mutant: Mutant) -> str | None:
    if not isinstance(mutant.feeds, dict):
        return None
    how = rng.choice(["missing", "unknown", "any value", "no str", "empty"])
    if how == "missing" and mutant.feeds:
        mutant.feeds.pop(rng.choice(list(mutant.feeds)))
    elif how == "unknown":
        mutant.feeds[rng.choice(NAMES)] = np.ones(1, np.float32)
    elif how == "any value":
        mutant.feeds[pick(rng, visible_names(mutant.proto)) or "x"] = np.ones(1, np.float32)
    elif how == "no str":
        mutant.feeds[rng.choice([1, None, b"x", ("x",)])] = np.ones(1, np.float32)
    else:
        mutant.feeds = {}
    return how


@mutation("feeds")
def feed_no_dict(rng: random.Random, mutant: Mutant) -> str | None:
    mutant.feeds = rng.choice([None, [], "x", 1, [("x", 1)], np.ones(2), set(), dict, object()])
    return f"{mutant.feeds!r:.40}"


@mutation("feeds")
def fit_feeds(rng: random.Random, mutant: Mutant) -> str | None:
    """New feeds of the declared types; empty where a size is not declared, now and then."""
    found = {i.name: array_for(rng, i) for i in mutant.proto.graph.input}
    fitting = {name: array for name, array in found.items() if array is not None}
    if not fitting:
        return None
    mutant.feeds = {**(mutant.feeds if isinstance(mutant.feeds, dict) else {}), **fitting}
    return f"new values for {list(fitting)[:5]}"


@mutation("feeds")
def change_fetches(rng: random.Random, mutant: Mutant) -> str | None:
    names = [o.name for o in mutant.proto.graph.output]
    mutant.fetches = rng.choice(
        [[], (), names[:1], names[::-1], names * 2, [*names, "nobody"], [""], [None], [1], "y", b"y", 1,
         visible_names(mutant.proto)[-2:], set(names), dict.fromkeys(names), [names], object()]
    )  # fmt: skip
    return f"{mutant.fetches!r:.60}"
