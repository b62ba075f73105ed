"""Strings: StringNormalizer, StringSplit, TfIdfVectorizer and RegexFullMatch, without touching the process's locale."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ort_core.ir.graph import Node
from ort_core.providers.kernel import kernel
from ort_core.reference_ops.regex import Regex

_CASES: dict[str, Callable[[str], str]] = {"LOWER": str.lower, "UPPER": str.upper, "NONE": str}


@kernel("StringNormalizer")
class StringNormalizer:
    """Y = X [C] or [1, C] without the stop words and in the case asked for; one empty string if nothing is left.

    Case follows Unicode, whatever `locale` says. Source: ONNX StringNormalizer.
    """

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        case_change_action: str = "NONE",
        is_case_sensitive: int = 0,
        locale: str = "",
        stopwords: Sequence[str] = (),
    ) -> None:
        """Keeps the attributes."""
        if case_change_action not in _CASES:
            raise ValueError(f"case_change_action is '{case_change_action}', must be one of {', '.join(_CASES)}")
        self._change = _CASES[case_change_action]
        self._key: Callable[[str], str] = str if is_case_sensitive else str.casefold
        self._stopwords = {self._key(w) for w in stopwords}

    def run(self, x: np.ndarray) -> np.ndarray:
        """Normalises the strings."""
        if x.ndim not in (1, 2) or (x.ndim == 2 and x.shape[0] != 1):
            raise ValueError(f"strings [C] or [1, C] are needed, got shape {x.shape}")
        kept = [self._change(s) for s in x.reshape(-1) if self._key(s) not in self._stopwords] or [""]
        return np.array(kept, object).reshape((-1,) if x.ndim == 1 else (1, -1))


@kernel("StringSplit")
class StringSplit:
    """Y [..., parts] = the parts of each string, filled up with empty ones; Z = how many parts each has.

    Without a delimiter strings are split at whitespace. Source: ONNX StringSplit.
    """

    def prepare(self, node: Node, ctx: object, *, delimiter: str = "", maxsplit: int | None = None) -> None:
        """Keeps the attributes."""
        self._delimiter, self._limit = delimiter or None, -1 if maxsplit is None else maxsplit

    def run(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Splits the strings."""
        parts = [self._split(s) for s in x.reshape(-1)]
        counts = np.array([len(p) for p in parts], np.int64)
        most = int(counts.max(initial=0))
        y = np.full((x.size, most), "", object)
        y[np.arange(most) < counts[:, None]] = [s for p in parts for s in p]
        return y.reshape(*x.shape, most), counts.reshape(x.shape)

    def _split(self, text: str) -> list[str]:
        return (text.strip() if self._delimiter is None else text).split(self._delimiter, self._limit)


@kernel("TfIdfVectorizer")
class TfIdfVectorizer:
    """Y [..., max(ngram_indexes) + 1] = counts, weights of what occurs, or weighted counts, of the n-grams of each row.

    The items of an n-gram may be up to `max_skip_count` items apart, the same number between all.
    Source: ONNX TfIdfVectorizer.
    """

    def prepare(
        self,
        node: Node,
        ctx: object,
        *,
        max_gram_length: int,
        max_skip_count: int,
        min_gram_length: int,
        mode: str,
        ngram_counts: Sequence[int],
        ngram_indexes: Sequence[int],
        pool_int64s: Sequence[int] = (),
        pool_strings: Sequence[str] = (),
        weights: Sequence[float] = (),
    ) -> None:
        """Makes the table from n-gram to output."""
        if mode not in ("TF", "IDF", "TFIDF"):
            raise ValueError(f"mode is '{mode}', must be TF, IDF or TFIDF")
        if bool(pool_int64s) is bool(pool_strings):
            raise ValueError("exactly one of pool_int64s and pool_strings is needed")
        self._mode, self._skips = mode, max_skip_count
        self._columns = np.array(ngram_indexes, np.int64)
        self._weights = np.array(weights or (1.0,) * len(ngram_indexes), np.float32)
        self._tables = _ngram_tables(pool_int64s or pool_strings, ngram_counts)
        if not len(self._columns) == len(self._weights) == sum(map(len, self._tables.values())):
            raise ValueError(
                f"{len(ngram_indexes)} ngram_indexes, {len(weights)} weights and the pool do not fit together"
            )
        self._sizes = range(min_gram_length, max_gram_length + 1)

    def run(self, x: np.ndarray) -> np.ndarray:
        """Counts the n-grams."""
        if x.ndim not in (1, 2):
            raise ValueError(f"items [C] or [N, C] are needed, got shape {x.shape}")
        rows = np.atleast_2d(x)
        counts = np.zeros((len(rows), len(self._columns)), np.float32)
        for size, table in self._tables.items():
            skips = min(self._skips, rows.shape[1]) if size > 1 else 0
            for step in range(1, skips + 2) if size in self._sizes else ():
                _count_ngrams(counts, rows, size, step, table)
        if self._mode == "IDF":
            counts = np.minimum(counts, 1)
        if self._mode != "TF":
            counts *= self._weights
        y = np.zeros((len(rows), int(self._columns.max(initial=-1)) + 1), np.float32)
        np.add.at(y.T, self._columns, counts.T)
        return y if x.ndim == 2 else y[0]


def _ngram_tables(pool: Sequence[object], starts: Sequence[int]) -> dict[int, dict[tuple[object, ...], int]]:
    """For each size of n-gram the number of each in the pool."""
    tables: dict[int, dict[tuple[object, ...], int]] = {}
    number = 0
    for size, (start, end) in enumerate(zip(starts, [*starts[1:], len(pool)], strict=True), 1):
        grams = [tuple(pool[i : i + size]) for i in range(start, end, size)]
        tables[size] = {gram: number + i for i, gram in enumerate(grams)}
        if len(tables[size]) != len(grams):
            raise ValueError(f"the pool repeats one of its n-grams of {size} items")
        number += len(grams)
    return tables


def _count_ngrams(
    counts: np.ndarray, rows: np.ndarray, size: int, step: int, table: dict[tuple[object, ...], int]
) -> None:
    """Adds to counts [N, n-grams] what of the n-grams in `table`, with items `step` apart, occurs in rows [N, C]."""
    places = rows.shape[1] - (size - 1) * step
    if places <= 0 or not table:
        return
    columns = [rows[:, i * step : i * step + places].tolist() for i in range(size)]
    for n, row in enumerate(zip(*columns, strict=True)):
        hits = [table[gram] for gram in zip(*row, strict=True) if gram in table]
        np.add.at(counts[n], hits, 1)


@kernel("RegexFullMatch")
class RegexFullMatch:
    """Y = whether a pattern of RE2's syntax matches each whole string. Source: ONNX RegexFullMatch."""

    def prepare(self, node: Node, ctx: object, *, pattern: str) -> None:
        """Compiles the pattern."""
        self._regex = Regex(pattern)

    def run(self, x: np.ndarray) -> np.ndarray:
        """Matches the strings."""
        return np.array([self._regex.fullmatch(s) for s in x.reshape(-1)], bool).reshape(x.shape)
