"""Repeats in sequences of nodes."""

from __future__ import annotations

import random

import pytest

from ort_core.explain.blocks import find_repeats


def chain_sources(length):
    return [(i - 1 if i else None,) for i in range(length)]


def repeats(labels, sources=None, names=None):
    found = find_repeats(labels, sources or chain_sources(len(labels)), names or [""] * len(labels))
    return [(r.start, r.period, r.copies) for r in found]


def test_copies_of_a_block_in_a_chain_are_found():
    assert repeats("xy" + "abcd" * 5 + "z") == [(2, 4, 5)]


def test_a_sequence_without_repeats_has_none():
    assert repeats([*range(50)]) == []


def test_repeats_that_hide_little_are_left_alone():
    assert repeats("xababz") == []


def test_the_shortest_period_is_preferred():
    assert repeats("ab" * 8) == [(0, 2, 8)]


def test_several_repeats_are_found_in_order():
    assert repeats("abcd" * 4 + "x" + "efg" * 6) == [(0, 4, 4), (17, 3, 6)]


def test_copies_that_are_wired_differently_are_not_the_same():
    labels = "abcd" * 4
    sources = chain_sources(16)
    assert repeats(labels, sources) == [(0, 4, 4)]
    sources[10] = (8,)
    assert (0, 4, 4) not in repeats(labels, sources)
    assert all(start + period * copies <= 8 or start > 8 for start, period, copies in repeats(labels, sources))


def test_a_residual_from_the_copy_before_is_part_of_the_pattern():
    sources = [(i - 1 if i else None, i - 4 if i >= 4 else None) for i in range(16)]
    assert repeats("abcd" * 4, sources) == [(0, 4, 4)]


def test_all_copies_may_read_one_value_from_before_the_first():
    sources = [(None,)] + [(i - 1, 0) for i in range(1, 13)]
    assert repeats("m" + "abcd" * 3, sources) == [(1, 4, 3)]


def test_a_value_of_the_first_copy_that_all_others_read_keeps_the_first_apart():
    sources = [(i - 1 if i else None, 1 if i > 3 else None) for i in range(16)]
    assert all(start >= 1 for start, _, _ in repeats("abcd" * 4, sources))


def test_constants_must_be_in_the_same_places():
    sources = [(i - 1 if i else None, "constant") for i in range(16)]
    assert repeats("abcd" * 4, sources) == [(0, 4, 4)]
    sources[6] = (5, None)
    assert (0, 4, 4) not in repeats("abcd" * 4, sources)


def test_copies_begin_where_the_fewest_values_pass():
    # Each block is one node that feeds three, which are joined: between blocks one value passes, inside several.
    sources, labels = [(None,)], ["start"]
    for _ in range(4):
        head = len(sources) - 1
        sources += [(head,), (head,), (head,), (head + 1, head + 2, head + 3)]
        labels += ["a", "b", "c", "join"]
    labels += ["join"]
    sources += [(len(sources) - 1,)]
    assert repeats(labels, sources) == [(1, 4, 4)]


def test_copies_begin_where_their_common_folder_begins():
    labels = "bcd" + "abcd" * 3
    names = [f"layer.{(i + 2) // 4}/{label}" for i, label in enumerate(labels)]
    ((start, period, _),) = repeats(labels, names=names)
    assert period == 4
    assert len({names[i].split("/")[0] for i in range(start, start + period)}) == 1


@pytest.mark.parametrize("seed", range(20))
def test_found_repeats_are_disjoint_and_true(seed):
    rng = random.Random(seed)
    labels = [c for _ in range(12) for c in rng.choice(["abc", "abcd", "xy", "q"]) * rng.randint(1, 4)]
    end = 0
    for start, period, copies in repeats(labels):
        assert start >= end
        assert copies > 1
        end = start + period * copies
        assert len({tuple(labels[s : s + period]) for s in range(start, end, period)}) == 1
