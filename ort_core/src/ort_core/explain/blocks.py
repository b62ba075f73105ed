"""Finding repeats: parts of a sequence of nodes that follow each other with the same operators, wiring and placement."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from typing import NamedTuple, TypeGuard

import numpy as np

from ort_core.explain.markup import common_folder

MIN_SAVING = 6
"""A repeat is worth collapsing if it hides at least so many elements."""
MAX_PERIOD = 4000
MAX_FAILURES = 200
"""Candidates that look periodic but are wired differently, before the search ends."""


class Repeat(NamedTuple):
    """`copies` times `period` elements, the first at `start`."""

    start: int
    period: int
    copies: int

    @property
    def end(self) -> int:
        """The position after the last copy."""
        return self.start + self.period * self.copies


Sources = Sequence[tuple[Hashable, ...]]
"""For each element what it reads: positions of elements before it, None for what comes from outside of the sequence, and
anything else for what must be equal in all copies."""


def find_repeats(
    labels: Sequence[Hashable], sources: Sources, names: Sequence[str], min_saving: int = MIN_SAVING
) -> list[Repeat]:
    """Disjoint repeats in order; where candidates overlap, the one that hides most elements.

    Copies begin where a common folder of their names begins, or else where the fewest values pass from one to the next.

    Two copies are the same if their labels are and each element reads from the same place of its own copy, or from the same
    place of the copy before. What comes from before the first copy may come from anywhere.
    """
    codes = _encode(labels)
    crossing = _crossing(sources)
    candidates = [run for run in _periodic_runs(codes) if _saving(run) >= min_saving]
    candidates.sort(key=lambda run: (-_saving(run), run.period, run.start))
    taken = np.zeros(len(codes), bool)
    found: list[Repeat] = []
    failed = 0
    for run in candidates:
        if failed == MAX_FAILURES:
            break
        if taken[run.start : run.end].any():
            continue
        repeat = verified(_best_rotation(run, crossing, names), sources)
        if repeat.period * (repeat.copies - 1) >= min_saving:
            taken[repeat.start : repeat.end] = True
            found.append(repeat)
        else:
            failed += 1
    return sorted(found)


class _Run(NamedTuple):
    """A stretch in which every label equals the one `period` later, that one included."""

    start: int
    period: int
    length: int

    @property
    def end(self) -> int:
        return self.start + self.length


def _encode(labels: Sequence[Hashable]) -> np.ndarray:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], np.int64)


def _crossing(sources: Sources) -> np.ndarray:
    """For each boundary before an element, how many elements before it are read at or after it."""
    last_use = np.arange(len(sources), dtype=np.int64)
    for position, reads in enumerate(sources):
        for source in reads:
            if isinstance(source, int):
                last_use[source] = max(last_use[source], position)
    change = np.zeros(len(sources) + 2, np.int64)
    np.add.at(change, np.arange(len(sources)) + 1, 1)
    np.add.at(change, last_use + 1, -1)
    return np.cumsum(change)


def _periodic_runs(codes: np.ndarray) -> list[_Run]:
    runs = []
    for period in range(1, min(len(codes) // 2, MAX_PERIOD) + 1):
        same = np.concatenate(([False], codes[:-period] == codes[period:], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        starts, ends = edges[::2], edges[1::2]
        for index in np.flatnonzero(ends - starts >= period):
            run = _Run(int(starts[index]), period, int(ends[index] - starts[index]) + period)
            runs.append(run)
    return runs


def _saving(run: _Run) -> int:
    return run.period * (run.length // run.period - 1)


def _best_rotation(run: _Run, crossing: np.ndarray, names: Sequence[str]) -> Repeat:
    count = run.length // run.period
    slack = run.length - count * run.period
    ends = np.arange(count + 1) * run.period

    def merit(offset: int) -> tuple[int, int]:
        start = run.start + offset
        folder = common_folder([names[start], names[start + run.period - 1]])
        return -len(folder), int(crossing[start + ends].sum())

    return Repeat(run.start + min(range(slack + 1), key=merit), run.period, count)


def verified(repeat: Repeat, sources: Sources) -> Repeat:
    """The longest series of copies that read the same."""
    starts = [repeat.start + copy * repeat.period for copy in range(repeat.copies)]
    best = first = starts[0]
    most = 1
    for before, start in itertools.pairwise(starts):
        if not _reads_the_same(before, repeat.period, sources, first):
            first = start
        copies = (start - first) // repeat.period + 1
        if copies > most:
            most, best = copies, first
    return Repeat(best, repeat.period, most)


def _reads_the_same(start: int, period: int, sources: Sources, first: int) -> bool:
    """Whether the copy at `start` and the one after it are wired alike, in a series of copies that begins at `first`."""
    for position in range(start, start + period):
        here, there = sources[position], sources[position + period]
        if len(here) != len(there):
            return False
        for a, b in zip(here, there, strict=True):
            if not _flows(a) or not _flows(b):
                if a != b:
                    return False
                continue
            a_at, b_at = (-1 if x is None else x for x in (a, b))
            linked = max(a_at, b_at) >= first if start > first else a_at >= start or b_at >= start + period
            if linked and b_at - a_at != period:
                return False
    return True


def _flows(source: Hashable) -> TypeGuard[int | None]:
    return source is None or isinstance(source, int)
