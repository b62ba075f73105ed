"""Optimised random graphs give the same bits, dtypes and shapes as unoptimised ones, or are as invalid."""

from __future__ import annotations

import collections

import numpy as np
import pytest
from optimize_helpers import apply_all, assert_same_bits, is_valid, load, ops, run
from random_graphs import STEPS, random_model

from ort_core.ir.proto import to_proto

SEEDS = range(160)


@pytest.mark.parametrize("seed", SEEDS)
def test_results_do_not_change_by_a_bit(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_CORE_DEBUG", "1")
    proto, feeds = random_model(seed)
    original, optimised = load(proto), apply_all(proto)
    assert optimised.graph.output_names == original.graph.output_names
    for index, feed in enumerate(feeds):
        if index and not is_valid(proto, feed):
            continue
        for expected, got in zip(run(original, feed), run(optimised, feed), strict=True):
            assert_same_bits(expected, got)


def test_optimising_twice_changes_nothing_more() -> None:
    for seed in range(200, 220):
        proto, _ = random_model(seed)
        once = apply_all(proto)
        assert sorted(ops(apply_all(to_proto(once)))) == sorted(ops(once))


def test_generator_makes_what_the_passes_look_for() -> None:
    made: collections.Counter[str] = collections.Counter()
    before = after = 0
    for seed in SEEDS:
        proto, feeds = random_model(seed)
        made.update(node.op_type for node in proto.graph.node)
        before += sum(node.op_type != "Constant" for node in proto.graph.node)
        after += len(apply_all(proto).graph)
        assert is_valid(proto, feeds[0])
    assert len(STEPS) > 20
    assert (
        min(made[op] for op in ("Reshape", "Expand", "Transpose", "If", "Cast", "Slice", "Add", "Shape", "Squeeze"))
        > 20
    )
    assert after < 0.6 * before


def _loop(body: str) -> str:
    return f"""g (int64 n, float[N,2] x) => (float[A,B] z, float[C,D,E] scans) {{
        go = Constant<value = bool {{1}}>()
        two = Constant<value_float = 2.0>()
        z, scans = Loop(n, go, x) <body = b (int64 i, bool g, float[K,L] s) => (bool h, float[O,P] t, float[Q,R] u) {{
            h = Identity(g) {body}
        }}>
    }}"""


@pytest.mark.parametrize(
    "body",
    [
        "t = Mul(s, two) u = Identity(t)",
        "one = Constant<value_float = 1.0>() v = Mul(s, one) t = Add(v, two) u = Identity(s)",
        "t = Identity(s) u = Identity(x)",
        "k = Shape(s) w = Expand(two, k) t = Add(s, w) u = Add(s, w)",
        "k = Shape(x) y = Reshape(s, k) t = Neg(y) u = Neg(y)",
        "f = Cast<to = 1>(i) t = Add(s, f) u = Add(s, f)",
    ],
)
def test_loops_give_the_same_results(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORT_CORE_DEBUG", "1")
    text = _loop(body)
    original, optimised = load(text), apply_all(text)
    for count in (1, 3):
        feed = {"n": np.array(count), "x": np.arange(6, dtype=np.float32).reshape(3, 2)}
        for expected, got in zip(run(original, feed), run(optimised, feed), strict=True):
            assert_same_bits(expected, got)


def test_loop_state_that_grows_is_not_taken_for_constant_in_shape() -> None:
    text = """g (int64 n, float[2] x) => (float[A] z, int64[B] sizes) {
        go = Constant<value = bool {1}>()
        z, sizes = Loop(n, go, x) <body = b (int64 i, bool g, float[2] s) => (bool h, float[2] t, int64 u) {
            h = Identity(g) t = Concat<axis = 0>(s, x) k = Shape(s) o = Constant<value_ints = [0]>() u = Squeeze(k, o)
        }>
    }"""
    original, optimised = load(text), apply_all(text)
    feed = {"n": np.array(3), "x": np.ones(2, np.float32)}
    results = run(optimised, feed)
    assert results[1].reshape(-1).tolist() == [2, 4, 6]
    for expected, got in zip(run(original, feed), results, strict=True):
        assert_same_bits(expected, got)
